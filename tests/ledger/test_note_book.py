from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import NOW

from escalator.ledger.ledger import Ledger
from escalator.ledger.note_book import KeptNote, NoteBook
from escalator.ledger.run import CampaignRun
from escalator.model.errors import NotFoundError

NOTE = KeptNote(id="0f", receiver="webhook pager", body={"title": "node-01 is held"})


@pytest.fixture
def book(ledger: Ledger, run: CampaignRun) -> NoteBook:
    return ledger.open(lambda database: NoteBook(database, run.campaign, run.run_id))


def test_one_alone_sends_a_note_to_each_receiver(book: NoteBook) -> None:
    other = KeptNote(id="0f", receiver="smtp mail ops@example.org", body=NOTE.body)
    assert [book.claim(note, NOW) for note in (NOTE, NOTE, other)] == [True, False, True]


def test_note_with_an_error_is_unsent_until_it_goes_out(book: NoteBook) -> None:
    assert book.claim(NOTE, NOW)
    assert book.list_unsent(before=NOW) == ()  # somebody is sending it
    book.note_error(NOTE, "the webhook answers 503")
    assert book.list_unsent(before=NOW) == (NOTE,)
    book.mark_sent(NOTE, NOW)
    book.note_error(NOTE, "late")
    assert book.list_unsent(before=NOW + timedelta(days=1)) == ()


def test_note_of_one_who_was_killed_is_unsent_after_a_while(book: NoteBook) -> None:
    assert book.claim(NOTE, NOW)
    assert book.list_unsent(before=NOW + timedelta(minutes=5)) == (NOTE,)


def test_run_that_was_never_opened_has_no_notes(ledger: Ledger) -> None:
    book = ledger.open(lambda database: NoteBook(database, "c", "nobody's"))
    with pytest.raises(NotFoundError):
        book.claim(NOTE, NOW)
    assert book.list_unsent(before=NOW) == ()
