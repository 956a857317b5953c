from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openstack.connection import Connection

from escalator.cloud_manager.owners import fetch_group_owner, fetch_server_owner
from escalator.model.errors import ForbiddenError

Fetch = Callable[[Connection, str], str | None]
CASES: list[Any] = [
    (fetch_server_owner, "/compute/v2.1/servers/s-1", {"server": {"id": "s-1", "tenant_id": "p-1"}}),
    (fetch_group_owner, "/compute/v2.1/os-server-groups/s-1", {"server_group": {"project_id": "p-1"}}),
]


@pytest.mark.parametrize(("fetch", "path", "answer"), CASES)
def test_the_project_is_read_in_one_call(
    fake: Any, connection: Connection, fetch: Fetch, path: str, answer: Any
) -> None:
    fake.tell("GET", path, answer)
    assert fetch(connection, "s-1") == "p-1"
    assert len(fake.requests_of("GET", path)) == 1


@pytest.mark.parametrize(("fetch", "path", "_answer"), CASES)
def test_what_nova_does_not_know_is_nobodys_and_a_refusal_is_an_error(
    fake: Any, connection: Connection, fetch: Fetch, path: str, _answer: Any
) -> None:
    assert fetch(connection, "s-1") is None
    fake.tell("GET", path, (403, {"forbidden": {"code": 403, "message": "no"}}))
    with pytest.raises(ForbiddenError):
        fetch(connection, "s-1")
