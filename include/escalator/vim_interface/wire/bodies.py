"""What managers of VNFs and operators send to us, as pydantic models, and what it means in the model.

Unknown keys are tolerated, as in OpenStack Fenix; so are its spellings, and those of its clients.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from escalator.documents.document_model import refuse
from escalator.documents.moments import WITHIN, is_near
from escalator.documents.wording import show_value
from escalator.model.constraints import EVERY_OTHER_SIZE, GroupConstraints, InstanceConstraints
from escalator.model.notice import InstanceAction, NoticeState, Reply

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
LONGEST_ID = 64
LONGEST_NAME = 255
_LONGEST_SECONDS = 10**9
_MOST_MEMBERS = 10**6
_MOST_ENTRIES = 1000
_MOST_LEVELS = 100
"""Lists and mappings in one another; what is nested more deeply cannot be written again."""
_OLD_STATES = {"DOWN_SCALE": NoticeState.SCALE_IN}
"""Words of the first documents of OPNFV Doctor."""
_ANSWERED = (
    *(s.value for s in NoticeState if s is not NoticeState.IN_MAINTENANCE),
    *_OLD_STATES,
)
"""What a reply may be about; Tacker answers INSTANCE_ACTION_DONE too, which asks for nothing."""
_REPLY = rf"^N?ACK_({'|'.join(_ANSWERED)})$"
ACTIONS = {
    "MIGRATE": InstanceAction.MIGRATE,
    "MIGRATION": InstanceAction.MIGRATE,
    "LIVE_MIGRATE": InstanceAction.LIVE_MIGRATE,
    "LIVE_MIGRATION": InstanceAction.LIVE_MIGRATE,
    "OWN_ACTION": InstanceAction.OWN_ACTION,
}
"""Every spelling of an action -> the action."""
_FLAGS = {"true": True, "false": False}
_NUMBER = r"^ *[0-9]{1,9}(\.[0-9]{1,6})? *,? *$"


Sized = TypeVar("Sized", bound="SizedBody")


def _read_number(value: object) -> object:
    """Read a number that stands there as text; the sample of Tacker's documents has a comma behind it."""
    if not isinstance(value, str) or not re.fullmatch(_NUMBER, value):
        return value
    text = _strip(value)
    return float(text) if "." in text else int(text)


def _read_flag(value: object) -> object:
    return _FLAGS.get(_strip(value).lower(), value) if isinstance(value, str) else value


def _read_action(value: object) -> object:
    return _strip(value) if isinstance(value, str) else value


def _strip(text: str) -> str:
    return text.strip().removesuffix(",").strip()


def _refuse_control(text: str) -> str:
    if not text.isprintable():
        raise refuse("must have no line breaks and no control characters")
    return text


def _read_moment(value: object) -> object:
    """Read ``YYYY-MM-DD HH:MM:SS``, which is UTC unless an offset follows."""
    if not isinstance(value, str):
        raise refuse(f"must be text, not {show_value(value)}")
    try:
        read = datetime.fromisoformat(value.strip())
        moment = read.replace(tzinfo=UTC) if read.tzinfo is None else read
        if not is_near(moment):
            raise ValueError(value)  # noqa: TRY301 - one refusal for both
        return moment.astimezone(UTC)
    except ValueError as exc:
        raise refuse(
            f"must be a date and time in UTC {WITHIN} such as '2026-11-22 08:00:00', not {show_value(value)}"
        ) from exc


def _refuse_what_is_no_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Refuse what Python reads as JSON and no database keeps: numbers that are none, halves of characters."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise refuse("must be JSON: no NaN, no half of a character") from exc
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [inner for outer in level for inner in _list_inner(outer)]
    if level:
        raise refuse(f"must not be nested more than {_MOST_LEVELS} levels deep")
    return value


def _list_inner(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_doubles(entries: list[Sized]) -> list[Sized]:
    sizes = [entry.group_size for entry in entries]
    if len(set(sizes)) < len(sizes):
        raise refuse("names a size more than once")
    return entries


def _list_ids(value: object) -> object:
    return [value] if isinstance(value, str) and value else value


Id = Annotated[str, Field(pattern=ID_PATTERN, max_length=LONGEST_ID)]
Label = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_refuse_control)]
Action = Annotated[
    Literal["MIGRATE", "MIGRATION", "LIVE_MIGRATE", "LIVE_MIGRATION", "OWN_ACTION"],
    BeforeValidator(_read_action),
    WithJsonSchema({"type": "string", "pattern": rf"^ *({'|'.join(ACTIONS)}) *,? *$"}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_read_number),
    Field(ge=0, le=_LONGEST_SECONDS, allow_inf_nan=False, strict=True),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": _LONGEST_SECONDS},
                {"type": "string", "pattern": _NUMBER},
            ]
        }
    ),
]
Count = Annotated[
    int,
    BeforeValidator(_read_number),
    Field(ge=0, le=_MOST_MEMBERS, strict=True),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _MOST_MEMBERS},
                {"type": "string", "pattern": r"^ *[0-9]{1,5} *,? *$"},
            ]
        }
    ),
]
Flag = Annotated[
    bool,
    BeforeValidator(_read_flag),
    Field(strict=True),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "string", "pattern": r"^ *([Tt]rue|[Ff]alse) *,? *$"},
            ]
        }
    ),
]
Ids = Annotated[
    list[Id],
    Field(max_length=_MOST_ENTRIES),
    BeforeValidator(_list_ids),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "maxItems": _MOST_ENTRIES,
                    "items": {"type": "string", "pattern": ID_PATTERN, "maxLength": LONGEST_ID},
                },
                {"type": "string", "pattern": ID_PATTERN, "maxLength": LONGEST_ID},
            ]
        }
    ),
]
Json = AfterValidator(_refuse_what_is_no_json)
Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-11-22 08:00:00"], "minLength": 10}),
]


class Body(BaseModel):
    """What is sent to us: keys that are not known are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ReplyBody(Body):
    """A reply to a notice: ``instance_actions`` of a manager of kind fenix-a, ``instance_action`` of fenix-b.

    ``session_id`` may be empty: the session stands in the address.
    """

    state: Annotated[str, Field(pattern=_REPLY, examples=["ACK_MAINTENANCE"])]
    session_id: Annotated[str, Field(max_length=LONGEST_ID)] | None = None
    instance_ids: Ids | None = None
    instance_actions: Annotated[dict[Id, Action], Field(max_length=_MOST_ENTRIES)] | None = None
    instance_action: Action | None = None

    def make_reply(self, instance_id: str | None = None) -> Reply:
        """Return the reply; one action is meant for the server of the address, else for those it names.

        :param instance_id: the server that the address names.
        """
        word, _, state = self.state.partition("_")
        actions = {server: ACTIONS[action] for server, action in (self.instance_actions or {}).items()}
        if self.instance_action is not None:
            named = [instance_id] if instance_id is not None else self.instance_ids or []
            actions = dict.fromkeys(named, ACTIONS[self.instance_action]) | actions
        return Reply(ack=word == "ACK", state=_OLD_STATES.get(state) or NoticeState(state), actions=actions)


class InstanceBody(Body):
    """Constraints of an instance. Times are seconds; what is null takes its default."""

    instance_id: Id | None = None
    project_id: Id | None = None
    group_id: Id | Literal[""] | None = None
    instance_name: Label | None = None
    max_interruption_time: Seconds | None = None
    migration_type: Action | None = None
    resource_mitigation: Flag | None = None
    lead_time: Seconds | None = None

    def make_constraints(self, instance_id: str, project_id: str) -> InstanceConstraints:
        """Return what is asked for the instance of the address."""
        return InstanceConstraints(
            project_id=project_id,
            instance_id=instance_id,
            group_id=self.group_id or None,
            name=self.instance_name or "",
            max_interruption_seconds=self.max_interruption_time,
            migration_types=() if self.migration_type is None else (ACTIONS[self.migration_type].value,),
            mitigation=bool(self.resource_mitigation),
            lead_seconds=self.lead_time or 0.0,
        )


class SizedBody(Body):
    """A limit of groups of one size; without a size, of any other."""

    group_size: Annotated[int, Field(ge=1, le=_MOST_MEMBERS, strict=True)] | None = None


class MostImpactedBody(SizedBody):
    """How many members of a group of that size may be impacted at once; without a size, of any other."""

    max_number_of_impacted_instances: Count


class LeastPreservedBody(SizedBody):
    """How many members of a group of that size must stay; without a size, of any other."""

    min_number_of_preserved_instances: Count


class GroupBody(Body):
    """Constraints of a group; what is null takes its default.

    The lists by size have the names of ETSI's NfviMaintenanceInfo.
    """

    group_id: Id | None = None
    project_id: Id | None = None
    group_name: Label | None = None
    anti_affinity_group: Flag | None = None
    max_instances_per_host: Count | None = None
    max_impacted_members: Count | None = None
    recovery_time: Seconds | None = None
    resource_mitigation: Flag | None = None
    max_number_of_impacted_instances: Annotated[
        list[MostImpactedBody], Field(max_length=100), AfterValidator(_refuse_doubles)
    ] = []
    min_number_of_preserved_instances: Annotated[
        list[LeastPreservedBody], Field(max_length=100), AfterValidator(_refuse_doubles)
    ] = []

    def make_constraints(self, group_id: str, project_id: str) -> GroupConstraints:
        """Return what is asked for the group of the address."""
        most = {} if self.max_impacted_members is None else {EVERY_OTHER_SIZE: self.max_impacted_members}
        by_size = {
            entry.group_size or EVERY_OTHER_SIZE: entry.max_number_of_impacted_instances
            for entry in self.max_number_of_impacted_instances
        }
        least = {
            entry.group_size or EVERY_OTHER_SIZE: entry.min_number_of_preserved_instances
            for entry in self.min_number_of_preserved_instances
        }
        return GroupConstraints(
            project_id=project_id,
            group_id=group_id,
            name=self.group_name or "",
            anti_affinity=bool(self.anti_affinity_group),
            max_per_host=self.max_instances_per_host or 0,
            max_impacted=most | by_size,
            min_preserved=least,
            recovery_seconds=self.recovery_time or 0.0,
            mitigation=bool(self.resource_mitigation),
        )


class SessionBody(Body):
    """What begins a maintenance session; ``hosts`` empty means every node of the cloud.

    ``metadata`` may carry the parameters of a campaign, such as ``bundle`` and ``max_parallel``. Packages to
    download and actions of plug-ins are read, and not carried out: a bundle says what comes.
    """

    hosts: Annotated[list[Label], Field(max_length=_MOST_ENTRIES)] = []
    state: Literal["MAINTENANCE"] = "MAINTENANCE"
    maintenance_at: Moment
    metadata: Annotated[dict[str, Any], Json] | None = None
    workflow: Label = "default"
    download: Annotated[list[Any], Json] | None = None
    actions: Annotated[list[Any], Json] | None = None


class StateBody(Body):
    """The state that a session is asked to take."""

    state: Annotated[str, Field(max_length=LONGEST_ID)]


def instance_to_wire(found: InstanceConstraints) -> dict[str, Any]:
    """Write the constraints of an instance as their manager put them."""
    return {
        "instance_id": found.instance_id,
        "project_id": found.project_id,
        "group_id": found.group_id,
        "instance_name": found.name,
        "max_interruption_time": found.max_interruption_seconds,
        "migration_type": found.migration_types[0] if found.migration_types else None,
        "resource_mitigation": found.mitigation,
        "lead_time": found.lead_seconds,
    }


def group_to_wire(found: GroupConstraints) -> dict[str, Any]:
    """Write the constraints of a group as their manager put them; limits by size stand in lists."""
    return {
        "group_id": found.group_id,
        "project_id": found.project_id,
        "group_name": found.name,
        "anti_affinity_group": found.anti_affinity,
        "max_instances_per_host": found.max_per_host,
        "max_impacted_members": found.max_impacted.get(EVERY_OTHER_SIZE),
        "recovery_time": found.recovery_seconds,
        "resource_mitigation": found.mitigation,
        "max_number_of_impacted_instances": [
            {"group_size": size, "max_number_of_impacted_instances": most}
            for size, most in sorted(found.max_impacted.items())
            if size != EVERY_OTHER_SIZE
        ],
        "min_number_of_preserved_instances": [
            ({} if size == EVERY_OTHER_SIZE else {"group_size": size})
            | {"min_number_of_preserved_instances": least}
            for size, least in sorted(found.min_preserved.items())
        ],
    }
