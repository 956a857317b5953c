"""Telling people: each note goes out once to each who wants it; one that did not is tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from escalator.events.event import Action, Event
from escalator.events.notes import find_occasion, make_note, note_to_document
from escalator.ledger.note_book import KeptNote, NoteBook
from escalator.model.clock import utcnow
from escalator.model.errors import NotFoundError
from escalator.model.occasion import Notify

log = logging.getLogger("escalator.events.notifying")

Send = Callable[[Notify, Mapping[str, Any]], None]
"""Brings a note, ``escalator.note/1``, to people; raises whatever goes wrong."""
BEING_SENT = timedelta(minutes=5)
"""For so long somebody may be about to send a note; after that they were killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """Hears events, and tells people of those that they want to know of.

    :ivar notify: who is told of what.
    :ivar find_life: tells one way of a node through the campaign from an earlier one.
    :ivar url: where the run is looked at.
    """

    notify: Sequence[Notify]
    book: NoteBook
    send: Send
    find_life: Callable[[str], str]
    url: str = ""
    clock: Callable[[], datetime] = utcnow

    def __call__(self, event: Event) -> None:
        """Tell those who want to be told; with the end of the campaign, what did not go out before."""
        occasion = find_occasion(event)
        receivers = [one for one in self.notify if occasion in one.when]
        if occasion is not None and receivers:
            life = self.find_life(event.node) if event.node else ""
            body = note_to_document(make_note(event, occasion, url=self.url, life=life))
            for receiver in receivers:
                note = KeptNote(id=body["id"], receiver=name_receiver(receiver), body=body)
                self._tell(receiver, note)
        if event.action is Action.CAMPAIGN_CONCLUDED:
            self._send_again()

    def _tell(self, receiver: Notify, note: KeptNote) -> None:
        """Send a note that nobody has sent; of a run that is not opened yet none is kept, each is sent."""
        try:
            is_ours = self.book.claim(note, self.clock())
        except NotFoundError:
            self._send(receiver, note, is_kept=False)
            return
        if is_ours:
            self._send(receiver, note)

    def _send_again(self) -> None:
        known = {name_receiver(one): one for one in self.notify}
        for note in self.book.list_unsent(self.clock() - BEING_SENT):
            if note.receiver in known:
                self._send(known[note.receiver], note)

    def _send(self, receiver: Notify, note: KeptNote, *, is_kept: bool = True) -> None:
        try:
            self.send(receiver, note.body)
        except Exception as exc:  # noqa: BLE001  people are told, or it is said here why not
            log.warning("%s was not told by %s: %s", note.body["title"], note.receiver, exc)
            if is_kept:
                self.book.note_error(note, str(exc)[:500] or type(exc).__name__)
        else:
            if is_kept:
                self.book.mark_sent(note, self.clock())


def name_receiver(receiver: Notify) -> str:
    """Name who gets notes by one way, the same in every process: ``smtp mail ops@example.org``."""
    return " ".join((str(receiver.via), receiver.conn_id, *receiver.to))[:255]
