"""What the routes need of the world; the tests bring means of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from escalator.cloud_manager.token_check import TokenFacts
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.inventory import Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRun:
    """One run that a session asks for: the DAG, and what it is asked.

    :ivar where: the drain domain, for messages.
    """

    dag_id: str
    where: str
    conf: dict[str, Any] = field(default_factory=dict)


class Starter(Protocol):
    """Starts campaigns as a trigger of Airflow's does."""

    def check(self, runs: Sequence[WantedRun]) -> None:
        """See that every run could be started; nothing is written.

        :raises RefusedError: names the first that could not, and why.
        """

    def start(self, runs: Sequence[WantedRun], run_id: str, user: str) -> None:
        """Start all of them, or none.

        :raises RefusedError: one cannot be started; none was.
        """

    def count_going(self, runs: Sequence[tuple[str, str]]) -> int:
        """Return how many of the runs are queued or running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The world of the API.

    :ivar find_facts: says whose a token is at the cloud's Keystone.
    :ivar find_server_owner: says which project a server is of; None: there is no such server.
    :ivar find_group_owner: says the same of a server group.
    :ivar open_ledger: opens the ledger for one request.
    """

    find_facts: Callable[[Inventory, str], TokenFacts | None]
    find_server_owner: Callable[[Inventory, str], str | None]
    find_group_owner: Callable[[Inventory, str], str | None]
    starter: Starter
    open_ledger: Callable[[], Ledger] = Ledger
    clock: Callable[[], datetime] = utcnow


def find_means() -> Means:
    """Return the means of a process that serves Airflow's API."""
    from escalator_airflow.web.clouds import Clouds  # noqa: PLC0415
    from escalator_airflow.web.start_runs import AirflowStarter  # noqa: PLC0415

    clouds = Clouds()
    return Means(
        find_facts=clouds.find_facts,
        find_server_owner=clouds.find_server_owner,
        find_group_owner=clouds.find_group_owner,
        starter=AirflowStarter(),
    )
