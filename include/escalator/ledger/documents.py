"""The documents of a run: bundle, snapshots, report. Large ones are kept compressed."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.codec import to_json
from escalator.ledger.records import Document
from escalator.ledger.rows import insert_or_ignore, insert_or_update
from escalator.ledger.tables import CampaignRow, DocumentRow, dump_json
from escalator.model.errors import InvalidRequestError

LARGE = 16_384
"""Characters of JSON from which on a document is compressed: snapshots shrink to a tenth and less."""
_PACKED = "escalator.packed/1"
"""The only key of a document that is compressed."""


def make_stored(body: object) -> Any:  # noqa: ANN401  (JSON)
    """Return a document as it is stored.

    :raises InvalidRequestError: it is nothing that JSON can hold.
    """
    document = to_json(body)
    try:
        text = dump_json(document)
    except ValueError as exc:
        raise InvalidRequestError(f"the ledger cannot store this: {exc}") from exc
    if len(text) < LARGE:
        return document
    return {_PACKED: base64.b64encode(zlib.compress(text.encode())).decode()}


def read_stored(stored: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return a document from what is stored of it, be it compressed or not."""
    if not isinstance(stored, dict) or stored.keys() != {_PACKED}:
        return stored
    return json.loads(zlib.decompress(base64.b64decode(stored[_PACKED])))


def put_document(session: Session, owner: int, kind: Document, body: object, *, over: bool) -> None:
    """Keep a document of a run.

    :param over: in place of an earlier one of its kind; else that one stays.
    """
    row = {"campaign_id": owner, "kind": kind.value, "body": make_stored(body)}
    if over:
        insert_or_update(session, DocumentRow, row, key=("campaign_id", "kind"))
    else:
        insert_or_ignore(session, DocumentRow, row)


def find_document(session: Session, run: sa.ColumnElement[bool], kind: Document) -> Any:  # noqa: ANN401  (JSON)
    """Return a document of a run; None when it is not there.

    :param run: what the row of its run is found by.
    """
    query = (
        sa.select(DocumentRow.body)
        .join(CampaignRow, DocumentRow.campaign_id == CampaignRow.id)
        .where(run, DocumentRow.kind == kind.value)
    )
    return read_stored(session.scalar(query))
