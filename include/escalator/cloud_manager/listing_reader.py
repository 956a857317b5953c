"""Reads the servers and unfinished migrations of a cloud: whole, or what changed since the last look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from datetime import datetime, timedelta
from threading import Lock

from escalator.cloud_manager.listing import (
    REFRESH_AFTER,
    Listing,
    apply_changes,
    find_differing,
    find_doubt,
    put_afresh,
)
from escalator.cloud_manager.listing_store import ListingStore
from escalator.cloud_manager.migrations import Migrations
from escalator.cloud_manager.servers import PAGE, Servers
from escalator.model.cloud import Migration

LONG_LOOK = timedelta(seconds=5)
"""What changed while a longer one was taken is asked for at its end."""

log = logging.getLogger(__name__)


class ListingReader:
    """Keeps the listing of one cloud; threads may share it, and processes through a store.

    Only a listing of more than one page is kept: of a small one the changes cost what the whole costs.

    :param nova_clock: says what Nova's clock said with its last answer; None: it does not say.
    :param clock: returns the time, aware.
    :param store: where listings are kept from process to process; None: nowhere.
    """

    def __init__(
        self,
        servers: Servers,
        migrations: Migrations,
        *,
        nova_clock: Callable[[], datetime | None],
        clock: Callable[[], datetime],
        store: ListingStore | None = None,
    ) -> None:
        self._servers = servers
        self._migrations = migrations
        self._nova_clock = nova_clock
        self._clock = clock
        self._store = store
        self._lock = Lock()
        self._kept: Listing | None = None

    def read(self, pool: Executor, *, afresh: Collection[str] = ()) -> Listing:
        """Return the cloud as it is: from the changes since the last look, or whole.

        Call it after another answer of Nova's, whose date tells its clock.

        :param afresh: hosts whose servers are listed by themselves where only changes are read.
        """
        with self._lock:
            listing = self._kept
            doubt = find_doubt(listing, self._clock(), self._nova_clock())
            if doubt is not None and self._store is not None:
                self._kept = listing = self._store.load()
                doubt = find_doubt(listing, self._clock(), self._nova_clock())
            if listing is None or doubt is not None:
                return self._read_whole_in_turn(pool, doubt or "")
            listing = self._read_changes(listing, pool)
            self._keep(listing)
            return self._look_afresh(listing, afresh, pool) if afresh else listing

    def read_servers(self, pool: Executor) -> Listing:
        """Read every server and no migration, for a user who may not list these; nothing is kept."""
        return self._read_servers(pool, {})

    def read_migrations(self, pool: Executor) -> dict[str, Migration]:
        """Read the unfinished migrations, by UUID."""
        return {m.uuid: m for m in self._migrations.fetch_unfinished(pool)}

    @property
    def keeps(self) -> bool:
        """Tell whether the cloud is so large that a listing is kept."""
        return self._kept is not None

    def is_refresh_due(self) -> bool:
        """Tell whether who keeps watch should read a whole listing now, beside its looks."""
        kept = self._kept
        return kept is not None and self._clock() - kept.whole_at > REFRESH_AFTER

    def refresh(self, pool: Executor) -> None:
        """Read a whole listing while others look: they go on with changes, later from this one on."""
        whole = self._read_whole(pool)
        with self._lock:
            self._keep(whole, saved=True)

    def _read_whole_in_turn(self, pool: Executor, doubt: str) -> Listing:
        """Read a whole listing, unless another process does so at this moment: then take that one's."""
        if self._store is None:
            return self._keep(self._read_whole(pool))
        nova_now, asked_at = self._nova_clock(), self._clock()
        with self._store.turn():
            found, waited = self._store.load(), self._clock() - asked_at
            nova_now = nova_now and nova_now + waited  # what its last answer said is so old now
            if found is not None and find_doubt(found, self._clock(), nova_now) is None:
                return self._keep(self._read_changes(found, pool))
            log.info("reading every server of the cloud: %s", doubt)
            return self._keep(self._read_whole(pool), saved=True)

    def _read_whole(self, pool: Executor) -> Listing:
        """Read every server and unfinished migration, and what changed meanwhile when it took long."""
        listing, now = self._read_servers(pool, None), self._clock()
        if now - listing.whole_at < LONG_LOOK or find_doubt(listing, now, self._nova_clock()) is not None:
            return listing
        return self._read_changes(listing, pool)

    def _read_servers(self, pool: Executor, migrations: Mapping[str, Migration] | None) -> Listing:
        """Read every server, and the unfinished migrations unless they are given."""
        begun, read_at = self._clock(), self._read_at()
        soft_deleted = pool.submit(self._servers.read_soft_deleted)
        moving = self.read_migrations(pool) if migrations is None else migrations
        alive, soft = self._servers.read_all(), soft_deleted.result()
        return Listing(
            servers={server.id: server for server in (*soft.servers, *alive.servers)},
            migrations=moving,
            read_at=read_at,
            newest=alive.newest,
            whole_at=begun,
        )

    def _read_changes(self, listing: Listing, pool: Executor) -> Listing:
        """Read what changed: one call for each thousand servers that did, one or two for migrations."""
        read_at = self._read_at()
        changed = pool.submit(self._servers.read_changed, listing.since)
        migrations = self._migrations.follow(listing.migrations, since=listing.since, pool=pool)
        servers = changed.result()
        here = {key: m for key, m in migrations.items() if m.server_id not in servers.gone}
        return apply_changes(listing, servers, here, read_at=read_at)

    def _look_afresh(self, listing: Listing, hosts: Collection[str], pool: Executor) -> Listing:
        """List the servers of some hosts by themselves; when others are there, list the whole cloud at once.

        A server that came or went between two calls is told by the changes since: those are asked for first.
        """
        found = [server for host in hosts for server in self._servers.fetch_on(host)]
        differing = find_differing(listing, hosts, found)
        if differing and differing & find_differing(self._read_changes(listing, pool), hosts, found):
            log.info("other servers are on %s than the changes told: every server is listed", hosts)
            return self._keep(self._read_whole(pool), saved=True)
        return put_afresh(listing, hosts, found)

    def _read_at(self) -> datetime:
        """Return the time by the clock that is furthest behind."""
        return min(self._clock(), self._nova_clock() or self._clock())

    def _keep(self, listing: Listing, *, saved: bool = False) -> Listing:
        """Keep a listing that is worth it; in the store when it is a whole one, or the one there is old."""
        if len(listing.servers) <= PAGE:
            self._kept = None
            return listing
        self._kept = listing
        if self._store is not None:
            self._store.save(listing, always=saved)
        return listing
