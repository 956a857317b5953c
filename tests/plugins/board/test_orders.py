"""Orders over HTTP: who may, what is written, what is answered, and what a form gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.board.conftest import DAG, EDITS, NOW, READS, RUN, TestQuestions, bearer, open_run

from escalator.ledger.ledger import Ledger
from escalator.model.approval import GoOnWord
from escalator.model.campaign import NodeState
from escalator.model.node_facts import PersonWord
from escalator.model.order import Verb

pytestmark = pytest.mark.airflow
PATH = f"/escalator/v1/campaigns/{DAG}/{RUN}"
OURS = {"Origin": "http://testserver", "Cookie": f"_token={EDITS}"}


@pytest.fixture
def run(ledger: Ledger, questions: TestQuestions) -> Any:
    assert not questions.ended
    run = open_run(ledger, "node-01", "node-02", "node-03")
    run.set_progress("node-02", NodeState.MIGRATING, now=NOW)
    return run


def post(client: Any, path: str, who: str = EDITS, **body: Any) -> Any:
    return client.post(f"{PATH}/{path}", headers=bearer(who), json={"reason": "smoke", **body})


def ask(questions: TestQuestions, task_id: str, *options: str) -> None:
    from escalator_airflow.board.questions import Question

    questions.asks.append(Question(dag_id=DAG, run_id=RUN, task_id=task_id, options=options))


def test_a_pause_says_who_finishes_and_is_written_down(client: Any, run: Any) -> None:
    answer = post(client, "pause")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["in_flight"], body["waiting"]) == (["node-02"], ["node-01", "node-03"])
    assert "in flight, and finish: node-02" in body["order"]["effect"]
    (order,) = run.orders().read()
    assert (order.verb, order.by, order.reason, order.at) == (Verb.PAUSE, EDITS, "smoke", NOW)
    listed = client.get(f"{PATH}/orders", headers=bearer(READS)).json()["orders"]
    assert [(o["verb"], o["by"], o["effective_at"]) for o in listed] == [("pause", EDITS, listed[0]["at"])]
    assert post(client, "resume").status_code == 200


def test_an_order_is_told_as_an_event(
    client: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run is not None
    monkeypatch.setenv("ESCALATOR_EVENTS_FILE", str(tmp_path / "events"))
    post(client, "nodes/node-01/skip")
    (event,) = map(json.loads, (tmp_path / "events").read_text(encoding="utf-8").splitlines())
    assert (event["action"], event["node"], event["result"], event["actor"]) == (
        "order",
        "node-01",
        "skip",
        EDITS,
    )


def test_who_may_not_edit_the_dag_orders_nothing(client: Any, run: Any) -> None:
    assert post(client, "pause", who=READS).status_code == 403
    assert client.post(f"{PATH}/pause", json={"reason": "x"}).status_code == 401
    cookie = {"Cookie": f"_token={EDITS}", "Origin": "http://elsewhere"}
    assert client.post(f"{PATH}/pause", json={"reason": "x"}, headers=cookie).status_code == 403
    assert run.orders().read() == ()


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("resume", {}, 409, "it is not paused"),
        ("skip", {}, 422, "name one"),
        ("fly", {}, 422, "verb"),
        ("pause", {"reason": " "}, 422, "reason"),
        ("pause", {"reasons": "x"}, 422, "reasons"),
        ("pause", {"reason": "x" * 20_000}, 413, "bytes"),
        ("nodes/node-09/skip", {}, 404, "node-09 is not a node of this run"),
        ("nodes/node-02/skip", {}, 409, "cannot be skipped"),
        ("nodes/node-01/pause", {}, 422, "ordered of a campaign"),
        ("nodes/node-02/abort-moves", {}, 409, "would be aborted"),
        ("nodes/node-02/abort-moves", {"confirm": ["node-02"]}, 409, "would be aborted"),
        ("approve", {}, 409, "nobody is asked"),
        ("nodes/node-01/approve", {}, 409, "nobody is asked"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_write(
    client: Any, run: Any, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = post(client, path, **body)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text
    assert run.orders().read() == ()


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff"])
def test_a_body_that_cannot_be_read_is_refused(client: Any, run: Any, raw: bytes) -> None:
    answer = client.post(f"{PATH}/pause", content=raw, headers=bearer(EDITS))
    assert answer.status_code in {400, 422}
    assert run.orders().read() == ()


def test_moves_are_aborted_when_the_node_is_named_twice(client: Any, run: Any) -> None:
    answer = post(client, "nodes/node-02/abort-moves", confirm=["node-02", "node-02"])
    assert answer.status_code == 200
    assert answer.json()["order"]["effective_at"] is None
    assert run.orders().read()[0].in_flight


def test_a_run_that_is_over_takes_no_order(client: Any, run: Any, questions: TestQuestions) -> None:
    questions.ended = True
    assert post(client, "stop").status_code == 409
    assert client.post(
        PATH.replace(RUN, "no") + "/stop", json={"reason": "x"}, headers=bearer(EDITS)
    ).status_code
    assert run.orders().read() == ()


def test_an_unknown_run_is_not_found(client: Any, run: Any) -> None:
    assert run is not None
    other = f"/escalator/v1/campaigns/{DAG}/other"
    assert client.get(f"{other}/orders", headers=bearer(EDITS)).status_code == 404
    assert client.post(f"{other}/stop", json={"reason": "x"}, headers=bearer(EDITS)).status_code == 404


def test_approving_answers_airflows_required_action(client: Any, run: Any, questions: TestQuestions) -> None:
    ask(questions, "node-01.release", GoOnWord.GO_ON, GoOnWord.STOP)
    ask(questions, "node-03.release", GoOnWord.GO_ON, GoOnWord.STOP)
    answer = post(client, "nodes/node-01/approve")
    assert answer.status_code == 200
    assert questions.answered == [("node-01.release", "Go on", EDITS)]
    assert answer.json()["order"]["effective_at"] is not None
    assert post(client, "approve").status_code == 200
    assert questions.answered[1:] == [("node-03.release", "Go on", EDITS)]
    assert all(order.effective_at for order in run.orders().read())


def test_stopping_leaves_nobody_asked_and_says_so_again_when_it_was_cut_off(
    client: Any, run: Any, questions: TestQuestions
) -> None:
    ask(questions, "node-01.release", GoOnWord.GO_ON, GoOnWord.STOP)
    assert post(client, "stop").status_code == 200
    assert questions.answered == [("node-01.release", "No further node", EDITS)]
    ask(questions, "node-03.switchover", *map(str, PersonWord))
    assert post(client, "stop").status_code == 409
    assert questions.answered[1:] == [("node-03.switchover", "Leave the node out", EDITS)]
    assert len(run.orders().read()) == 1


def test_a_form_leads_back_to_its_page_and_to_no_other_site(client: Any, run: Any) -> None:
    def send(path: str, **fields: str) -> Any:
        data = {"reason": "smoke", **fields}
        return client.post(f"{PATH}/{path}", headers=OURS, data=data, follow_redirects=False)

    answer = send("pause", back="/escalator/board/x?y=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/escalator/board/x?y=1")
    for back in ("https://elsewhere", "//elsewhere", "/escalator/boards", "/escalator/board\r\nX: y", ""):
        verb = "resume" if len(run.orders().read()) % 2 else "pause"
        assert send(verb, back=back).headers["location"] == "/escalator/board"
    refused = send("nodes/node-09/skip", back="/escalator/board/<b>")
    assert (refused.status_code, "text/html" in refused.headers["content-type"]) == (404, True)
    assert "node-09 is not a node of this run" in refused.text
    assert "<b>" not in refused.text


def test_a_form_that_comes_too_late_is_answered_with_a_page_in_plain_words(client: Any, run: Any) -> None:
    def send(who: str, path: str, **headers: str) -> Any:
        sent = {"Cookie": f"_token={who}", "Sec-Fetch-Site": "same-origin", **headers}
        return client.post(f"{PATH}/{path}", headers=sent, data={"reason": "smoke"}, follow_redirects=False)

    assert send(EDITS, "pause").status_code == 303
    answers = {
        (409, "it is paused already: edits ordered pause at"): send(EDITS, "pause"),
        (403, "reads may not change what this DAG does"): send(READS, "resume"),
        (401, "you are not logged in"): send("stranger", "resume"),
        (403, "this was not sent by a page of this Airflow"): send(
            EDITS, "resume", **{"Sec-Fetch-Site": "cross-site"}
        ),
    }
    for (status, words), answer in answers.items():
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert f"<h1>Nothing was ordered: {words}" in answer.text
        assert "<strong>What to do:</strong>" in answer.text
    assert len(run.orders().read()) == 1


def test_a_form_names_the_node_twice(client: Any, run: Any) -> None:
    data = {"reason": "smoke", "confirm": ["node-02", "node-02"]}
    answer = client.post(f"{PATH}/nodes/node-02/abort-moves", headers=OURS, data=data, follow_redirects=False)
    assert (answer.status_code, len(run.orders().read())) == (303, 1)


def test_the_openapi_document_has_every_word(client: Any) -> None:
    document = client.get("/escalator/openapi.json").json()
    assert document["components"]["schemas"]["Verb"]["enum"] == [str(verb) for verb in Verb]
    assert any(path.endswith("/nodes/{host}/{verb}") for path in document["paths"])
