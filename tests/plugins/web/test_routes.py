"""No route opens to whom it should not, and none breaks: over the routes of the app's own document."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.campaigns.vim_routes import (
    NASTY_IDS,
    TOO_LARGE,
    Place,
    Route,
    Send,
    call_routes,
    find_server_errors,
    read_routes,
    sending,
)
from tests.plugins.web.conftest import NOW, OURS, SID, World, ask, facts

from escalator.lab.processes import wait_until
from escalator.ledger.ledger import Ledger
from escalator.model.constraints import GroupConstraints, InstanceConstraints
from escalator.model.maintenance_session import MaintenanceSession

pytestmark = pytest.mark.airflow
PLACE = Place(
    url="http://testserver/vim",
    cloud="lab",
    session_id=SID,
    project_id=OURS,
    instance_id="vm-1",
    group_id="g-1",
)


@pytest.fixture
def send(client: Any) -> Send:
    def ask_app(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> int:
        answer = client.request(method, url, headers=headers, content=body, follow_redirects=False)
        return int(answer.status_code)

    return ask_app


@pytest.fixture
def routes(client: Any) -> tuple[Route, ...]:
    return read_routes(client.get("/vim/openapi.json").json())


@pytest.fixture(autouse=True)
def full(session: MaintenanceSession, ledger: Ledger) -> Ledger:
    """A ledger in which everything is there that the addresses name."""
    assert session.id == SID
    ask(ledger, instance_ids=("vm-1",))
    ledger.constraints().put_group("lab", GroupConstraints(project_id=OURS, group_id="g-1"), NOW)
    ledger.constraints().put_instance("lab", InstanceConstraints(project_id=OURS, instance_id="vm-1"), NOW)
    return ledger


def test_the_document_names_every_route_of_the_app(app: Any, routes: tuple[Route, ...]) -> None:
    """A route that is left out of the document would be left out here."""
    from fastapi.routing import APIRoute

    vim = next(route.app for route in app.routes if getattr(route, "path", "") == "/vim")
    there = {Route(m, r.path) for r in vim.routes if isinstance(r, APIRoute) for m in r.methods}
    assert set(routes) == there
    others = {getattr(route, "path", "") for route in vim.routes if not isinstance(route, APIRoute)}
    assert others == {"/openapi.json"}
    assert {route.is_of_admins for route in routes} == {True, False}


def test_nobody_gets_in_without_a_token_that_counts(
    routes: tuple[Route, ...], send: Send, world: World
) -> None:
    world.tokens["expired"] = facts(OURS, "admin")
    del world.tokens["expired"]
    for token in (None, "expired", "never seen"):
        assert set(call_routes(PLACE, routes, token, send).values()) == {401}, token


def test_another_project_and_a_wrong_role_open_nothing(
    routes: tuple[Route, ...], send: Send, world: World
) -> None:
    world.tokens["reader"] = facts("f" * 32, "reader")
    for token in ("other", "unscoped", "reader"):
        statuses = call_routes(PLACE, routes, token, send)
        assert dict.fromkeys(routes, 403) == statuses, token
    of_admins = tuple(route for route in routes if route.is_of_admins)
    assert set(call_routes(PLACE, of_admins, "vnfm", send).values()) == {403}


def test_whoever_may_is_answered(routes: tuple[Route, ...], send: Send) -> None:
    """The same calls: what was refused above was not refused for what it says."""
    reading = tuple(route for route in routes if route.method == "GET")
    assert set(call_routes(PLACE, reading, "admin", send).values()) == {200}
    ours = tuple(route for route in routes if not route.is_of_admins and route.path.endswith("{project}"))
    assert set(call_routes(PLACE, ours, "vnfm", send).values()) == {200}


def test_no_address_token_or_body_breaks_a_route(
    routes: tuple[Route, ...], send: Send, world: World, full: Ledger
) -> None:
    before = _state_of(full)
    assert find_server_errors(PLACE, routes, "admin", send) == []
    assert (world.started, _state_of(full)) == ([], before)


def _state_of(ledger: Ledger) -> Any:
    notices, constraints = ledger.notices(), ledger.constraints()
    kept = constraints.groups("lab"), constraints.instances("lab")
    return notices.sessions("lab"), notices.find(SID), *kept


@pytest.mark.parametrize("nasty", NASTY_IDS, ids=lambda value: value[:20])
def test_what_is_no_id_is_not_found_or_refused(routes: tuple[Route, ...], send: Send, nasty: str) -> None:
    for route in routes:
        for name in route.names:
            url = PLACE.fill(route, **{name: nasty})
            status = send(route.method, url, {"X-Auth-Token": "admin"}, None)
            assert status in {404, 405, 422}, (route, name)


def test_no_body_is_too_large_to_be_refused(routes: tuple[Route, ...], send: Send) -> None:
    """Whether a route reads a body or not."""
    for route in routes:
        headers = {"X-Auth-Token": "admin", "Content-Type": "application/json"}
        assert send(route.method, PLACE.fill(route), headers, TOO_LARGE) == 413, route


def test_a_slash_that_is_part_of_an_id_deletes_no_other_thing(send: Send, full: Ledger) -> None:
    url = f"http://testserver/vim/lab/v1/maintenance/{SID}"
    for end in ("/%2F", "//", "%2F", "/%2f/"):
        assert send("DELETE", url + end, {"X-Auth-Token": "admin"}, None) in {404, 405, 422}, end
    assert [session.id for session in full.notices().sessions("lab")] == [SID]
    assert send("DELETE", url + "/", {"X-Auth-Token": "admin"}, None) == 200


def test_a_real_server_has_no_other_weakness(app: Any, routes: tuple[Route, ...], world: World) -> None:
    """What the address and the headers become on their way is another thing over a socket."""
    with serving_app(app) as url, sending() as real:
        place = replace(PLACE, url=f"{url}/vim")
        assert set(call_routes(place, routes, None, real).values()) == {401}
        assert dict.fromkeys(routes, 403) == call_routes(place, routes, "other", real)
        assert find_server_errors(place, routes, "admin", real) == []
        assert real("GET", f"{place.url}/lab/v1/maintenance/", {"X-Auth-Token": "admin"}, None) == 200
        gone = real("DELETE", f"{place.url}/lab/v1/maintenance/{SID}/%2F", {"X-Auth-Token": "admin"}, None)
        assert gone == 404
    assert world.started == []


@contextmanager
def serving_app(app: Any) -> Iterator[str]:
    """Serve the app with the server that Airflow's API server uses; give its address."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert wait_until(lambda: server.started, timeout_seconds=60)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
