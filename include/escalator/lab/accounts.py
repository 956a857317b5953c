"""Projects and users of tenants, such as the owners of VNFs and their managers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.config import PASSWORD
from escalator.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from escalator.lab.api import Cloud

ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A project and a user who is a member of it, both of the same name; the password is the lab's."""

    name: str
    project_id: str
    user_id: str
    password: str = PASSWORD


def ensure_tenant(cloud: Cloud, name: str, roles: Iterable[str] = ("member",)) -> Tenant:
    """Make a project and a user with roles in it, where the administrator may act; what is there stays."""
    project_id = ensure_project(cloud, name)
    user_id = ensure_user(cloud, name)
    known = {role["name"]: role["id"] for role in cloud.get("keystone", "/roles")["roles"]}
    administrator = _find(cloud, "user", ADMINISTRATOR)
    for user, wanted in ((user_id, tuple(roles)), (administrator, ("admin",))):
        for role in wanted:
            if role not in known:
                raise LabError(f"there is no role {role}", f"choose {', '.join(sorted(known))}")
            cloud.put("keystone", f"/projects/{project_id}/users/{user}/roles/{known[role]}")
    return Tenant(name=name, project_id=project_id, user_id=user_id)


def ensure_project(cloud: Cloud, name: str) -> str:
    """Make a project of the default domain and return its id; one of that name stays."""
    body = {"project": {"name": name, "domain_id": "default"}}
    return _find(cloud, "project", name) or str(cloud.post("keystone", "/projects", body)["project"]["id"])


def ensure_user(cloud: Cloud, name: str) -> str:
    """Make a user of the default domain, with the lab's password, and return its id; an old one stays."""
    body = {"user": {"name": name, "password": PASSWORD, "domain_id": "default"}}
    return _find(cloud, "user", name) or str(cloud.post("keystone", "/users", body)["user"]["id"])


def _find(cloud: Cloud, kind: str, name: str) -> str:
    found = cloud.get("keystone", f"/{kind}s?name={name}&domain_id=default")[f"{kind}s"]
    return str(found[0]["id"]) if found else ""
