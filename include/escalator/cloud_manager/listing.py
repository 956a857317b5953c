"""The servers and unfinished migrations of a cloud: read whole now and then, brought up to date by changes.

A listing of twenty thousand servers takes Nova half a minute; what changed since the last look it says in one
call. What a change may leave out is no risk that is taken: see :func:`find_doubt`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from escalator.model.cloud import Migration, Server

MARGIN = timedelta(minutes=3)
"""Changes are asked for from so long before the last look on: clocks differ, transactions end late."""
FURTHEST_BACK = timedelta(minutes=30)
"""In a cloud where nothing changed for long, they are asked for from no earlier than that."""
MOST_SKEW = timedelta(minutes=1)
"""With clocks further apart than this no changes are asked for."""
WHOLE_AFTER = timedelta(minutes=45)
"""No listing is kept up to date by changes for longer."""
REFRESH_AFTER = timedelta(minutes=30)
"""Who keeps watch reads a whole one beside its looks by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServersRead:
    """An answer about servers.

    :ivar servers: those there are; :ivar gone: ids of deleted ones; :ivar newest: when the one that changed
        last did so, by Nova's clocks.
    """

    servers: tuple[Server, ...]
    gone: frozenset[str] = frozenset()
    newest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Servers by id, without their server groups, and unfinished migrations by UUID.

    :ivar read_at: when the reading of it began, by the clock that was furthest behind: ours, the API's.
    :ivar newest: the last change of a server in it, by the clock of who wrote it; None: not known.
    :ivar whole_at: when the whole one that it comes from was begun, by our clock.
    """

    servers: Mapping[str, Server]
    migrations: Mapping[str, Migration]
    read_at: datetime
    newest: datetime | None
    whole_at: datetime

    @property
    def since(self) -> datetime:
        """Return from when on changes have to be asked for: the slowest of all clocks counts.

        The last change that was seen tells the clocks of those who write, up to half an hour back.
        """
        newest = max(self.newest or self.read_at, self.read_at - FURTHEST_BACK)
        return min(self.read_at, newest) - MARGIN


def find_doubt(listing: Listing | None, now: datetime, nova_now: datetime | None) -> str | None:
    """Return why the changes since a listing would not tell everything; None: they do.

    :param now: by our clock; :param nova_now: by that of Nova's API; None: it does not say.
    """
    if listing is None:
        return "there is none yet"
    if nova_now is None:
        return "Nova's answers have no date"
    if abs(now - nova_now) > MOST_SKEW:
        return f"Nova's clock is {(nova_now - now).total_seconds():.0f} s from ours"
    if listing.read_at > now + MOST_SKEW or listing.whole_at > now + MOST_SKEW:
        return "it is from the future: a clock was set back"
    if now - listing.whole_at > WHOLE_AFTER:
        return "the last whole one is old"
    return None


def apply_changes(
    listing: Listing, servers: ServersRead, migrations: Mapping[str, Migration], *, read_at: datetime
) -> Listing:
    """Bring a listing up to date.

    :param servers: what changed since ``listing.since``.
    :param migrations: the unfinished ones of now, by UUID.
    :param read_at: when the reading of the changes began, by the clock that was furthest behind.
    """
    kept = {key: server for key, server in listing.servers.items() if key not in servers.gone}
    kept |= {server.id: server for server in servers.servers if server.id not in servers.gone}
    newest = max((m for m in (listing.newest, servers.newest) if m is not None), default=None)
    return replace(listing, servers=kept, migrations=migrations, read_at=read_at, newest=newest)


def put_afresh(listing: Listing, hosts: Collection[str], found: Iterable[Server]) -> Listing:
    """Put what was listed of some hosts in place of what the listing has of them."""
    kept = {key: server for key, server in listing.servers.items() if server.host not in hosts}
    return replace(listing, servers=kept | {server.id: server for server in found})


def find_differing(listing: Listing, hosts: Collection[str], found: Iterable[Server]) -> frozenset[str]:
    """Return the ids of servers that a listing has on some hosts and that were not found there, or else."""
    had = {key for key, server in listing.servers.items() if server.host in hosts}
    return frozenset(had ^ {server.id for server in found})


def put_groups(servers: Iterable[Server], group_of: Mapping[str, str]) -> tuple[Server, ...]:
    """Give servers the ids of their server groups; sorted by name."""
    grouped = (
        server
        if server.server_group == (group := group_of.get(server.id))
        else replace(server, server_group=group)
        for server in servers
    )
    return tuple(sorted(grouped, key=lambda server: (server.name, server.id)))
