from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import NOW
from tests.events.hearing import Heard, open_told_run
from tests.events.test_notes import END, HELD

from escalator.events.event import Action
from escalator.events.notifying import Notifier
from escalator.events.told_run import ToldRun
from escalator.ledger.ledger import Ledger
from escalator.ledger.note_book import NoteBook
from escalator.model.occasion import Notify, Occasion, Way

PAGER = Notify(when=(Occasion.HELD, Occasion.FAILED), via=Way.WEBHOOK, conn_id="pager")
MAIL = Notify(when=(Occasion.HELD, Occasion.DONE), via=Way.SMTP, conn_id="mail", to=("ops@example.org",))


@dataclass
class Post:
    """Takes notes, or does not."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False
    now: datetime = NOW

    def send(self, receiver: Notify, body: Mapping[str, Any]) -> None:
        if self.broken:
            raise RuntimeError("no route to the post")
        self.sent.append((receiver.conn_id, body["title"]))


@pytest.fixture
def run(tmp_path: Path) -> ToldRun:
    return open_told_run(tmp_path, Heard())


@pytest.fixture
def post() -> Post:
    return Post()


def notifier(tmp_path: Path, run: ToldRun, post: Post, *notify: Notify, life: str = "1") -> Notifier:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    return Notifier(
        notify=notify or (PAGER, MAIL),
        book=ledger.open(lambda database: NoteBook(database, run.campaign, run.run_id)),
        send=post.send,
        find_life=lambda _host: life,
        clock=lambda: post.now,
    )


def test_each_gets_what_it_wants_once_however_often_it_is_told(
    tmp_path: Path, run: ToldRun, post: Post
) -> None:
    for _ in range(2):  # another process tells it again
        hear = notifier(tmp_path, run, post)
        hear(HELD)
        hear(replace(HELD, result="failed"))
        hear(replace(HELD, result="released"))
    assert post.sent == [
        ("pager", "[lab] node-01 is held"),
        ("mail", "[lab] node-01 is held"),
        ("pager", "[lab] node-01 FAILED and stays out"),
    ]


def test_node_that_is_held_again_after_somebody_mended_it_is_told_again(
    tmp_path: Path, run: ToldRun, post: Post
) -> None:
    notifier(tmp_path, run, post, PAGER)(HELD)
    notifier(tmp_path, run, post, PAGER, life="2")(HELD)
    assert len(post.sent) == 2


def test_what_did_not_go_out_fails_nothing_and_goes_out_with_the_end(
    tmp_path: Path, run: ToldRun, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    hear = notifier(tmp_path, run, post)
    post.broken = True
    hear(HELD)
    assert "[lab] node-01 is held was not told by webhook pager: no route to the post" in caplog.text
    post.broken = False
    hear(END)
    hear(END)
    assert post.sent == [
        ("mail", "[lab] incomplete: upgrade__lab__x"),
        ("mail", "[lab] node-01 is held"),
        ("pager", "[lab] node-01 is held"),
    ]


def test_receiver_that_is_declared_no_longer_gets_nothing_late(
    tmp_path: Path, run: ToldRun, post: Post
) -> None:
    post.broken = True
    notifier(tmp_path, run, post)(HELD)
    post.broken, post.now = False, NOW + timedelta(hours=1)
    notifier(tmp_path, run, post, MAIL)(END)
    assert {who for who, _ in post.sent} == {"mail"}


def test_people_are_asked_before_the_run_is_opened_and_one_who_does_not_hear_keeps_no_other_from_it(
    tmp_path: Path, post: Post
) -> None:
    ledger = Ledger.create_or_upgrade(f"sqlite:///{tmp_path}/ledger.db")
    book = ledger.open(lambda database: NoteBook(database, "restore__lab__x", "not opened"))
    ask = Notify(when=(Occasion.NEEDS_PERSON,), via=Way.WEBHOOK, conn_id="pager")

    def send(receiver: Notify, body: Mapping[str, Any]) -> None:
        if receiver is deaf:
            raise RuntimeError
        post.send(receiver, body)

    deaf = replace(ask, conn_id="deaf")
    hear = Notifier(notify=(deaf, ask), book=book, send=send, find_life=lambda _host: "")
    hear(replace(HELD, action=Action.QUESTION, result=None))
    assert post.sent == [("pager", "[lab] node-01 waits for a person")]
