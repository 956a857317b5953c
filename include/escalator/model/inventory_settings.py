"""What an operator declares of a cloud that its API does not tell (``escalator.inventory-settings/1``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from escalator.model.alerts import AlertSettings
from escalator.model.errors import InvalidRequestError
from escalator.model.occasion import Notify
from escalator.model.server_image import ImagePolicy

SCHEMA = "escalator.inventory-settings/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateRules:
    """Which host aggregates make drain domains; names may be patterns, such as ``rack-*``.

    :ivar count: those that do; None: all.
    :ivar ignore: those that do not, whatever ``count`` says.
    """

    count: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()

    def choose(self, aggregates: Iterable[str]) -> tuple[str, ...]:
        """Return those of some aggregates that count, in their order."""
        return tuple(name for name in aggregates if self._counts(name))

    def _counts(self, name: str) -> bool:
        if any(fnmatchcase(name, pattern) for pattern in self.ignore):
            return False
        return self.count is None or any(fnmatchcase(name, pattern) for pattern in self.count)


ALL_AGGREGATES = AggregateRules()
"""Every aggregate counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A host of the control plane that SSH reaches with the connection of the nodes.

    :ivar nova_manage: the command there, in words such as ``docker exec nova_conductor nova-manage``.
    :ivar nova_status: as ``nova_manage``.
    """

    address: str
    nova_manage: str = "nova-manage"
    nova_status: str = "nova-status"


class PowerPlace(StrEnum):
    """Where the commands that switch the power of nodes are run."""

    WORKER = "worker"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCommands:
    """How the power of a node is switched from outside: an operator's commands, each for ``sh -e``.

    :ivar cycle: takes the power away and gives it back; None: they are switched off, then on.
    :ivar is_on: ends with 0 where the node has power, with 1 where it has none, with another code if it
        cannot tell; None: nobody can.
    :ivar limit_seconds: how long each may take.
    :ivar conn_id: Airflow connection with the user and the password of the switch; None: they need none.
    """

    cycle: str | None = None
    switch_on: str | None = None
    switch_off: str | None = None
    is_on: str | None = None
    run_on: PowerPlace = PowerPlace.WORKER
    limit_seconds: float = 120.0
    conn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpCommand:
    """How the databases of the control plane are dumped before a campaign: an operator's command.

    :ivar command: for ``sh -e`` on the worker; its last line says where the dump is. It may be run again.
    :ivar limit_seconds: how long it may take.
    """

    command: str
    limit_seconds: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySettings:
    """What an operator declares of one cloud.

    :ivar cells: name of a cell -> its hosts, as names or patterns; none: they are not declared.
    :ivar power: how the power of nodes is switched from outside; None: it is not.
    :ivar alerts: how campaigns get on with the alerts of the cloud; None: not at all.
    :ivar dump: how the databases of the control plane are dumped before a campaign; None: they are not.
    :ivar images: which servers have an image taken before their node is changed; None: no server.
    :ivar notify: who is told of campaigns.
    """

    cells: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aggregates: AggregateRules = ALL_AGGREGATES
    controller: Controller | None = None
    power: PowerCommands | None = None
    alerts: AlertSettings | None = None
    dump: DumpCommand | None = None
    images: ImagePolicy | None = None
    notify: tuple[Notify, ...] = ()

    def assign_cells(self, hosts: Iterable[str]) -> dict[str, str]:
        """Return the cell of each host that is in one by these settings.

        :raises InvalidRequestError: a host would be in two.
        """
        found: dict[str, str] = {}
        for host in hosts:
            named = [cell for cell, patterns in self.cells.items() if _matches(host, patterns)]
            if len(named) > 1:
                raise InvalidRequestError(
                    f"by the inventory settings {host} is in several cells: {', '.join(named)}",
                    remedy="correct the names or the patterns there",
                )
            found |= dict.fromkeys((host,), named[0]) if named else {}
        return found


NOTHING_DECLARED = InventorySettings()
"""One cell, and every aggregate counts."""


def _matches(host: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in patterns)
