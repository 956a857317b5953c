"""The stack as a whole: up, down, status."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from escalator.airflow_client import AirflowClient, AirflowUnavailableError, Password
from escalator.airflow_stack.components import Component, ComponentName
from escalator.airflow_stack.credentials import ADMIN, ensure_credentials, ensure_secret, make_password
from escalator.airflow_stack.environment import compute_fingerprint, make_component_environment
from escalator.airflow_stack.errors import ComponentFailedError, StackError
from escalator.airflow_stack.ports import refuse_taken
from escalator.airflow_stack.postgres import Cluster
from escalator.airflow_stack.template import AIRFLOW_DATABASE, LEDGER_DATABASE, Template, ensure_cluster
from escalator.airflow_stack.workers import KilledWorker, kill_worker
from escalator.lab.processes import PidFile
from escalator.lab.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from escalator.airflow_stack.settings import StackSettings

HEALTH_SECONDS = 180.0
HEALTH_POLL_SECONDS = 0.3
GRACE_SECONDS = 6.0
API_GRACE_SECONDS = 2.0  # it would wait for idle connections and has nothing to lose
PARTS = frozenset({"metadatabase", "scheduler", "triggerer", "dag_processor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """One process of the stack; pid None when it does not run."""

    name: str
    pid: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStatus:
    """How a stack stands.

    :param unhealthy: parts that Airflow's own health answer does not call healthy; None without an answer.
    """

    url: str
    folder: Path
    password_file: Path
    components: tuple[ComponentStatus, ...]
    unhealthy: tuple[str, ...] | None

    @property
    def is_healthy(self) -> bool:
        """Tell whether everything runs and says that it is well."""
        return self.unhealthy == () and all(component.pid is not None for component in self.components)


class AirflowStack:
    """A real Airflow as processes of its own, with its own PostgreSQL.

    :param settings: where and how large.
    :param progress: receives what is being done.
    """

    def __init__(self, settings: StackSettings, *, progress: Progress | None = None) -> None:
        self.settings = settings
        self._progress = progress or Progress()
        self._components = tuple(Component.of(settings, name) for name in ComponentName)

    @property
    def logs(self) -> Path:
        """Return the folder with the output of the components, and ``tasks/`` with those of the tasks."""
        return self.settings.logs

    @property
    def cluster(self) -> Cluster:
        """Return the database cluster."""
        return Cluster(
            data=self.settings.folder / "postgres",
            port=self.settings.postgres_port,
            password=ensure_secret(self.settings.home / "postgres-password", make_password),
            pid_file=PidFile(path=self.settings.folder / "pids" / "postgres.json"),
            log=self.logs / "postgres.log",
        )

    def up(self) -> None:
        """Start what does not run and wait until all is healthy; a second run changes nothing.

        What died with something else, such as the database, is started too, once it is seen to have ended.

        :raises PortTakenError: a port belongs to somebody else; names the process.
        :raises StackError: the stack runs already with other settings.
        :raises ComponentFailedError: something ended or did not become healthy in time.
        """
        self._refuse_other_settings()
        for part in self._components:
            part.end_what_is_left()
        if not self._api_server.alive():
            refuse_taken(self.settings.api_port, wanted_by="Airflow's API server")
        self.logs.mkdir(parents=True, exist_ok=True)
        environment, begun = self._environment(), datetime.now(UTC)
        database = self.cluster.pid_file.alive()
        template = Template(home=self.settings.home, include=self.settings.checkout / "include")
        ensure_cluster(self.cluster, template, environment=environment, progress=self._progress)
        self._progress.say(f"PostgreSQL answers on port {self.settings.postgres_port}")
        (self.settings.folder / "settings").write_text(compute_fingerprint(self.settings))
        started = self._start_missing(environment)
        self._progress.say(f"started {', '.join(started)}" if started else "Airflow runs already")
        is_new = database is None or self.cluster.pid_file.alive() != database
        self._wait_healthy(environment, started, since=begun if is_new or started else None)
        with self.client() as client:
            for name, slots in self.settings.pools.items():
                client.ensure_pool(name, slots)
        self._progress.say(f"Airflow is healthy: {self.settings.url}")
        self._progress.say(f"user {ADMIN}, password in {self.settings.password_file}")

    def down(self, *, wipe: bool = False) -> bool:
        """End everything that the stack started, tasks included; tell whether there was anything.

        :param wipe: remove the stack's folder too; without it the next ``up`` finds the same runs and logs.
        """
        with ThreadPoolExecutor(len(self._components)) as pool:
            ended = list(pool.map(_stop, self._components))
        ended.append(self.cluster.stop())
        if wipe:
            shutil.rmtree(self.settings.folder, ignore_errors=True)
        self._progress.say("Airflow has ended" if any(ended) else "no Airflow ran")
        return any(ended)

    def status(self) -> StackStatus:
        """Return which processes run, and what Airflow says about its health."""
        running = {part.name.value: part.alive() for part in self._components}
        running["postgres"] = self.cluster.pid_file.alive()
        return StackStatus(
            url=self.settings.url,
            folder=self.settings.folder,
            password_file=self.settings.password_file,
            components=tuple(
                ComponentStatus(name=name, pid=identity.pid if identity else None)
                for name, identity in running.items()
            ),
            unhealthy=self._unhealthy() if running[ComponentName.API_SERVER] else None,
        )

    def client(self) -> AirflowClient:
        """Return a client that is logged in as the administrator; close it after use."""
        password = ensure_credentials(self.settings).admin_password
        return AirflowClient(self.settings.url, login=Password(user=ADMIN, password=password))

    def database_url(self, name: str) -> str:
        """Make a database of that name when there is none, and return its SQLAlchemy address.

        :raises InvalidRequestError: the name is not a plain identifier.
        :raises StackError: the database does not run.
        """
        return self.cluster.ensure_database(name)

    def kill(self, name: ComponentName) -> None:
        """Kill -9 a component with everything that came out of it; ``up`` starts it again."""
        for part in self._components:
            if part.name is name:
                part.kill()

    def kill_worker_of(
        self, dag_id: str, run_id: str, task_id: str, *, timeout_seconds: float = 60.0
    ) -> KilledWorker:
        """Wait until a task runs, then kill -9 its supervisor, the task and what the task started.

        Airflow notices after ``settings.heartbeat_timeout_seconds`` and retries the task if it may.

        :raises StackError: the task did not run in that time.
        """
        with self.client() as client:
            return kill_worker(
                client, dag_id=dag_id, run_id=run_id, task_id=task_id, timeout_seconds=timeout_seconds
            )

    @property
    def _api_server(self) -> Component:
        return self._components[0]

    def _environment(self) -> dict[str, str]:
        return make_component_environment(
            self.settings,
            ensure_credentials(self.settings),
            database_url=self.cluster.url(AIRFLOW_DATABASE),
            ledger_url=self.cluster.url(LEDGER_DATABASE),
            environment=os.environ,
        )

    def _refuse_other_settings(self) -> None:
        marker = self.settings.folder / "settings"
        if not marker.exists() or not any(part.alive() for part in self._components):
            return
        if marker.read_text() != compute_fingerprint(self.settings):
            raise StackError(
                f"stack {self.settings.instance} runs already, with other settings",
                remedy=f"end it first: escalator airflow down --instance {self.settings.instance}",
            )

    def _start_missing(self, environment: Mapping[str, str]) -> tuple[ComponentName, ...]:
        return tuple(part.name for part in self._components if part.ensure_started(environment))

    def _wait_healthy(
        self, environment: Mapping[str, str], started: tuple[ComponentName, ...], *, since: datetime | None
    ) -> None:
        """Wait; a component that ends meanwhile is started again, unless this very call has started it."""
        deadline = time.monotonic() + HEALTH_SECONDS
        waiting: tuple[str, ...] | None = None
        while True:
            unhealthy, ended = self._unhealthy(since=since), self._find_ended()
            if unhealthy == () and not ended:
                return
            if ended:
                self._start_again(ended, environment, but=started)
                started, since = (*started, *(part.name for part in ended)), datetime.now(UTC)
            if unhealthy != waiting and unhealthy:
                self._progress.say(f"waiting for {', '.join(unhealthy)}")
            waiting = unhealthy
            if time.monotonic() > deadline:
                raise ComponentFailedError(
                    f"Airflow is not healthy after {HEALTH_SECONDS:.0f} s", remedy=f"read {self.logs}"
                )
            time.sleep(HEALTH_POLL_SECONDS)

    def _start_again(
        self, ended: tuple[Component, ...], environment: Mapping[str, str], *, but: tuple[ComponentName, ...]
    ) -> None:
        for part in ended:
            if part.name in but:
                raise ComponentFailedError(
                    f"Airflow's {part.name} ended:\n{part.last_words()}", remedy=f"read {part.log}"
                )
            part.ensure_started(environment)
            self._progress.say(f"{part.name} ended meanwhile; started it again")

    def _find_ended(self) -> tuple[Component, ...]:
        return tuple(part for part in self._components if part.alive() is None)

    def _unhealthy(self, *, since: datetime | None = None) -> tuple[str, ...] | None:
        """Return the parts that are not well; None when the API server does not answer.

        :param since: a sign of life from before counts for nothing: it is a predecessor's.
        """
        try:
            with self.client() as client:
                health = client.health()
        except AirflowUnavailableError:
            return None
        missing = PARTS - set(health.parts)
        old = [name for name, beat in health.heartbeats.items() if since is not None and beat < since]
        return tuple(sorted({*missing, *health.unhealthy, *old}))


def _stop(part: Component) -> bool:
    is_api = part.name is ComponentName.API_SERVER
    return part.stop(grace_seconds=API_GRACE_SECONDS if is_api else GRACE_SECONDS)
