"""The services of the control plane: how each is started, how it shows that it is ready, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError, ServiceFailedError
from escalator.lab.machine.cgroup import Cgroup
from escalator.lab.pins import digest
from escalator.lab.processes import PidFile, ensure_stopped, spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from escalator.lab.config import ControlConfig
    from escalator.lab.settings import LabSettings

READY_SECONDS = 90.0
VNF_PREFIX = "vnf-"
"""What the names of the processes of VNFs begin with; they are ended with the lab."""
_POSTGRES_DATA = "/run/escalator-lab-postgresql"
_RABBIT_LOW_MEMORY = "2GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the control plane.

    :param name: also the name of its pid file and its log.
    :param port: the TCP port on 127.0.0.1 that it answers on; None when there is none.
    :param speaks_http: whether an HTTP answer, not an open port, shows that it is ready.
    :param probe: a command that ends with 0 once it is ready, where an open port says too little.
    :param stop_signal: what makes it end at once and in order.
    """

    name: str
    command: tuple[str | Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    speaks_http: bool = False
    probe: tuple[str | Path, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRunner:
    """Start and end services of one lab instance.

    All are in one control group, with whatever they start: what outlives its service is found there.

    :param run: the instance's folder; pid files and logs are in it.
    """

    run: Path

    @property
    def cgroup(self) -> Cgroup:
        """Return the control group of all services of the instance."""
        return Cgroup.named(f"services-{digest(str(self.run))}")

    def pid_file(self, name: str) -> PidFile:
        """Return the pid file of a service."""
        return PidFile(path=self.run / "pid" / f"{name}.json")

    def is_alive(self, name: str) -> bool:
        """Tell whether the process of a service runs."""
        return self.pid_file(name).alive() is not None

    def ensure_started(self, service: Service) -> bool:
        """Start a service that does not run; tell whether it had to be started."""
        if self.is_alive(service.name):
            return False
        self.cgroup.make()
        spawn(
            self.cgroup.joined_by(service.command),
            pid_file=self.pid_file(service.name),
            log=self.run / "log" / f"{service.name}.out",
            environment={**clean_environment(), **service.environment},
            cwd=self.run,
        )
        return True

    def wait_ready(
        self, service: Service, *, address: str = "127.0.0.1", timeout_seconds: float = READY_SECONDS
    ) -> None:
        """Wait until a service answers.

        :raises ServiceFailedError: when it ended, or does not answer in time.
        """
        log = self.run / "log" / f"{service.name}.out"

        def is_ready_or_dead() -> bool:
            return _answers(service, address) or not self.is_alive(service.name)

        in_time = wait_until(is_ready_or_dead, timeout_seconds=timeout_seconds, poll_seconds=0.2)
        if not self.is_alive(service.name):
            raise ServiceFailedError(f"{service.name} ended while it started", f"read {log}")
        if not in_time:
            raise ServiceFailedError(
                f"{service.name} did not answer in {timeout_seconds:.0f} s", f"read {log}"
            )

    def ensure_stopped(self, service: Service) -> bool:
        """End a service; tell whether it ran."""
        return ensure_stopped(self.pid_file(service.name), sig=service.stop_signal)

    def kill_all(self, prefix: str) -> bool:
        """Kill the processes whose names begin so; tell whether any ran."""
        found = [path.stem for path in (self.run / "pid").glob(f"{prefix}*.json")]
        ended = [ensure_stopped(self.pid_file(name), sig=signal.SIGKILL) for name in found]
        return any(ended)

    def ensure_removed(self) -> bool:
        """Kill what is left of all services, with what they started; tell whether there was something."""
        left = bool(self.cgroup.fetch_processes())
        self.cgroup.ensure_removed()
        return left


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would change how OpenStack or Python behaves."""
    unwanted = ("PYTHON", "OS_", "UV_", "VIRTUAL_ENV", "AIRFLOW", "NOVA_", "ERL_", "RABBITMQ_", "PG")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    proxies = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    return {key: value for key, value in kept.items() if key not in proxies} | {"PYTHONWARNINGS": "ignore"}


def postgresql(settings: LabSettings) -> Service:
    """Return the database server; it sees its data at a path that its own user may read.

    Its shared memory is in namespaces of its own: it goes with its last process, also when that was killed.
    """
    data = settings.run / "state" / "postgresql"
    start = (
        "mount -t tmpfs tmpfs /dev/shm && "
        f"mount -t tmpfs -o mode=755 tmpfs /run && mkdir {_POSTGRES_DATA} && "
        f'mount --bind "$0" {_POSTGRES_DATA} && exec "$@"'
    )
    options = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "jit": "off",
        "max_connections": "600",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "port": str(settings.ports.postgresql),
    }
    flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    server: list[str | Path] = [*as_postgres(), postgresql_bin() / "postgres", "-D", _POSTGRES_DATA, *flags]
    return Service(
        name="postgresql",
        command=("unshare", "--mount", "--ipc", "sh", "-c", start, data, *server),
        port=settings.ports.postgresql,
        probe=(
            postgresql_bin() / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(settings.ports.postgresql),
        ),
        stop_signal=signal.SIGINT,
    )


def as_postgres() -> tuple[str, ...]:
    """Return the words that make a command run as the user of the database server."""
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def postgresql_bin() -> Path:
    """Return the folder of the newest PostgreSQL server programs.

    :raises LabError: when there are none.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise LabError("PostgreSQL is not installed", "run: escalator lab install")
    return found[-1].parent


def rabbitmq(settings: LabSettings) -> Service:
    """Return the message broker, with names, ports and files of its own."""
    base = settings.run / "state" / "rabbitmq"
    quiet = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
    local = f"-setcookie escalator-lab-{settings.instance} -kernel inet_dist_use_interface {{127,0,0,1}}"
    return Service(
        name="rabbitmq",
        command=("/usr/lib/rabbitmq/bin/rabbitmq-server",),
        environment={
            "HOME": str(base),
            "RABBITMQ_NODENAME": f"escalator-lab-{settings.instance}@localhost",
            "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(base / "pid"),
            "RABBITMQ_DIST_PORT": str(settings.ports.rabbitmq_distribution),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(settings.ports.epmd),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{quiet} {local}",
        },
        port=settings.ports.rabbitmq,
        stop_signal=signal.SIGKILL,
    )


def epmd(settings: LabSettings) -> Service:
    """Return Erlang's port mapper; started by us, so that it is ours to end."""
    return Service(
        name="epmd",
        command=("epmd", "-address", "127.0.0.1", "-port", str(settings.ports.epmd)),
        port=settings.ports.epmd,
        stop_signal=signal.SIGKILL,
    )


def write_rabbitmq_config(settings: LabSettings) -> None:
    """Write what the broker reads at its start."""
    base = settings.run / "state" / "rabbitmq"
    base.mkdir(parents=True, exist_ok=True)
    listeners = "".join(
        f"listeners.tcp.{number} = {address}:{settings.ports.rabbitmq}\n"
        for number, address in enumerate(settings.listen_addresses, 1)
    )
    (base / "rabbitmq.conf").write_text(
        f"{listeners}"
        "loopback_users = none\n"
        "disk_free_limit.absolute = 50MB\n"
        "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        f"vm_memory_high_watermark.absolute = {_RABBIT_LOW_MEMORY}\n"
    )
    (base / "enabled_plugins").write_text("[].\n")


def openstack_services(config: ControlConfig) -> tuple[Service, ...]:
    """Return Keystone first, then the services that may start in any order."""
    etc, venv = config.etc, config.settings.control_venv
    keystone = {
        "OS_KEYSTONE_CONFIG_DIR": str(etc / "keystone"),
        "OS_KEYSTONE_CONFIG_FILES": str(etc / "keystone" / "keystone.conf"),
    }
    neutron = {
        "OS_NEUTRON_CONFIG_DIR": str(etc / "neutron"),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini",
    }
    conductor = (venv / "bin/nova-conductor", "--config-file", etc / "nova-cell1/nova.conf")
    scheduler = (venv / "bin/nova-scheduler", "--config-file", etc / "nova/nova.conf")
    return (
        wsgi(config, "keystone", "keystone.wsgi.api", keystone),
        wsgi(config, "placement", "placement.wsgi.api", {"OS_PLACEMENT_CONFIG_DIR": str(etc / "placement")}),
        Service(name="nova-conductor", command=conductor, stop_signal=signal.SIGKILL),
        Service(name="nova-scheduler", command=scheduler, stop_signal=signal.SIGKILL),
        wsgi(config, "nova", "nova.wsgi.osapi_compute", {"OS_NOVA_CONFIG_DIR": str(etc / "nova")}),
        wsgi(config, "neutron", "neutron.wsgi.api", neutron),
        wsgi(config, "glance", "glance.wsgi.api", {"OS_GLANCE_CONFIG_DIR": str(etc / "glance")}),
    )


def wsgi(
    config: ControlConfig,
    name: str,
    module: str,
    environment: Mapping[str, str],
    *,
    port: int | None = None,
    words: str = "",
) -> Service:
    """Return a service that uWSGI runs.

    :param port: that it answers on; None: the one that goes with its name.
    :param words: its arguments.
    """
    port, venv = port or config.settings.ports.as_dict()[name], config.settings.control_venv
    sockets = (
        word
        for address in config.settings.listen_addresses
        for word in ("--http-socket", f"{address}:{port}")
    )
    flags = (
        "--master",
        "--need-app",
        "--die-on-term",
        "--lazy-apps",
        "--enable-threads",
        "--disable-logging",
    )
    return Service(
        name=name,
        command=(
            venv / "bin/uwsgi",
            *sockets,
            *("--module", module, "--virtualenv", venv),
            *("--processes", "1", "--threads", "8", "--buffer-size", "65535", "--listen", "100"),
            *("--http-chunked-input", "--add-header", "Connection: close"),
            *flags,
            *(("--pyargv", words) if words else ()),
        ),
        environment=environment,
        port=port,
        speaks_http=True,
        stop_signal=signal.SIGKILL,
    )


def _answers(service: Service, address: str) -> bool:
    if service.port is None:
        return True
    if service.probe:  # PostgreSQL listens before it lets anybody in
        return subprocess.run(service.probe, env=clean_environment(), check=False).returncode == 0
    if not service.speaks_http:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((address, service.port)) == 0
    try:
        with urllib.request.urlopen(f"http://{address}:{service.port}/", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500  # noqa: PLR2004
    except OSError:
        return False


def run_sql(settings: LabSettings, database: str, sql: str) -> str:
    """Run SQL and return the rows as text, fields separated by ``|``.

    :raises ServiceFailedError: when the database refuses it.
    """
    done = subprocess.run(
        [
            *("psql", "-h", "127.0.0.1", "-p", str(settings.ports.postgresql), "-U", "lab"),
            *("-v", "ON_ERROR_STOP=1", "-At", "-d", database, "-c", sql),
        ],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServiceFailedError(f"PostgreSQL: {done.stderr.strip()}", f"the statement was: {sql[:200]}")
    return done.stdout.strip()
