"""Holding a node's lock while a run goes on: waiting for it, renewing it, giving it back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from escalator.model.errors import EscalatorError, LoginRefusedError, NodeFaultError, TransientError
from escalator.system_support.playbooks.node_lock import NodeLock
from escalator.system_support.remote_job import Clock, Sleep, reach
from escalator.system_support.shell import Connect, Shell

_PAUSE_SECONDS = 3.0

log = logging.getLogger(__name__)


class LockLostError(NodeFaultError):
    """Somebody else has the node's lock: this run must not go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldNode:
    """A node whose lock is ours.

    :ivar waited: somebody else had it before: what was read of the node until then may be old.
    """

    host: str
    waited: bool
    lock: NodeLock
    connect: Connect

    def renew(self) -> bool:
        """Hold it for longer; False: the node is not reached now.

        :raises LockLostError: somebody else has it.
        """
        try:
            with self.connect() as shell:
                holder = self.lock.renew(shell)
        except (TransientError, LoginRefusedError) as exc:
            log.info("%s: the lock is not renewed: %s", self.host, exc.message)
            return False
        if holder:
            raise LockLostError(
                f"node {self.host}: its lock was lost: {holder}",
                remedy="let one worker finish; then clear this task, if the node still needs it",
            )
        return True


@contextmanager
def hold_node(
    lock: NodeLock, connect: Connect, *, deadline: datetime, clock: Clock, sleep: Sleep
) -> Iterator[HeldNode]:
    """Take a node's lock, waiting for whoever has it, and give it back at the end.

    :raises NodeFaultError: the node is not reached until the deadline, or somebody has the lock until then.
    """
    said = ""

    def take(shell: Shell) -> tuple[str, str]:
        return lock.take(shell), shell.host

    while True:
        busy, host = reach(connect, take, deadline=deadline, clock=clock, sleep=sleep)
        if not busy:
            break
        if clock() >= deadline:
            raise NodeFaultError(
                f"node {host}: another run of Ansible's does not end: {busy}",
                remedy="see what still runs on the node, and on the worker that is named",
            )
        if not said:
            log.info("%s: waiting for another run: %s", host, busy)
        said = busy
        sleep(_PAUSE_SECONDS)
    try:
        yield HeldNode(host=host, waited=bool(said), lock=lock, connect=connect)
    finally:
        _release(lock, connect)


def _release(lock: NodeLock, connect: Connect) -> None:
    try:
        with connect() as shell:
            lock.release(shell)
    except EscalatorError as exc:
        log.info("the lock is not given back, and ends by itself: %s", exc.message)
