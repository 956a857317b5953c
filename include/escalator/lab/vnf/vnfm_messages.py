"""What a manager of a VNF is sent: the alarm of AODH's form, or plain JSON; read from the contract alone.

Nothing of Escalator's own VIM interface is imported here: this is the other end of the wire.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

EVENTS = ("maintenance.scheduled", "maintenance.host")
LONGEST_TRAIT = 255
"""Characters that Ceilometer leaves of a trait; what is longer arrives cut."""
NEEDED = ("instance_ids", "reply_url")
"""Beside state and session, what Tacker wants of every alarm about instances, whatever its state."""


class UnreadableError(ValueError):
    """A message is not what the contract says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. ``instance_ids`` is a URL or a list, as it came."""

    event: str
    state: str
    session_id: str
    project_id: str = ""
    instance_ids: str | Sequence[str] = ()
    allowed_actions: Sequence[str] = ()
    reply_url: str = ""
    reply_at: str = ""
    actions_at: str = ""
    host: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_message(body: Any, *, dialect: str) -> Message:  # noqa: ANN401
    """Read a message as a manager of that dialect does.

    :param dialect: ``a``, ``b`` (alarms of AODH) or ``webhook`` (plain JSON).
    :raises UnreadableError: saying what is not as the contract says.
    """
    if not isinstance(body, dict):
        raise UnreadableError("the body is no JSON object")
    fields = _read_plain(body) if dialect == "webhook" else _read_alarm(body)
    for name in ("state", "session_id"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise UnreadableError(f"{name} is lacking")
    known = {name: fields[name] for name in Message.__dataclass_fields__ if fields.get(name) is not None}
    message = Message(**{"event": EVENTS[0], **known})
    _check_dialect(message, dialect)
    return message


def _read_plain(body: Mapping[str, Any]) -> dict[str, Any]:
    inner = body.get("payload", body)
    if not isinstance(inner, dict):
        raise UnreadableError("payload is no JSON object")
    event = body.get("event_type", body.get("event", EVENTS[0]))
    return {**inner, "event": event}


def _read_alarm(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read an alarm: its traits are ``[name, type, value]``, their values text, some of it Python's own."""
    try:
        event = body["reason_data"]["event"]
        fields = {str(name): _decode(kind, value) for name, kind, value in event["traits"]}
    except (KeyError, TypeError, ValueError, SyntaxError, yaml.YAMLError) as error:
        raise UnreadableError(f"this is no alarm of an event: {error!r}") from error
    name = event.get("event_type", EVENTS[0])
    lacking = [key for key in NEEDED if name == EVENTS[0] and key not in fields]
    if lacking:
        raise UnreadableError(f"{', '.join(lacking)}: lacking")
    return {**fields, "event": name}


def _decode(kind: object, value: Any) -> Any:  # noqa: ANN401
    """Read a value as Doctor's VNFM does (YAML) and as Tacker does (Python): both must read the same."""
    text = str(value)
    if len(text) > LONGEST_TRAIT:
        raise ValueError(f"{text[:40]}... has more than {LONGEST_TRAIT} characters")
    as_yaml = yaml.safe_load(text.replace("u'", "'")) if "[" in text or "{" in text else text
    as_python = ast.literal_eval(value) if kind == 1 and value[:1] in {"[", "{"} else value
    if as_yaml != as_python:
        raise ValueError(f"{text} can be read in two ways")
    return as_python


_ABOUT_INSTANCES = frozenset({"PREPARE_MAINTENANCE", "PLANNED_MAINTENANCE"})


def _check_dialect(message: Message, dialect: str) -> None:
    """Refuse the other dialect's form, as clients of each do (by crashing)."""
    if message.state not in _ABOUT_INSTANCES:
        return
    is_url = isinstance(message.instance_ids, str)
    if dialect == "a" and not is_url:
        raise UnreadableError("instance_ids is a list, not a URL")
    if dialect == "b" and (is_url or len(message.instance_ids) != 1):
        raise UnreadableError("instance_ids is no list of one")
    if dialect != "webhook" and "MIGRATE" not in message.allowed_actions:
        raise UnreadableError("MIGRATE is not in allowed_actions")
