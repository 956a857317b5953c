"""Reads ``escalator.vnf/1``: the HA groups of one VNF, in the words of ETSI NFV-SOL 001.

The constraints are those of ``tosca.datatypes.nfv.NfviMaintenanceInfo``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from escalator.documents.fields import Fields, shown
from escalator.vim_interface.registry.declared import BySize, DeclaredGroup, Member
from escalator.vim_interface.registry.found import MODES, ROLES

SCHEMA = "escalator.vnf/1"
_KEYS = ("schema", "name", "project_id", "groups")
_GROUP_KEYS = (
    "id",
    "mode",
    "members",
    "impact_notification_lead_time",
    "is_impact_mitigation_requested",
    "supported_migration_type",
    "max_undetectable_interruption_time",
    "min_recovery_time_between_impacts",
    "max_number_of_impacted_instances",
    "min_number_of_preserved_instances",
)
_SELECTORS = ("id", "name", "metadata", "server_group")
_MIGRATION_TYPES = {"LIVE_MIGRATION": "live", "OFFLINE_MIGRATION": "cold", "NO_MIGRATION": None}
_ROLES_OF = {"active-standby": ("active", "standby"), "load-balanced": ("member",), "none": ROLES}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NAMED = "letters, digits, '.', '_' and '-', beginning with a letter or a digit"
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s|ms|us|ns)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_LONGEST_SECONDS = 10**9


def parse_vnf(document: object, file: str, faults: list[str]) -> tuple[DeclaredGroup, ...]:
    """Read one VNF file's document.

    :param file: name of the file; stands before every fault.
    :param faults: takes what is wrong, each with its path, such as ``sbc.yaml: groups[0].mode: is required``.
    """
    mine: list[str] = []
    fields = Fields.of(document, mine, path="", keys=_KEYS)
    schema = fields.text("schema", required=True)
    if schema and schema != SCHEMA:
        fields.fault("schema", f"is {shown(schema)}, this release reads {SCHEMA}")
    fields.text("name", required=True, pattern=_NAME, form=_NAMED)
    project_id = fields.text("project_id") or None
    groups = tuple(
        _group(group, f"{file}: groups[{index}]", project_id)
        for index, group in enumerate(fields.sections("groups", keys=_GROUP_KEYS, required=True))
    )
    faults.extend(f"{file}: {fault}" for fault in mine)
    return groups


def _group(fields: Fields, origin: str, project_id: str | None) -> DeclaredGroup:
    mode = fields.choice("mode", MODES, "none", required=True)
    entries = fields.sections("members", keys=(*_SELECTORS, "role"), required=True)
    # known to the schema, and nothing to decide with before there is a VNFM to ask
    fields.flag("is_impact_mitigation_requested", default=False)
    _seconds(fields, "max_undetectable_interruption_time")
    return DeclaredGroup(
        origin=origin,
        id=fields.text("id", required=True, pattern=_NAME, form=_NAMED),
        mode=mode,
        project_id=project_id,
        members=tuple(_member(entry, _ROLES_OF[mode], project_id) for entry in entries),
        max_impacted=_by_size(fields, "max_number_of_impacted_instances"),
        min_preserved=_by_size(fields, "min_number_of_preserved_instances"),
        recovery_seconds=_seconds(fields, "min_recovery_time_between_impacts"),
        lead_seconds=_seconds(fields, "impact_notification_lead_time"),
        migration_types=_migration_types(fields),
    )


def _member(fields: Fields, roles: Collection[str], project_id: str | None) -> Member:
    given = [key for key in _SELECTORS if fields.has(key)]
    if len(given) != 1:
        fields.fault("", f"must have exactly one of {', '.join(_SELECTORS)}")
    elif given[0] in {"name", "metadata"} and project_id is None:
        fields.fault(given[0], "needs the project_id of the file: other projects may use the same words")
    return Member(
        id=fields.text("id") or None,
        name=fields.text("name") or None,
        metadata=_metadata(fields),
        server_group=fields.text("server_group") or None,
        role=fields.choice("role", roles, "") or None,
    )


def _metadata(fields: Fields) -> dict[str, str]:
    if not fields.has("metadata"):
        return {}
    section = fields.section("metadata", keys=None)
    if not section.values:
        fields.fault("metadata", "must name one key at least")
    section.refuse_unknown([key for key in section.values if isinstance(key, str)])
    return {key: section.text(key, required=True) for key in section.values if isinstance(key, str)}


def _migration_types(fields: Fields) -> tuple[str, ...] | None:
    if not fields.has("supported_migration_type"):
        return None
    words = fields.texts("supported_migration_type")
    for index, word in enumerate(words):
        if word not in _MIGRATION_TYPES:
            known = ", ".join(_MIGRATION_TYPES)
            fields.fault(f"supported_migration_type[{index}]", f"is {shown(word)}, must be one of {known}")
    return tuple(method for word in words if (method := _MIGRATION_TYPES.get(word)))


def _by_size(fields: Fields, key: str) -> BySize | None:
    """Read a limit: one number for every size, or a list of entries by ``group_size``."""
    if not fields.has(key):
        return None
    if not isinstance(fields.values[key], list):
        return BySize({}, fields.whole(key, default=0, least=0))
    exact: dict[int, int] = {}
    default: int | None = None
    for entry in fields.sections(key, keys=("group_size", key), required=True):
        if not entry.has(key):
            entry.fault(key, "is required")
        limit = entry.whole(key, default=0, least=0)
        size = entry.whole("group_size", default=1, least=1) if entry.has("group_size") else None
        if size in exact or (size is None and default is not None):
            entry.fault("group_size", "is there more than once")
        elif size is None:
            default = limit
        else:
            exact[size] = limit
    return BySize(exact, default)


def _seconds(fields: Fields, key: str) -> float:
    """Read a time: seconds, or TOSCA's number with a unit (``90 s``, ``200 ms``); zero without one."""
    value = fields.values.get(key)
    if value is None:
        return 0.0
    seconds = -1.0
    if isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        seconds = float(match[1]) * _SECONDS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(min(value, _LONGEST_SECONDS))
    if 0 <= seconds < _LONGEST_SECONDS:
        return seconds
    fields.fault(key, f"must be seconds from 0 on, or a time such as '90 s', not {shown(value)}")
    return 0.0
