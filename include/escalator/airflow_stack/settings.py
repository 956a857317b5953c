"""Settings of a stack: where its files are, which ports it uses, how much it does at once."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.model.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME_VARIABLE = "ESCALATOR_STACK_HOME"
INSTANCES = range(10)
BASE_PORT = 21050
PORTS_PER_INSTANCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What a person chooses about a stack; everything else is computed from it.

    :param home: folder shared by all instances: the database template and their folders.
    :param instance: 0 to 9; chooses the ports and the folder.
    :param checkout: folder with ``dags/``, ``plugins/`` and ``include/``.
    :param python: interpreter of the components: that of the environment whose packages they are to have.
    :param parallelism: tasks that run at once, 1 to 64.
    :param heartbeat_timeout_seconds: silence after which a task counts as dead, 10 or more.
    :param pools: pools that ``up`` makes sure of, with their slots.
    :param extra_env: environment of every component, besides Airflow's own.
    :raises InvalidRequestError: when a value is out of range.
    """

    home: Path = field(default_factory=lambda: find_home(os.environ))
    instance: int = 0
    checkout: Path = field(default_factory=lambda: Path(__file__).resolve().parents[3])
    python: Path = field(default_factory=lambda: Path(sys.executable))
    parallelism: int = 8
    heartbeat_timeout_seconds: int = 30
    pools: Mapping[str, int] = field(default_factory=lambda: {"escalator_admission": 1})
    extra_env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.instance not in INSTANCES:
            raise InvalidRequestError(
                f"stack instance {self.instance} does not exist", remedy="choose 0 to 9"
            )
        if self.parallelism not in range(1, 65):
            raise InvalidRequestError(
                f"parallelism {self.parallelism} is not possible", remedy="choose 1 to 64"
            )
        if self.heartbeat_timeout_seconds < 10:  # noqa: PLR2004 - said in the docstring
            raise InvalidRequestError("tasks cannot be declared dead that fast", remedy="choose 10 s or more")

    @property
    def api_port(self) -> int:
        """Return the TCP port of the API server."""
        return BASE_PORT + PORTS_PER_INSTANCE * self.instance

    @property
    def postgres_port(self) -> int:
        """Return the TCP port of the database."""
        return self.api_port + 1

    @property
    def worker_log_port(self) -> int:
        """Return the TCP port that a log server of the workers would use."""
        return self.api_port + 2

    @property
    def trigger_log_port(self) -> int:
        """Return the TCP port that a log server of the triggerer would use."""
        return self.api_port + 3

    @property
    def url(self) -> str:
        """Return the address of the API server and the web pages."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def folder(self) -> Path:
        """Return the folder of everything that belongs to this instance."""
        return self.home / f"stack-{self.instance}"

    @property
    def logs(self) -> Path:
        """Return the folder with the output of the components."""
        return self.folder / "logs"

    @property
    def task_logs(self) -> Path:
        """Return the folder with the logs of the tasks."""
        return self.logs / "tasks"

    @property
    def secrets(self) -> Path:
        """Return the folder with passwords and keys, readable by the owner only."""
        return self.folder / "secrets"

    @property
    def password_file(self) -> Path:
        """Return the file that holds the password of the user ``admin``."""
        return self.secrets / "admin-password"


def find_home(environment: Mapping[str, str]) -> Path:
    """Return ESCALATOR_STACK_HOME, or ``escalator-airflow`` in the user's cache folder."""
    if chosen := environment.get(HOME_VARIABLE):
        return Path(chosen).expanduser().absolute()
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "escalator-airflow"
