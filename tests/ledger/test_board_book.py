"""What the board reads, on both databases."""

from __future__ import annotations

from tests.board.ledgers import DAG, RUN, Stage

from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.model.approval import ApprovalAnswer
from escalator.model.campaign import NodeState, Step
from escalator.model.order import Verb
from escalator.model.step import Outcome
from escalator.orders.judging import Asked, judge_order


def test_a_run_is_read_as_its_steps_left_it(ledger: Ledger) -> None:
    stage = Stage(ledger, count=5, done=2, out=2, parallel=2)
    run = stage.set()
    found = ledger.board().read(DAG, RUN)
    assert found is not None
    assert found.view.nodes == run.nodes()
    steps = [(s.host, s.step, s.begun_at, s.ended_at, s.result) for s in run.steps()]
    assert [(s.host, s.step, s.begun_at, s.ended_at, s.result) for s in found.steps] == steps
    assert (steps[0][1], steps[0][4], steps[-1][1], steps[-1][4]) == (
        Step.ADMIT,
        Outcome.OK,
        Step.MIGRATE,
        None,
    )
    assert set(found.versions_before.values()) == {"33.0.2"}
    assert set(found.drains) == set(found.moves) == {"node-03", "node-04"}  # nothing of those that are done
    assert [move.succeeded for move in found.moves["node-04"]] == [True, True, False]
    assert found.servers_moved == sum(move.succeeded for move in run.moves())
    assert not found.concluded


def test_a_run_with_a_report_is_over(ledger: Ledger) -> None:
    Stage(ledger, count=4, done=1, out=0).set().set_document(Document.REPORT, {})
    found = ledger.board().read(DAG, RUN)
    assert found is not None
    assert found.concluded
    (line,) = ledger.campaigns()
    assert (line.concluded, line.view) == (True, None)


def test_the_list_knows_how_a_run_that_goes_on_stands(ledger: Ledger) -> None:
    stage = Stage(ledger, count=4, done=1, out=0)
    run = stage.set(approval="every-node")
    run.remember("node-01", approval=ApprovalAnswer(go_on=True, by="ann", at=stage.now))
    asked = Asked(verb=Verb.PAUSE, by="ops", reason="a storm in the rack")
    run.orders().insert(asked, judge=judge_order, now=stage.now)
    (line,) = ledger.campaigns()
    assert (line.concluded, line.plan) == (False, run.plan())
    assert line.view is not None
    assert line.view.nodes == run.nodes()
    assert [order.verb for order in line.view.orders] == [Verb.PAUSE]
    assert list(line.view.approvals) == ["node-01"]


def test_there_is_nothing_of_a_run_that_was_never_opened(ledger: Ledger) -> None:
    assert ledger.board().read(DAG, "nothing") is None


def test_a_server_is_where_it_was_moved_last(ledger: Ledger) -> None:
    stage = Stage(ledger, count=5, done=2, out=1)
    run = stage.set()
    run.set_progress("node-03", NodeState.MIGRATING, now=stage.now)
    servers = ["id-vm-01-1", "id-vm-02-1", "id-vm-03-3", "id-nobody"]
    assert ledger.board().find_places(DAG, RUN, servers) == {"id-vm-01-1": "node-05", "id-vm-02-1": "node-01"}
