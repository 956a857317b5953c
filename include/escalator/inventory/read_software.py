"""Read what the nodes of an inventory run, over SSH, side by side; nodes that do not tell are no fault."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.model.node_software import Software
from escalator.system_support.node_software import read_software
from escalator.system_support.shell import Shell

log = logging.getLogger("escalator.inventory.read_software")

AT_ONCE = 16
WITHIN_SECONDS = 300.0
"""After so long no further node is asked."""
OpenShell = Callable[[str], AbstractContextManager[Shell]]


def add_node_software(
    inventory: Inventory, open_shell: OpenShell, *, clock: Callable[[], float] = time.monotonic
) -> tuple[Inventory, tuple[str, ...]]:
    """Return an inventory with what its nodes run, and the hosts that did not tell.

    Where none of the first nodes tells, the others are not asked: SSH gets nowhere yet.

    :param clock: returns seconds.
    """
    hosts = [node.host for node in inventory.nodes]
    told: dict[str, Software] = {}
    begun = clock()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="software") as pool:
        for batch in _cut(hosts):
            told |= zip(batch, pool.map(lambda host: _read(open_shell, host), batch), strict=True)
            if not any(told.values()) or clock() - begun > WITHIN_SECONDS:
                break
    nodes = tuple(replace(node, versions=dict(told.get(node.host, {}))) for node in inventory.nodes)
    return replace(inventory, nodes=nodes), tuple(host for host in hosts if not told.get(host))


def _cut(hosts: Sequence[str]) -> list[Sequence[str]]:
    return [hosts[place : place + AT_ONCE] for place in range(0, len(hosts), AT_ONCE)]


def _read(open_shell: OpenShell, host: str) -> Software:
    try:
        with open_shell(host) as shell:
            return read_software(shell)
    except EscalatorError as exc:
        log.info("%s is not asked what it runs: %s", host, exc)
        return {}
