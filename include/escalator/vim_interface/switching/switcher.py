"""What every means of switching over has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from escalator.model.cloud import Server
from escalator.model.switch import SwitchMethod, SwitchRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchGroup:
    """A HA group with its members as Nova has them now."""

    id: str
    members: tuple[Server, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of the members."""
        return tuple(server.id for server in self.members)

    def name_of(self, server_id: str) -> str:
        """Return the name of a member; its id when it is none."""
        return next((s.name for s in self.members if s.id == server_id), server_id)


class Seen(StrEnum):
    """Whether the service of a group has left a server."""

    LEFT = "left"
    THERE = "still-there"
    UNSEEN = "cannot-be-seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """Who has the service of a group now.

    :ivar holders: ids of the servers that have it, be they members or not.
    :ivar unknown: ids of members of whom it cannot be seen.
    :ivar words: what was seen, and where.
    :ivar blind: no look will ever tell who has it.
    """

    holders: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    words: str
    blind: bool = False

    def see(self, server_id: str) -> Seen:
        """Tell whether the service has left a server: not before another one has it."""
        if server_id in self.holders:
            return Seen.THERE
        return Seen.LEFT if self.holders and server_id not in self.unknown else Seen.UNSEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether a member can take over, and why not."""

    ok: bool
    words: str = ""


class Switcher(Protocol):
    """One means of switching one group over. Every verb raises the errors of the model.

    :ivar repeatable: the act may be done again without harm when it is not known whether it was done.
    """

    method: SwitchMethod
    repeatable: bool

    def find_role(self) -> RoleView:
        """See who has the service now. Reads only."""

    def is_healthy(self, server: Server) -> Health:
        """Tell whether a member can take over, as far as this means can tell. Reads only."""

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:
        """Return what has to be known to restore it, as JSON. Reads only.

        :raises InvalidRequestError: the switchover cannot be done; nothing was written.
        """

    def switch(self, record: SwitchRecord) -> None:
        """Let the service leave ``from_server``; a second run goes on where the first one was."""

    def finish(self, record: SwitchRecord) -> None:
        """Wait for what the service still has open on ``from_server``, until its limit."""

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:
        """Restore what was found, where it still is as we set it; a second run finds it so.

        :return: what is not as it was, in words.
        """
