"""A campaign of a few nodes, one of each kind, made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.builders import NOW, make_plan

from escalator.board.record import BoardRecord
from escalator.ledger.board_book import RunFacts, StepTimes
from escalator.model.campaign import LedgerView, NodeProgress, NodeState, Step
from escalator.model.step import Outcome
from escalator.model.verdict import Code

HOSTS = ("node-01", "node-02", "node-03", "node-04")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def step(host: str, name: Step, begun: float, ended: float | None = None, **more: Any) -> StepTimes:
    known: dict[str, Any] = {} if ended is None else {"ended_at": at(ended), "result": Outcome.OK}
    return StepTimes(host=host, step=name, begun_at=at(begun), **known | more)


def facts(**changes: Any) -> RunFacts:
    """Make a run of which one node is done, one is out, and two wait."""
    nodes = (
        NodeProgress(host="node-01", state=NodeState.RELEASED, since=at(300)),
        NodeProgress(host="node-02", state=NodeState.UPGRADING, since=at(350)),
        NodeProgress(
            host="node-03", code=Code.PARALLEL_LIMIT, message="node-02 is out, one at a time", since=at(5)
        ),
        NodeProgress(host="node-04"),
    )
    known: dict[str, Any] = {
        "plan": make_plan(*HOSTS),
        "opened_at": NOW,
        "view": LedgerView(nodes=nodes),
        "steps": (
            step("node-01", Step.ADMIT, 10, 12),
            step("node-01", Step.PRECHECK, 13, 15),
            step("node-01", Step.RELEASE, 290, 300),
            step("node-02", Step.ADMIT, 310, 312),
            step("node-02", Step.PRECHECK, 313, 314),
            step("node-02", Step.UPGRADE, 350),
        ),
        "versions_before": {"node-01": "33.0.2", "node-02": "33.0.2", "node-03": "32.1.0"},
        "drains": {},
        "flying": {},
        "moves": {},
        "servers_moved": 0,
        "concluded": False,
    }
    return RunFacts(**known | changes)


def record(**changes: Any) -> BoardRecord:
    """Make what the board of the run is made from."""
    own = {"background", "places", "gaps", "year_gaps", "vnf_of"}
    beside = {key: value for key, value in changes.items() if key in own}
    return BoardRecord(facts=facts(**{k: v for k, v in changes.items() if k not in own}), **beside)
