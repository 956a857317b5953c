"""Refuse a TCP port that somebody else listens on, and say who that is."""

from __future__ import annotations

from escalator.airflow_stack.errors import PortTakenError
from escalator.lab.ports import Endpoint, describe_holder, fetch_listeners
from escalator.lab.processes import wait_until

GONE_SECONDS = 3.0
"""How long a process that was killed may hold its port: its threads end one by one."""


def refuse_taken(port: int, *, wanted_by: str) -> None:
    """Do nothing when a port of 127.0.0.1 is free, or becomes so at once.

    :raises PortTakenError: it is not; names the process that holds it.
    """
    wanted = Endpoint(address="127.0.0.1", port=port, purpose=wanted_by)

    def is_free() -> bool:
        return not any(other.hinders(wanted) for other in fetch_listeners())

    if wait_until(is_free, timeout_seconds=GONE_SECONDS, poll_seconds=0.2):
        return
    holder = next((other for other in fetch_listeners() if other.hinders(wanted)), None)
    if holder is not None:
        raise PortTakenError(
            f"port {port}, wanted by {wanted_by}, is taken by {describe_holder(holder)}",
            remedy="end that process or choose another instance (0 to 9)",
        )
