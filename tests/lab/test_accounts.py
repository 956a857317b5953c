from __future__ import annotations

import re
from typing import Any

import pytest

from escalator.lab.accounts import ensure_tenant
from escalator.lab.errors import LabError


class FakeKeystone:
    """Projects, users and roles, as far as tenants need them."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, str]] = {"project": {}, "user": {"admin": "user-admin"}}
        self.passwords: dict[str, str] = {}
        self.roles: set[str] = set()

    def get(self, service: str, path: str) -> Any:
        assert service == "keystone"
        if path == "/roles":
            return {"roles": [{"name": name, "id": f"role-{name}"} for name in ("admin", "member")]}
        kind, name = re.fullmatch(r"/(\w+)s\?name=([\w-]+)&domain_id=default", path).groups()  # type: ignore[union-attr]
        found = self.things[kind].get(name)
        return {f"{kind}s": [] if found is None else [{"id": found}]}

    def post(self, _: str, path: str, body: dict[str, Any]) -> Any:
        kind = path.removeprefix("/").removesuffix("s")
        name = body[kind]["name"]
        assert name not in self.things[kind]
        self.things[kind][name] = f"{kind}-{name}"
        if kind == "user":
            self.passwords[name] = body[kind]["password"]
        return {kind: {"id": f"{kind}-{name}"}}

    def put(self, _: str, path: str, body: object = None) -> None:
        assert body is None
        self.roles.add(path)


def test_a_tenant_is_a_project_and_a_member_and_the_administrator_may_act_there() -> None:
    keystone = FakeKeystone()
    tenant = ensure_tenant(keystone, "vnf-a")  # type: ignore[arg-type]
    assert (tenant.project_id, tenant.user_id) == ("project-vnf-a", "user-vnf-a")
    assert keystone.passwords == {"vnf-a": tenant.password}
    assert keystone.roles == {
        "/projects/project-vnf-a/users/user-vnf-a/roles/role-member",
        "/projects/project-vnf-a/users/user-admin/roles/role-admin",
    }
    assert ensure_tenant(keystone, "vnf-a") == tenant  # type: ignore[arg-type]


def test_a_role_that_there_is_not_is_refused() -> None:
    with pytest.raises(LabError, match="no role captain"):
        ensure_tenant(FakeKeystone(), "vnf-a", roles=("captain",))  # type: ignore[arg-type]
