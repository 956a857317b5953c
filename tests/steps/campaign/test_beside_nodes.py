from __future__ import annotations

from typing import cast

import pytest

from escalator.model.errors import TransientError
from escalator.steps.campaign.beside_nodes import BesideNodes
from escalator.vim_interface.desk import VimDesk


class Desk:
    """Stands in for the desk: notes for which session notices are sent, or has no ledger."""

    session_id = "session-1"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fault: Exception | None = None

    @property
    def courier(self) -> Desk:
        return self

    def deliver_due(self, session_id: str) -> int:
        if self.fault is not None:
            raise self.fault
        self.sent.append(session_id)
        return 1


class Watch:
    """Stands in for the probes."""

    def __init__(self) -> None:
        self.looks = 0
        self.closed = 0

    def look(self) -> bool:
        self.looks += 1
        return self.looks == 2

    def close(self) -> None:
        self.closed += 1


def test_every_look_sends_what_is_due_and_probes() -> None:
    desk, watch = Desk(), Watch()
    beside = BesideNodes(cast("VimDesk", desk), watch)
    assert [beside.look(), beside.look()] == [False, True]
    beside.close()
    assert desk.sent == ["session-1", "session-1"]
    assert (watch.looks, watch.closed) == (2, 1)


def test_what_keeps_notices_from_being_sent_does_not_keep_services_from_being_probed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, watch = Desk(), Watch()
    beside = BesideNodes(cast("VimDesk", desk), watch)
    desk.fault = TransientError("the ledger is away")
    beside.look()
    beside.look()
    assert watch.looks == 2
    assert [record.message for record in caplog.records] == [
        "no notice is sent from here for now: the ledger is away"
    ]
    desk.fault = None
    beside.look()
    assert desk.sent == ["session-1"]


def test_without_managers_it_only_probes() -> None:
    watch = Watch()
    assert BesideNodes(None, watch).look() is False
    assert watch.looks == 1
