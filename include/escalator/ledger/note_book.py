"""The notes to people: each is there once, and with it whether it went out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from escalator.ledger.database import Database
from escalator.ledger.rows import insert_uniquely, select_campaign_id
from escalator.ledger.tables import CampaignRow, NoteRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNote:
    """A note as it is kept: its id, by which of the declared ways it goes, and its body."""

    id: str
    receiver: str
    body: Mapping[str, Any]


class NoteBook:
    """The notes of one run; made with ``Ledger.open``."""

    def __init__(self, database: Database, campaign: str, run_id: str) -> None:
        self._database = database
        self._run = (campaign, run_id)

    def claim(self, note: KeptNote, now: datetime) -> bool:
        """Keep a note that is about to be sent; of several that want to send it, one is told to.

        :return: whether it is the caller's to send: it was not kept before.
        :raises NotFoundError: the run was never opened.
        """
        with self._database.writing() as rows:
            values = {
                "campaign_id": select_campaign_id(rows, *self._run),
                "note": note.id,
                "receiver": note.receiver,
                "body": dict(note.body),
                "kept_at": now,
                "sent_at": None,
                "error": "",
            }
            return insert_uniquely(rows, NoteRow, values)

    def mark_sent(self, note: KeptNote, now: datetime) -> None:
        """Record that a note went out; the first time stays."""
        self._set(note, sent_at=now, error="")

    def note_error(self, note: KeptNote, error: str) -> None:
        """Record why a note did not go out."""
        self._set(note, error=error)

    def list_unsent(self, before: datetime) -> tuple[KeptNote, ...]:
        """Return the notes that did not go out: those with an error, and those kept before a moment."""
        query = (
            sa.select(NoteRow)
            .join(CampaignRow, NoteRow.campaign_id == CampaignRow.id)
            .where(CampaignRow.campaign == self._run[0], CampaignRow.run_id == self._run[1])
            .where(NoteRow.sent_at.is_(None), sa.or_(NoteRow.error != "", NoteRow.kept_at < before))
            .order_by(NoteRow.kept_at, NoteRow.note, NoteRow.receiver)
        )
        with self._database.reading() as rows:
            return tuple(
                KeptNote(id=row.note, receiver=row.receiver, body=row.body) for row in rows.scalars(query)
            )

    def _set(self, note: KeptNote, **values: object) -> None:
        with self._database.writing() as rows:
            owner = select_campaign_id(rows, *self._run)
            mine = (NoteRow.campaign_id == owner, NoteRow.note == note.id, NoteRow.receiver == note.receiver)
            rows.execute(sa.update(NoteRow).where(*mine, NoteRow.sent_at.is_(None)).values(**values))
