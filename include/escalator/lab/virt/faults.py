"""Faults that a person or a test has ordered, for one server (metadata) or a whole node (a file).

Standard library only.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

METADATA_KIND = "lab_migrate"
METADATA_SECONDS = "lab_migrate_seconds"
METADATA_SNAPSHOT_SECONDS = "lab_snapshot_seconds"


class MigrationFault(StrEnum):
    """How a migration goes wrong."""

    NONE = ""
    FAIL = "fail"
    PRECHECK_FAIL = "precheck-fail"
    HANG = "hang"
    DIE = "die"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOrder:
    """What shall happen to one migration.

    :param fault: how it goes wrong, if it does.
    :param seconds: how long it takes; None when memory and bandwidth decide.
    :param from_node: whether the node's file ordered the fault.
    """

    fault: MigrationFault = MigrationFault.NONE
    seconds: float | None = None
    from_node: bool = False

    @property
    def fails_precheck(self) -> bool:
        """Tell whether the migration is refused before it begins."""
        return self.fault is MigrationFault.PRECHECK_FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFaults:
    """The faults of one node: ``faults.json`` in its hypervisor's folder.

    ``{"migrate": {"kind": "fail", "seconds": 5, "once": true}, "hypervisor_version": 8002000,
    "refuse_start_release": {"release": "34.0.0", "once": false}}``; every key may be left out.
    """

    folder: Path

    def migration_order(self, metadata: Mapping[str, str]) -> MigrationOrder:
        """Return what shall happen to a migration; the guest's metadata goes before the node's file."""
        on_node = self._read().get("migrate", {})
        own_fault = metadata.get(METADATA_KIND, "")
        seconds = metadata.get(METADATA_SECONDS, on_node.get("seconds"))
        return MigrationOrder(
            fault=MigrationFault(own_fault or on_node.get("kind", "")),
            seconds=None if seconds is None else float(seconds),
            from_node=not own_fault and bool(on_node.get("kind")),
        )

    def strike(self, order: MigrationOrder) -> None:
        """Take note that a fault strikes now: one that was ordered once is removed."""
        if order.from_node:
            with self._changing() as faults:
                if faults.get("migrate", {}).get("once"):
                    del faults["migrate"]

    def hypervisor_version(self) -> int | None:
        """Return the hypervisor version that the node shall report, as one number; None for the usual one."""
        version = self._read().get("hypervisor_version")
        return None if version is None else int(version)

    def refuses_start(self, release: str) -> bool:
        """Tell whether nova-compute of a release must not start here; an order for once is used up by it."""
        order = self._read().get("refuse_start_release")
        if not order or order.get("release") != release:
            return False
        if order.get("once"):
            with self._changing() as faults:
                faults.pop("refuse_start_release", None)
        return True

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Set the keys that are given; a value of None removes its key."""
        with self._changing() as faults:
            for key, value in changes.items():
                faults[key] = value
                if value is None:
                    del faults[key]

    def clear(self) -> None:
        """Remove every fault; a second run does nothing."""
        with self._changing() as faults:
            faults.clear()

    @property
    def _file(self) -> Path:
        return self.folder / "faults.json"

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return {}

    @contextmanager
    def _changing(self) -> "Iterator[dict[str, Any]]":
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            faults = self._read()
            yield faults
            draft = self._file.with_suffix(".tmp")
            draft.write_text(json.dumps(faults))
            draft.replace(self._file)
