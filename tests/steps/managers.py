"""Managers of VNFs for worlds: the notices are in a real ledger, the answers come from a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.steps.worlds import NODE, World

from escalator.ledger.notice_book import NoticeBook
from escalator.model.maintenance_session import SessionState, name_session
from escalator.model.notice import InstanceAction, NoticeRecord, NoticeState, Reply
from escalator.model.run_life import RunLife
from escalator.model.step import Outcome, Step
from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.steps.running.giving_way import Ended
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry.vnfms import Vnfms

PROJECT = ""
Script = Callable[[NoticeRecord], Reply | None]


def acting(action: InstanceAction) -> Script:
    """Agree, and want the same done with every server."""

    def answer(record: NoticeRecord) -> Reply:
        return Reply(
            ack=True,
            state=record.notice.state,
            actions=dict.fromkeys(record.notice.instance_ids, action),
        )

    return answer


def refuse(record: NoticeRecord) -> Reply:
    """Refuse a node; agree to the session."""
    return Reply(ack=record.notice.state is not NoticeState.PLANNED_MAINTENANCE, state=record.notice.state)


def keep_silent(_: NoticeRecord) -> None:
    """Say nothing."""


@dataclass
class ScriptedManagers:
    """Takes every notice that is due, and answers by the script of its receiver, if it has one for it.

    :ivar got: what was delivered, in order.
    :ivar going_on: other runs of the session that are not over.
    :ivar answering: while it is off nobody says a word: answers come with the next delivery.
    """

    world: World
    book: NoticeBook
    scripts: dict[str, Script] = field(default_factory=dict)
    got: list[NoticeRecord] = field(default_factory=list)
    answering: bool = True
    going_on: set[tuple[str, ...]] = field(default_factory=set)

    def finish(self, seconds: float) -> bool:
        del seconds
        return True

    def deliver_due(self, session_id: str, *, only_news: bool = False) -> int:
        now = self.world.clock()
        due = self.book.claim_due(session_id, now, lease_seconds=60.0, only_news=only_news)
        for record in due:
            self.book.note_delivered(record.id, now)
            self.got.append(record)
        if self.answering:
            self.answer(session_id)
        return len(due)

    def answer(self, session_id: str) -> None:
        now = self.world.clock()
        for record in self.book.find(session_id):
            notice = record.notice
            if record.delivered_at is None or record.reply is not None or notice.reply_at is None:
                continue
            reply = self.scripts[notice.vnfm](record)
            if reply is not None:
                self.book.record_reply(
                    session_id, notice.project_id, reply, now, instance_id=notice.instance_id
                )

    def hear(self, step: Step = Step.SWITCHOVER, host: str = NODE) -> Ended:
        """Run a step, let the triggerer deliver what it asks, and run it again."""
        turn = self.world.turn(step, host)
        if turn.result.outcome is not Outcome.WAITING or turn.question:
            return turn
        desk = self.world.desk
        assert desk is not None
        self.deliver_due(desk.session_id)
        return self.world.turn(step, host)

    def told(self) -> list[tuple[str, str | None]]:
        """Return state and node of what was delivered."""
        return [(str(record.notice.state), record.notice.host) for record in self.got]


def register(world: World, script: Script, **fields: Any) -> ScriptedManagers:
    """Let a manager have every server of the world's project, and answer by a script."""
    book = world.ledger.notices()
    managers = ScriptedManagers(world=world, book=book, scripts={"m": script})
    known = {"kind": VnfmKind.FENIX_A, "url": "http://127.0.0.1:1", "projects": (PROJECT,), **fields}
    plan = world.plan
    world.find_life = lambda *run: RunLife.RUNNING if run in managers.going_on else RunLife.FINISHED
    world.desk = VimDesk(
        session_id=name_session(plan.installation, plan.campaign, plan.run_id),
        cloud="lab",
        run=(plan.campaign, plan.run_id),
        vnfms=Vnfms(vnfms=(Vnfm(id="m", cloud="lab", **known),)),
        notices=book,
        courier=managers,
    )
    return managers


def read_session_state(managers: ScriptedManagers) -> SessionState | None:
    """Return how the session of the world's campaign stands; None: there is none."""
    desk = managers.world.desk
    assert desk is not None
    session = desk.notices.session(desk.session_id)
    return session.state if session else None
