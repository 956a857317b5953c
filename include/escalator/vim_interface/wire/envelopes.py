"""Envelopes of payloads: the body of an alarm of AODH's, and plain JSON. Pure.

Both are the body of one POST. Clients of Fenix decode the values of an alarm in two ways: they replace
``u'`` by ``'`` and give it to a YAML reader, or they evaluate what begins with a bracket as Python. What
stands here can be read in both.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from escalator.model.errors import InvalidRequestError
from escalator.model.notice import NoticeRecord

PUBLISHER = "fenix"
LONGEST_TRAIT = 255
"""Characters: Ceilometer cuts longer ones, and the clients cannot read them then."""
_TEXT = 1
_NAMESPACE = uuid.UUID("0b1e5f0a-9d0e-4a58-8f0c-3d8e2f7a6c42")


def make_message_id(record: NoticeRecord) -> str:
    """Return the id of a notice's message (a UUID): the same however often it is sent."""
    return str(uuid.uuid5(_NAMESPACE, f"{record.notice.session_id}/{record.id}"))


def wrap_plain(payload: Mapping[str, Any], record: NoticeRecord) -> dict[str, Any]:
    """Wrap a payload for a webhook: its keys as they are, and what makes the message one of a sequence."""
    return {
        "event_type": str(record.notice.event),
        "message_id": make_message_id(record),
        "number": record.number,
        **payload,
    }


def wrap_aodh(payload: Mapping[str, Any], record: NoticeRecord) -> dict[str, Any]:
    """Wrap a payload like an event alarm of AODH's.

    Values without content are left out, as Ceilometer does. Metadata that is too long loses pairs.

    :raises InvalidRequestError: a value is longer than a trait may be.
    """
    event, message_id = record.notice.event, make_message_id(record)
    return {
        "alarm_id": message_id,
        "alarm_name": f"{event} {record.number}",
        "severity": "low",
        "current": "alarm",
        "previous": "insufficient data",
        "reason": f"Event <id={message_id},event_type={event}> hits the query <query=[]>.",
        "reason_data": {
            "type": "event",
            "event": {
                "message_id": message_id,
                "event_type": str(event),
                "generated": record.made_at.astimezone(UTC).replace(tzinfo=None).isoformat(),
                "traits": make_traits(payload),
                "raw": {},
                "number": record.number,
            },
        },
    }


def make_traits(payload: Mapping[str, Any]) -> list[list[Any]]:
    """Return the traits of a payload: name, type (1: text), and the value as text.

    :raises InvalidRequestError: a value is longer than a trait may be.
    """
    texts = {name: _to_text(value) for name, value in payload.items() if value is not None}
    long = [name for name, text in texts.items() if len(text) > LONGEST_TRAIT]
    if long:
        raise InvalidRequestError(
            f"{', '.join(long)} would be longer than {LONGEST_TRAIT} characters",
            remedy="use a shorter address of the API (ESCALATOR_VIM_URL)",
        )
    return [[name, _TEXT, text] for name, text in texts.items()]


def _to_text(value: str | Sequence[str] | Mapping[str, str]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return write_pairs(value)
    return repr([str(item) for item in value])


def write_pairs(pairs: Mapping[str, str]) -> str:
    """Write as many pairs as a trait has room for, as JSON that is YAML and Python too.

    There is no apostrophe in it, so that replacing ``u'`` does no harm, and nothing but ASCII.
    """
    kept: dict[str, str] = {}
    for key, value in pairs.items():
        if len(_write({**kept, key: value})) <= LONGEST_TRAIT:
            kept[key] = value
    return _write(kept)


def _write(pairs: Mapping[str, str]) -> str:
    text = json.dumps({str(k): str(v) for k, v in pairs.items()}, ensure_ascii=False)
    text = text.replace("'", "\\u0027").replace("\x7f", "\\u007f")
    return text.encode("ascii", "backslashreplace").decode("ascii")
