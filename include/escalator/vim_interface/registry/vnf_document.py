"""Reads ``escalator.vnf/1``: the HA groups of one VNF, in the words of ETSI NFV-SOL 001.

The constraints are those of ``tosca.datatypes.nfv.NfviMaintenanceInfo``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from escalator.documents.document_model import (
    DocumentModel,
    GivenName,
    Name,
    OrNull,
    Text,
    list_mappings,
    must_be,
    read_document,
)
from escalator.documents.faults import Fault
from escalator.documents.wording import show_value
from escalator.vim_interface.registry.declared import BySize, DeclaredGroup, Member
from escalator.vim_interface.registry.found import ROLES
from escalator.vim_interface.registry.means_document import AnyProbe, AnySwitchover, find_faults_of_means

_SELECTORS = ("id", "name", "metadata", "server_group")
_LIMITS = ("max_number_of_impacted_instances", "min_number_of_preserved_instances")
METHODS = {"LIVE_MIGRATION": "live", "OFFLINE_MIGRATION": "cold"}
"""ETSI's words for a migration -> the methods here; NO_MIGRATION is none."""
_ROLES_OF = {"active-standby": ("active", "standby"), "load-balanced": ("member",)}
_TIME = r"^\s*(\d+(?:\.\d+)?)\s*(d|h|m|s|ms|us|ns)\s*$"
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_LONGEST_SECONDS = 10**9
_MOST_MEMBERS = 10**6
"""Limits beyond that are slips of the pen: no group has so many members."""

_PlainSeconds = Annotated[float, Field(ge=0, lt=_LONGEST_SECONDS, allow_inf_nan=False)]


def read_time(value: object) -> object:
    """Read TOSCA's number with a unit, such as ``90 s``, as seconds; anything else stays as it is."""
    if isinstance(value, str) and (match := re.fullmatch(_TIME, value)):
        return float(match[1]) * _SECONDS[match[2]]
    return value


Seconds = Annotated[
    _PlainSeconds,
    BeforeValidator(read_time, json_schema_input_type=_PlainSeconds | Annotated[str, Field(pattern=_TIME)]),
    must_be("seconds from 0 on, or a time such as '90 s'"),
]
Limit = Annotated[int, Field(ge=0, le=_MOST_MEMBERS)]
Size = Annotated[int, Field(ge=1, le=_MOST_MEMBERS)]


class MemberDocument(DocumentModel):
    """One entry of a group's members: exactly one of id, name, metadata and server_group selects."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in _SELECTORS]})
    id: GivenName | None = None
    name: GivenName | None = None
    metadata: Annotated[dict[str, Text], Field(min_length=1)] | None = None
    server_group: GivenName | None = None
    role: Literal["active", "standby", "member"] | None = None

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find that not exactly one key selects."""
        if len(_selectors(values)) != 1:
            yield Fault((), f"must have exactly one of {', '.join(_SELECTORS)}")


class MostImpacted(DocumentModel):
    """A limit of the groups of one size; without a size, of all that are not named."""

    group_size: Size | None = None
    limit: Limit = Field(alias="max_number_of_impacted_instances")


class LeastPreserved(DocumentModel):
    """A limit of the groups of one size; without a size, of all that are not named."""

    group_size: Size | None = None
    limit: Limit = Field(alias="min_number_of_preserved_instances")


def _form_of_limit(value: object) -> str:
    return "by size" if isinstance(value, list) else "number"


Entry = TypeVar("Entry", MostImpacted, LeastPreserved)
LimitBySize = OrNull[
    Annotated[
        Annotated[Limit, Tag("number")] | Annotated[list[Entry], Field(min_length=1), Tag("by size")],
        Field(discriminator=Discriminator(_form_of_limit)),
    ]
]
"""One number for every size, or a list by size; an empty one when nothing is said."""


class GroupDocument(DocumentModel):
    """Servers that stand in for one another, and what may be done to them."""

    id: Name
    mode: Literal["active-standby", "load-balanced", "none"]
    members: Annotated[list[MemberDocument], Field(min_length=1)]
    impact_notification_lead_time: OrNull[Seconds] = 0.0
    min_recovery_time_between_impacts: OrNull[Seconds] = 0.0
    max_number_of_impacted_instances: LimitBySize[MostImpacted] = Field(default_factory=list)
    min_number_of_preserved_instances: LimitBySize[LeastPreserved] = Field(default_factory=list)
    supported_migration_type: list[Literal["LIVE_MIGRATION", "OFFLINE_MIGRATION", "NO_MIGRATION"]] | None = (
        None
    )
    switchover: AnySwitchover | None = Field(default=None, discriminator="method")
    probe: AnyProbe | None = Field(default=None, discriminator="method")
    max_undetectable_interruption_time: Seconds | None = None
    # known to the schema, and nothing to decide with
    is_impact_mitigation_requested: OrNull[bool] = False

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find roles and means that the mode does not have, and sizes that are there more than once."""
        yield from find_faults_of_means(values)
        mode = values.get("mode")
        roles = _ROLES_OF.get(mode) if isinstance(mode, str) else None
        for index, member in list_mappings(values, "members"):
            role = member.get("role")
            known = isinstance(role, str) and role in ROLES
            if roles and known and role not in roles:
                words = f"is {show_value(role)}, must be one of {', '.join(roles)} in a group of mode {mode}"
                yield Fault(("members", index, "role"), words)
        for limit in _LIMITS:
            sizes: list[object] = []
            for index, entry in list_mappings(values, limit):
                size = entry.get("group_size")
                if size in sizes:
                    yield Fault((limit, index, "group_size"), "is there more than once")
                sizes.append(size)


class VnfDocument(DocumentModel):
    """The HA groups of one VNF."""

    schema_: Literal["escalator.vnf/1"] = Field(alias="schema")
    name: Name
    project_id: GivenName | None = None
    groups: Annotated[list[GroupDocument], Field(min_length=1)]

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find members that are looked up in a project when the file names none."""
        if values.get("project_id") is not None:
            return
        for number, group in list_mappings(values, "groups"):
            for index, member in list_mappings(group, "members"):
                given = _selectors(member)
                if given in (["name"], ["metadata"]):
                    at = ("groups", number, "members", index, given[0])
                    yield Fault(at, "needs the project_id of the file: other projects may use the same words")


def parse_vnf(document: object, file: str, faults: list[str]) -> tuple[DeclaredGroup, ...]:
    """Read one VNF file's document.

    :param file: name of the file; stands before every fault.
    :param faults: takes what is wrong, each with its path, such as ``sbc.yaml: groups[0].mode: is required``.
    """
    found = read_document(VnfDocument, document)
    if isinstance(found, list):
        faults.extend(f"{file}: {fault}" for fault in found)
        return ()
    return tuple(_group(group, f"{file}: groups[{index}]", found) for index, group in enumerate(found.groups))


def _group(group: GroupDocument, origin: str, file: VnfDocument) -> DeclaredGroup:
    types = group.supported_migration_type
    return DeclaredGroup(
        origin=origin,
        id=group.id,
        mode=group.mode,
        project_id=file.project_id,
        vnf=file.name,
        members=tuple(_member(member) for member in group.members),
        max_impacted=_by_size(group.max_number_of_impacted_instances),
        min_preserved=_by_size(group.min_number_of_preserved_instances),
        recovery_seconds=group.min_recovery_time_between_impacts,
        lead_seconds=group.impact_notification_lead_time,
        migration_types=None if types is None else tuple(METHODS[word] for word in types if word in METHODS),
        max_interruption_seconds=group.max_undetectable_interruption_time,
        means=group.switchover.to_means() if group.switchover else None,
        probe=group.probe.to_target(group.id) if group.probe else None,
    )


def _member(member: MemberDocument) -> Member:
    return Member(
        id=member.id,
        name=member.name,
        metadata=member.metadata or {},
        server_group=member.server_group,
        role=member.role,
    )


def _by_size(limit: int | Sequence[MostImpacted] | Sequence[LeastPreserved]) -> BySize | None:
    if isinstance(limit, int):
        return BySize({}, limit)
    limits = {entry.group_size: entry.limit for entry in limit}
    exact = {size: most for size, most in limits.items() if size is not None}
    return BySize(exact, limits.get(None)) if limits else None


def _selectors(member: Mapping[Any, Any]) -> list[str]:
    return [key for key in _SELECTORS if member.get(key) is not None]
