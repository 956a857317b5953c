"""VNF files: ``<folder>/*.yaml``, each the HA groups of one VNF (``escalator.vnf/1``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from escalator.documents.faults import say_faults
from escalator.documents.yaml_lines import read_yaml
from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.registry.declared import DeclaredGroup, ServerIndex
from escalator.vim_interface.registry.found import PAIRED, SHARED, FoundGroup, OwnConstraints
from escalator.vim_interface.registry.nova_metadata import find_role
from escalator.vim_interface.registry.vnf_document import parse_vnf

PATTERNS = ("*.yaml", "*.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfFiles:
    """The groups that the files of a folder declare, looked up in a cloud."""

    declared: tuple[DeclaredGroup, ...]

    def groups(self, snapshot: CloudSnapshot) -> tuple[FoundGroup, ...]:
        """Return the groups as they are in this cloud, sorted by where they are declared.

        :raises InvalidRequestError: two entries of a group give one server different roles.
        """
        faults: list[str] = []
        if not self.declared:
            return ()
        index = ServerIndex(snapshot)
        found = tuple(_found(group, index, faults) for group in self.declared)
        if faults:
            raise InvalidRequestError(
                f"the VNF files have {len(faults)} conflict(s): " + "; ".join(faults),
                remedy="let one entry select a server, or give the same role",
            )
        return found

    def constraints(self, snapshot: CloudSnapshot) -> Mapping[str, OwnConstraints]:
        """Return what the groups say of their members: how they are moved, and how long they may be away.

        The lead time is the group's own, whatever its mode.
        """
        if not any(_says_more(group) for group in self.declared):
            return {}
        index = ServerIndex(snapshot)
        return {
            server.id: OwnConstraints(
                migration_types=group.migration_types,
                max_interruption_seconds=group.max_interruption_seconds,
            )
            for group in self.declared
            if _says_more(group)
            for entry in group.members
            for server in index.selected(entry, group.project_id)
        }


def _says_more(group: DeclaredGroup) -> bool:
    return group.migration_types is not None or group.max_interruption_seconds is not None


def read_vnf_files(folder: Path) -> VnfFiles:
    """Read every VNF file of a folder.

    :raises InvalidRequestError: names every fault of every file.
    """
    faults: list[str] = []
    declared: list[DeclaredGroup] = []
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        try:
            document = read_yaml(path)
        except (FileNotFoundError, InvalidRequestError) as exc:
            faults.append(exc.message if isinstance(exc, InvalidRequestError) else f"{path} is gone")
            continue
        declared += parse_vnf(document, str(path), faults)
    if faults:
        raise InvalidRequestError(
            f"the VNF files have {len(faults)} fault(s): " + say_faults(faults),
            remedy="correct them; README.md beside the files tells their form",
        )
    return VnfFiles(declared=tuple(declared))


def _found(declared: DeclaredGroup, index: ServerIndex, faults: list[str]) -> FoundGroup:
    roles: dict[str, str | None] = {}
    for number, entry in enumerate(declared.members):
        servers = index.selected(entry, declared.project_id)
        if not servers:
            roles.setdefault(entry.absent(declared.id), None)
        for server in servers:
            known = roles.get(server.id)
            if entry.role and known and known != entry.role:
                faults.append(
                    f"{declared.origin}.members[{number}]: {server.name} ({server.id}) is {known} already"
                )
            roles[server.id] = known or entry.role
    there = {member: index.by_id[member] for member in roles if member in index.by_id}
    given = {member: roles[member] or _default_role(declared.mode, there[member]) for member in there}
    return FoundGroup(
        origin=declared.origin,
        group=declared.group_of(tuple(roles)),
        roles={member: role for member, role in given.items() if role},
        means=declared.means,
        probe=declared.probe,
    )


def _default_role(mode: str, server: Server) -> str | None:
    """Return the role of a member that the file gives none: the active role moves, metadata may follow it."""
    if mode == SHARED:
        return "member"
    return find_role(server) if mode == PAIRED else None
