"""The documents of the API hold: schemathesis makes requests of them, and reads the answers by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from tests.plugins.web.conftest import NOW, OURS, SID, World, ask, facts

from escalator.ledger.ledger import Ledger
from escalator.model.constraints import GroupConstraints, InstanceConstraints
from escalator.model.maintenance_session import MaintenanceSession

pytestmark = pytest.mark.airflow
EXAMPLES = 6
"""Requests that are made of each route."""
ROUTES = 15
NAMED = {
    "cloud": ["lab"],
    "sid": [SID, "nothing"],
    "project": [OURS, "nothing"],
    "instance": ["vm-1", "vm-3"],
    "id": ["vm-1", "g-1"],
}
"""What the addresses name, so that something is found there."""


@pytest.fixture
def schema(app: Any, client: Any, world: World, ledger: Ledger, session: MaintenanceSession) -> Any:
    """The schema of the app, over a ledger with something of everything."""
    assert session.id == SID
    world.tokens["everything"] = facts(OURS, "admin")
    ask(ledger)
    ledger.constraints().put_group("lab", GroupConstraints(project_id=OURS, group_id="g-1"), NOW)
    ledger.constraints().put_instance("lab", InstanceConstraints(project_id=OURS, instance_id="vm-1"), NOW)
    document = client.get("/vim/openapi.json").json()
    for methods in document["paths"].values():
        for route in methods.values():
            for parameter in route["parameters"]:
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": NAMED[parameter["name"]]}
    begin = document["components"]["schemas"]["SessionBody"]["properties"]
    begin["maintenance_at"] = {"type": "string", "enum": ["2026-11-22 08:00:30", "2026-11-22 07:00:00"]}
    begin["hosts"]["items"] = {"type": "string", "enum": ["general-001", "fast-002"]}
    found = schemathesis.openapi.from_dict(document)
    found.app = app
    found.config.checks.negative_data_rejection.expected_statuses.append("413")  # bodies that are too large
    return found


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCALATOR_VIM_MAX_SESSIONS", "100000")


def checks() -> Iterator[Any]:
    from schemathesis import checks as found
    from schemathesis.specs.openapi import checks as of_openapi

    yield found.not_a_server_error
    yield of_openapi.status_code_conformance
    yield of_openapi.content_type_conformance
    yield of_openapi.response_headers_conformance
    yield of_openapi.response_schema_conformance
    yield of_openapi.negative_data_rejection
    yield of_openapi.ignored_auth


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_answers_are_those_of_the_documents(schema: Any, mode: str) -> None:
    operations = [operation.ok() for operation in schema.get_all_operations()]
    operations.sort(key=lambda operation: bool(operation.method == "delete"))  # what they need is there
    tried = {operation.label: try_out(operation, mode) for operation in operations}
    assert len(tried) == ROUTES
    assert all(count > 0 for count in tried.values()), tried


def try_out(operation: Any, mode: str) -> int:
    """Make requests of one route; return how many."""
    from schemathesis.generation import GenerationMode

    count = 0

    @given(case=operation.as_strategy(generation_mode=GenerationMode(mode)))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask_it(case: Any) -> None:
        nonlocal count
        address = "".join(map(str, case.path_parameters.values()))
        assume("\n" not in address and "%0A" not in address)  # it never comes to us
        count += 1
        case.call_and_validate(headers={"X-Auth-Token": "everything"}, checks=list(checks()))

    ask_it()
    return count


def test_every_route_says_what_it_refuses_and_who_may_call(app: Any) -> None:
    vim = next(route.app for route in app.routes if getattr(route, "path", "") == "/vim")
    for path, methods in vim.openapi()["paths"].items():
        for method, route in methods.items():
            assert {"401", "403", "404", "422", "503"} <= set(route["responses"]), (method, path)
            assert route["security"] == [{"Keystone": []}], (method, path)
            assert route["description"], (method, path)
