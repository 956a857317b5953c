from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.web.conftest import NOW, OURS, SID, Caller, World, ask

from escalator.ledger.ledger import Ledger
from escalator.model.constraints import GroupConstraints, InstanceConstraints
from escalator.model.errors import InvalidRequestError, TransientError
from escalator.model.maintenance_session import MaintenanceSession

pytestmark = pytest.mark.airflow

NEW_SESSION = {"hosts": [], "state": "MAINTENANCE", "maintenance_at": "2026-11-22 08:00:30", "metadata": {}}
ACK = {"state": "ACK_MAINTENANCE"}
OF_ADMINS: list[tuple[str, str, Any]] = [
    ("GET", "/maintenance", None),
    ("POST", "/maintenance", NEW_SESSION),
    ("GET", f"/maintenance/{SID}", None),
    ("PUT", f"/maintenance/{SID}", {"state": "MAINTENANCE"}),
    ("GET", f"/maintenance/{SID}/detail", None),
    ("DELETE", f"/maintenance/{SID}", None),
]
OF_PROJECTS: list[tuple[str, str, Any]] = [
    ("GET", f"/maintenance/{SID}/{OURS}", None),
    ("PUT", f"/maintenance/{SID}/{OURS}", ACK),
    ("PUT", f"/maintenance/{SID}/{OURS}/vm-3", {"state": "ACK_PLANNED_MAINTENANCE"}),
    ("GET", "/instance/vm-1", None),
    ("PUT", "/instance/vm-1", {"project_id": OURS}),
    ("DELETE", "/instance/vm-1", None),
    ("GET", "/instance_group/g-1", None),
    ("PUT", "/instance_group/g-1", {"project_id": OURS}),
    ("DELETE", "/instance_group/g-1", None),
]
EVERY = OF_ADMINS + OF_PROJECTS
each = pytest.mark.parametrize(("method", "path", "body"), EVERY, ids=lambda value: str(value)[:40])


@pytest.fixture(autouse=True)
def full(session: MaintenanceSession, ledger: Ledger) -> Ledger:
    """A ledger in which everything is there that the routes are about."""
    from escalator.model.notice import NoticeState

    assert session.id == SID
    ask(ledger)
    ask(ledger, NoticeState.PLANNED_MAINTENANCE, instance_ids=("vm-3",), instance_id="vm-3", host="n")
    ledger.constraints().put_group("lab", GroupConstraints(project_id=OURS, group_id="g-1"), NOW)
    ledger.constraints().put_instance("lab", InstanceConstraints(project_id=OURS, instance_id="vm-1"), NOW)
    return ledger


def test_every_route_is_tried_here(app: Any) -> None:
    vim = next(route.app for route in app.routes if getattr(route, "path", "") == "/vim")
    there = {
        (method.upper(), path.removeprefix("/{cloud}/v1"))
        for path, methods in vim.openapi()["paths"].items()
        for method in methods
    }
    ours = {SID: "{sid}", OURS: "{project}", "vm-3": "{instance}", "vm-1": "{id}", "g-1": "{id}"}
    tried = {
        (method, "/".join(ours.get(part, part) for part in path.split("/"))) for method, path, _ in EVERY
    }
    assert tried == there


@each
def test_with_the_right_token_it_is_answered(client: Any, method: str, path: str, body: Any) -> None:
    token = "admin" if (method, path, body) in OF_ADMINS else "vnfm"
    answer = Caller(client, token)(method, path, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"


@each
def test_without_a_token_nobody_is_answered(client: Any, method: str, path: str, body: Any) -> None:
    answer = Caller(client, None)(method, path, body)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401
    assert answer.headers["www-authenticate"] == "Keystone"


@each
def test_a_token_that_has_expired_is_none(
    client: Any, world: World, method: str, path: str, body: Any
) -> None:
    world.tokens.clear()
    assert Caller(client, "vnfm")(method, path, body).status_code == 401


@each
def test_the_token_of_another_project_opens_nothing(
    client: Any, full: Ledger, method: str, path: str, body: Any
) -> None:
    before = _state_of(full)
    for token in ("other", "unscoped"):
        assert Caller(client, token)(method, path, body).status_code == 403
    assert _state_of(full) == before


@pytest.mark.parametrize(("method", "path", "body"), OF_ADMINS)
def test_a_vnfm_is_no_administrator(client: Any, method: str, path: str, body: Any) -> None:
    answer = Caller(client, "vnfm")(method, path, body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (403, "this needs the role admin")


@pytest.mark.parametrize(("method", "path", "body"), OF_PROJECTS)
def test_an_administrator_may_touch_every_project(client: Any, method: str, path: str, body: Any) -> None:
    assert Caller(client, "admin")(method, path, body).status_code == 200


@each
def test_a_cloud_that_is_not_there_is_not_found(client: Any, method: str, path: str, body: Any) -> None:
    for cloud in ("nowhere", "..", "%2e%2e"):
        answer = client.request(
            method, f"/vim/{cloud}/v1{path}", json=body, headers={"X-Auth-Token": "admin"}
        )
        assert answer.status_code == 404, cloud


@each
def test_a_session_of_one_cloud_is_not_found_in_another(
    client: Any, method: str, path: str, body: Any
) -> None:
    answer = client.request(method, f"/vim/second/v1{path}", json=body, headers={"X-Auth-Token": "admin"})
    is_about_one = path != "/maintenance" and not (method == "PUT" and path.startswith("/instance"))
    assert answer.status_code == (404 if is_about_one else 200)


@each
@pytest.mark.parametrize(
    "error", [TransientError("away"), InvalidRequestError("bad credentials"), RuntimeError("?")], ids=repr
)
def test_a_keystone_that_does_not_answer_is_no_refusal(
    client: Any, world: World, method: str, path: str, body: Any, error: Exception
) -> None:
    world.keystone_error = error
    answer = Caller(client, "vnfm")(method, path, body)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["error"]["remedy"]
    assert str(error) not in answer.text


@each
@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/ledger.db", "postgresql+psycopg2://u:secret@127.0.0.1:9/x"]
)
def test_a_ledger_that_does_not_answer_is_said_and_tells_no_secret(
    client: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any, url: str
) -> None:
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    answer = Caller(client, "admin")(method, path, body)
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert "127.0.0.1" not in answer.text


@each
def test_an_error_that_nobody_thought_of_is_no_traceback(
    client: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Ledger, "notices", fail)
    monkeypatch.setattr(Ledger, "constraints", fail)
    answer = Caller(client, "admin")(method, path, body)
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_errors_of_the_ledger_are_not_for_those_without_a_token(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", "sqlite:////nowhere/ledger.db")
    assert Caller(client, "nobody")("GET", "/maintenance").status_code == 401


WRITES = [call for call in EVERY if call[2] is not None]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_bodies_are_json_of_a_size(admin: Caller, method: str, path: str, body: Any) -> None:
    del body
    large = b'{"state": "' + b"x" * 65536 + b'"}'
    json_of = {"Content-Type": "application/json"}
    assert admin(method, path, content=large, headers=json_of).status_code == 413
    assert admin(method, path, content=iter([large]), headers=json_of).status_code == 413
    assert admin(method, path, content=b"{", headers=json_of).status_code == 400
    assert admin(method, path, content=b"[" * 60000, headers=json_of).status_code == 400
    assert admin(method, path, content=b"\xff", headers=json_of).status_code == 400
    assert admin(method, path, content=b"a=b").status_code == 415
    assert (
        admin(method, path, content=b"{}", headers={"Content-Type": "text/plain; a=application/json"})
    ).status_code == 415
    assert admin(method, path, content=b"[]", headers=json_of).status_code == 422
    assert admin(method, path, headers=json_of).status_code == 422


@pytest.mark.parametrize(
    "path", ["/maintenance/{}", "/maintenance/{}/p", f"/maintenance/{SID}/{{}}", "/instance/{}"]
)
@pytest.mark.parametrize("bad", ["x" * 65, "a%00b", "a%20b", "-a", "ä", "'"])
def test_ids_are_of_some_characters_and_of_a_length(admin: Caller, path: str, bad: str) -> None:
    answer = admin("GET", path.format(bad))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == 422


def test_reading_changes_nothing(client: Any, full: Ledger) -> None:
    before = _state_of(full)
    for method, path, _ in EVERY:
        if method == "GET":
            assert Caller(client, "admin")(method, path).status_code == 200
            Caller(client, "admin")("HEAD", path)
    assert _state_of(full) == before


def test_no_route_has_another_method(admin: Caller) -> None:
    answer = admin("PATCH", f"/maintenance/{SID}", {"state": "x"})
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert admin("GET", "/nothing").json()["error"]["code"] == 404


def test_the_documents_are_open_and_name_the_place(client: Any) -> None:
    answer = client.get("/vim/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["servers"] == [{"url": "/vim"}]
    assert client.get("/vim/docs").status_code == 401


def _state_of(ledger: Ledger) -> Any:
    notices, constraints = ledger.notices(), ledger.constraints()
    return (
        notices.sessions("lab"),
        notices.find(SID),
        constraints.groups("lab"),
        constraints.instances("lab"),
    )
