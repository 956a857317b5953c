"""Somebody who hears events, and a run whose events are told to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.builders import NOW, make_plan

from escalator.events.event import Event, event_to_document
from escalator.events.teller import Teller
from escalator.events.told_run import ToldRun
from escalator.ledger.ledger import Ledger

HOSTS = ("node-01", "node-02")


class Heard(list[Event]):
    """Keeps what was told."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def lines(self, *keys: str) -> list[tuple[Any, ...]]:
        documents = [event_to_document(event) for event in self]
        return [tuple(document[key] for key in keys) for document in documents]


def open_told_run(folder: Path, heard: Heard) -> ToldRun:
    """Open a run over two nodes in a ledger of its own."""
    ledger = Ledger.create_or_upgrade(f"sqlite:///{folder}/ledger.db")
    plan = make_plan(*HOSTS)
    teller = Teller.of_plan(plan, [heard], started_by="ops")
    run = ledger.open(lambda database: ToldRun(database, plan.campaign, plan.run_id, teller))
    run.open(plan, dag_id="upgrade__lab__x", bundle_document={}, snapshot_before={}, now=NOW)
    return run
