"""Migrations: every move that Nova knows of, with how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from datetime import datetime
from itertools import chain

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.records import read_migration
from escalator.model.cloud import Migration, MigrationStatus

PAGE = 1000
FOLLOWED = 200
"""How many of the newest are looked at when the others are known."""
_PATH = "/os-migrations"
_UNFINISHED = tuple(status for status in MigrationStatus if status.unfinished)


class Migrations:
    """Reads ``GET /os-migrations``."""

    def __init__(self, compute: ServiceApi) -> None:
        self._compute = compute

    def fetch(
        self, *, host: str | None = None, server_id: str | None = None, since: datetime | None = None
    ) -> tuple[Migration, ...]:
        """Read migrations, the newest first: one call for each thousand.

        :param host: only those from or to that node.
        :param server_id: only those of that server.
        :param since: only those changed since then (aware).
        """
        query: dict[str, str | int] = {}
        if host is not None:
            query["host"] = host
        if server_id is not None:
            query["instance_uuid"] = server_id
        if since is not None:
            query["changes-since"] = since.isoformat()
        return sort_newest_first([read_migration(r) for r in self._compute.pages(_PATH, "migrations", query)])

    def fetch_copied(self, server_id: str) -> dict[int, int]:
        """Read how much of the live migrations of a server that are under way is copied.

        A guest that writes while it moves may throw the number back. Nova has none before the copying has
        begun, and some drivers never have.

        :return: id of the migration -> per cent of memory and disks, rounded down; none without numbers.
        """
        found = self._compute.get(f"/servers/{server_id}/migrations")["migrations"]
        return {r["id"]: copied for r in found if (copied := count_copied(r)) is not None}

    def fetch_unfinished(self, pool: Executor) -> tuple[Migration, ...]:
        """Read every migration that may still be written to, the newest first.

        Nova filters by one status only and keeps old migrations for ever. One call, which is enough where
        there were fewer than a thousand; else one more for each unfinished status.
        """
        newest = self._compute.get(_PATH, {"limit": PAGE})
        if "migrations_links" not in newest:
            found = [read_migration(record) for record in newest["migrations"]]
        else:
            found = list(chain.from_iterable(pool.map(self._of_status, _UNFINISHED)))
        return sort_newest_first([migration for migration in found if migration.status.unfinished])

    def follow(
        self, known: Mapping[str, Migration], *, since: datetime, pool: Executor
    ) -> dict[str, Migration]:
        """Read what became of unfinished migrations, and which are new, by UUID. One call, or two.

        A new migration has no time of change yet: Nova does not tell it to who asks for changes. So the
        newest are listed, and changes are asked for only while an older one is under way.

        :param known: those that were unfinished before.
        :param since: none that was made before that moment is missing in ``known``.
        """
        newest = self._compute.get(_PATH, {"limit": FOLLOWED})
        page = [read_migration(record) for record in newest["migrations"]]
        found = {migration.uuid: migration for migration in page}
        if "migrations_links" in newest and page:
            oldest = min(migration.created_at for migration in page)
            if oldest > since:
                return {migration.uuid: migration for migration in self.fetch_unfinished(pool)}
            earlier = {key: m for key, m in known.items() if key not in found and m.created_at <= oldest}
            if earlier:
                earlier |= {migration.uuid: migration for migration in self.fetch(since=since)}
            found = earlier | found
        return {key: migration for key, migration in found.items() if migration.status.unfinished}

    def _of_status(self, status: MigrationStatus) -> list[Migration]:
        return [read_migration(r) for r in self._compute.pages(_PATH, "migrations", {"status": status.value})]


def count_copied(record: Record) -> int | None:
    """Count how many per cent of a live migration are copied; None: the record has no numbers."""
    kinds = [kind for kind in ("memory", "disk") if record.get(f"{kind}_total_bytes")]
    lefts = [left for kind in kinds if (left := record.get(f"{kind}_remaining_bytes")) is not None]
    if not kinds or len(lefts) < len(kinds):
        return None
    total = sum(record[f"{kind}_total_bytes"] for kind in kinds)
    return max(0, min(100, int(100 * (total - sum(lefts)) / total)))


def sort_newest_first(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """Sort migrations."""
    return tuple(sorted(migrations, key=lambda migration: (migration.created_at, migration.id), reverse=True))
