from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.board.conftest import DAG, EDITS, NOW, OTHER_DAG, READS, RUN, bearer, open_run

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeState

pytestmark = pytest.mark.airflow
LIST = "/escalator/v1/campaigns"


def test_the_list_has_the_campaigns_that_one_may_read(client: Any, ledger: Ledger) -> None:
    open_run(ledger, "node-01", "node-02")
    open_run(ledger, "node-11", dag_id=OTHER_DAG)

    def listed(who: str) -> list[str]:
        return sorted(line["dag_id"] for line in client.get(LIST, headers=bearer(who)).json()["campaigns"])

    assert (listed(EDITS), listed(READS), listed("nobody")) == ([DAG, OTHER_DAG], [DAG], [])
    (line,) = client.get(LIST, headers=bearer(READS)).json()["campaigns"]
    assert (line["nodes"], line["stand"], line["bundle"]) == ({"waiting": 2}, "running", "nova-34")


def test_a_campaign_is_shown_with_its_nodes(client: Any, ledger: Ledger) -> None:
    run = open_run(ledger, "node-01", "node-02")
    run.set_progress("node-01", NodeState.UPGRADING, now=NOW)
    board = client.get(f"{LIST}/{DAG}/{RUN.replace(':', '%3A').replace('+', '%2B')}", headers=bearer(READS))
    assert board.status_code == 200
    assert board.json()["campaign"]["nodes"] == {"out": 1, "waiting": 1}
    assert [node["host"] for node in board.json()["nodes"]] == ["node-01", "node-02"]


def test_an_unknown_run_is_not_found_with_what_to_do(client: Any) -> None:
    answer = client.get(f"{LIST}/{DAG}/nothing", headers=bearer(READS))
    assert answer.status_code == 404
    assert "check_conditions" in answer.json()["error"]["remedy"]


def test_a_bad_address_is_named_and_there_is_no_such_route(client: Any) -> None:
    assert client.get(f"{LIST}?limit=0", headers=bearer(READS)).json()["error"]["where"] == "limit"
    assert client.get("/escalator/v1/nothing", headers=bearer(READS)).json()["error"]["code"] == 404


def test_a_board_that_has_not_changed_is_not_sent_again(client: Any, ledger: Ledger) -> None:
    run = open_run(ledger, "node-01")
    first = client.get(f"{LIST}/{DAG}/{RUN}", headers=bearer(READS))
    again = {**bearer(READS), "If-None-Match": first.headers["ETag"]}
    assert client.get(f"{LIST}/{DAG}/{RUN}", headers=again).status_code == 304
    run.set_progress("node-01", NodeState.ADMITTED, now=NOW)
    assert client.get(f"{LIST}/{DAG}/{RUN}", headers=again).status_code == 200


def test_a_ledger_that_is_away_is_said_so_without_its_address(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", "sqlite:////nowhere/at/all.db")
    answer = client.get(LIST, headers=bearer(READS))
    assert answer.status_code in {409, 503}
    assert "/nowhere" not in answer.text or answer.status_code == 409


def test_the_routes_are_documented(client: Any) -> None:
    paths = client.get("/escalator/openapi.json").json()["paths"]
    assert {"/v1/campaigns", "/v1/campaigns/{dag_id}/{run_id}"} <= set(paths)
