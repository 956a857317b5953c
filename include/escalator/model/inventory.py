"""The inventory: the nodes that DAGs are generated from, as a file (``escalator.inventory/1``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from escalator.model.alerts import AlertSettings
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory_settings import (
    ALL_AGGREGATES,
    AggregateRules,
    Controller,
    DumpCommand,
    PowerCommands,
)
from escalator.model.node_software import Software
from escalator.model.occasion import Notify
from escalator.model.server_image import ImagePolicy

MAX_PORT = 65535
_REMEDY = "correct it in the inventory, such as 192.0.2.7 or ops@192.0.2.7:2222"

SCHEMA = "escalator.inventory/1"


class SshPlace(NamedTuple):
    """Where SSH reaches a node; user and port are None where they are the connection's."""

    user: str | None
    address: str
    port: int | None


def split_address(text: str) -> SshPlace:
    """Split ``[user@]address[:port]``, such as ``ops@192.0.2.7:2222``, ``[2001:db8::7]:22`` or ``node-07``.

    :raises InvalidRequestError: it has another form.
    """
    user, at, place = text.rpartition("@")
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::(.*))?", place)
    if bracketed is not None:
        address, port = bracketed.groups()
    elif place.count(":") == 1:
        address, _, port = place.partition(":")
    else:
        address, port = place, None
    if not address or (at and not user) or re.search(r"[\s@/\[\]]", user + address):
        raise InvalidRequestError(f"address {text!r} is not [user@]address[:port]", remedy=_REMEDY)
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= MAX_PORT):
        raise InvalidRequestError(f"address {text!r}: {port[:20]!r} is not a TCP port", remedy=_REMEDY)
    return SshPlace(user or None, address, None if port is None else int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryNode:
    """One compute node: its service host, its drain domain and where SSH reaches it.

    :ivar address: ``[user@]address[:port]``; an IPv6 address that has a port stands in brackets.
    :ivar part: number of the DAG that has it, of a domain that is cut into several; None: the one without.
    :ivar cell: name of its cell; None: nobody told of cells.
    :ivar versions: what it ran when the inventory was taken, where that was read; else empty.
    """

    host: str
    domain: str
    address: str
    part: int | None = None
    cell: str | None = None
    versions: Software = field(default_factory=dict, hash=False)

    @property
    def place(self) -> SshPlace:
        """Return the address in its parts.

        :raises InvalidRequestError: it has another form.
        """
        return split_address(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The nodes of one cloud at ``taken_at`` and the ids of the Airflow connections that reach them.

    :ivar aggregates: which host aggregates made the drain domains.
    :ivar controller: a host of the control plane that SSH reaches; None: there is none to ask.
    :ivar power: how the power of nodes is switched from outside; None: it is not.
    :ivar alerts: how campaigns get on with the alerts of the cloud; None: not at all.
    :ivar dump: how the databases of the control plane are dumped before a campaign; None: they are not.
    :ivar images: which servers have an image taken before their node is changed; None: no server.
    :ivar notify: who is told of campaigns.
    """

    cloud: str
    taken_at: datetime
    nodes: tuple[InventoryNode, ...] = ()
    cloud_conn_id: str = "openstack_default"
    ssh_conn_id: str = "escalator_ssh"
    extra: dict[str, str] = field(default_factory=dict)
    aggregates: AggregateRules = ALL_AGGREGATES
    controller: Controller | None = None
    power: PowerCommands | None = None
    alerts: AlertSettings | None = None
    dump: DumpCommand | None = None
    images: ImagePolicy | None = None
    notify: tuple[Notify, ...] = ()

    def domains(self) -> tuple[str, ...]:
        """Return the drain domains, sorted."""
        return tuple(sorted({n.domain for n in self.nodes}))

    def hosts(self, domain: str) -> tuple[str, ...]:
        """Return the hosts of a domain, sorted."""
        return tuple(sorted(n.host for n in self.nodes if n.domain == domain))

    def cells(self) -> dict[str, str]:
        """Return the cell of each node whose cell is known: host -> name."""
        return {node.host: node.cell for node in self.nodes if node.cell is not None}
