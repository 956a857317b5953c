"""The groups of VNFs: members in and out, what is tolerated, and what was measured of their services."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from escalator.board.board import GroupLine, Member
from escalator.board.record import BoardRecord
from escalator.model.cloud import HaGroup
from escalator.model.interruption import SWITCH_SECONDS, YEAR_SECONDS, Gap, sum_gaps


def list_groups(record: BoardRecord, out: Collection[str]) -> tuple[GroupLine, ...]:
    """List the groups of a run: first those with a member out or interrupted for too long, then by name.

    :param out: hosts of the nodes that are out.
    """
    own: dict[str, list[Gap]] = {}
    for gap in record.gaps:
        if gap.measured:
            own.setdefault(gap.group, []).append(gap)
    year = {found.group: found.sum_seconds for found in sum_gaps(record.year_gaps)}
    known = {group.id: group for group in record.background.groups}
    for name in sorted({gap.group for gap in record.gaps} - known.keys()):
        known[name] = HaGroup(id=name, mode="none")  # its members are not known
    lines = [_describe(record, group, own.get(group.id, []), year, out) for group in known.values()]
    return tuple(sorted(lines, key=lambda line: (not line.too_long, not line.out, line.vnf, line.id)))


def _describe(
    record: BoardRecord, group: HaGroup, gaps: list[Gap], year: dict[str, float], out: Collection[str]
) -> GroupLine:
    last = max(gaps, key=lambda gap: gap.started_at, default=None)
    sum_of_year = year.get(group.id, 0.0)
    return GroupLine(
        id=group.id,
        vnf=record.vnf_of.get(group.id, group.id),
        mode=group.mode,
        members=tuple(_list_members(record, group, out)),
        tolerated=group.tolerated,
        recovery_seconds=group.recovery_seconds,
        lead_seconds=group.lead_seconds,
        last_gap_seconds=None if last is None else round(last.seconds, 3),
        last_gap_at=None if last is None else last.started_at,
        allowed_seconds=SWITCH_SECONDS if last is None else last.allowed_seconds,
        year_seconds=round(sum_of_year, 3),
        year_allowed_seconds=YEAR_SECONDS,
        too_long=any(gap.too_long for gap in gaps) or sum_of_year > YEAR_SECONDS,
    )


def _list_members(record: BoardRecord, group: HaGroup, out: Collection[str]) -> Iterable[Member]:
    for member in group.members:
        server = record.background.members.get(member)
        host = record.places.get(member, server.host if server is not None else None)
        yield Member(
            name=server.name if server is not None else member,
            host=host,
            role=(server.ha_role or "") if server is not None else "",
            out=host in out,
        )
