"""The environment of Airflow's components: pure functions from settings to variables."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from escalator.airflow_stack.credentials import ADMIN
from escalator.settings.places import find_home
from escalator.settings.sharing import HOME_VARIABLE, LEDGER_VARIABLE, SHARED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from escalator.airflow_stack.credentials import Credentials
    from escalator.airflow_stack.settings import StackSettings

# Not handed down: Airflow's settings of another installation, and what would cost time at every start.
DROPPED_PREFIXES = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "PG")
DROPPED = frozenset(
    {"AIRFLOW_HOME", "AIRFLOW_CONFIG", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", SHARED_VARIABLE}
)


def select_inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what components get from the environment of the command that starts them."""
    return {
        name: value
        for name, value in environment.items()
        if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
    }


def make_airflow_variables(
    settings: StackSettings, credentials: Credentials, *, database_url: str
) -> dict[str, str]:
    """Return Airflow's configuration of a stack as ``AIRFLOW__SECTION__KEY`` variables."""
    sections: dict[str, dict[str, Any]] = {
        "core": _core(settings, credentials),
        "database": {"sql_alchemy_conn": database_url},
        "api": {
            "base_url": settings.url,
            "host": "127.0.0.1",
            "port": settings.api_port,
            "workers": 1,
            "secret_key": credentials.api_secret,
        },
        "api_auth": {"jwt_secret": credentials.jwt_secret},
        "logging": {
            "base_log_folder": settings.task_logs,
            "dag_processor_child_process_log_directory": settings.logs / "dag-parsing",
            "colored_console_log": False,
            "worker_log_server_port": settings.worker_log_port,
            "trigger_log_server_port": settings.trigger_log_port,
        },
        **_pace(settings),
    }
    variables = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for section, values in sections.items()
        for key, value in values.items()
    }
    return {"AIRFLOW_HOME": str(settings.folder / "airflow"), **variables}


def make_component_environment(
    settings: StackSettings,
    credentials: Credentials,
    *,
    database_url: str,
    ledger_url: str,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment of a component; ``settings.extra_env`` has the last word."""
    return {
        **select_inherited(environment),
        **make_airflow_variables(settings, credentials, database_url=database_url),
        "PYTHONPATH": str(settings.checkout / "include"),
        LEDGER_VARIABLE: ledger_url,
        HOME_VARIABLE: str(find_home(environment)),  # said aloud: all components run as this user
        **settings.extra_env,
    }


def compute_fingerprint(settings: StackSettings) -> str:
    """Return a digest of everything that running components would have to be restarted for."""
    facts = [
        str(settings.checkout),
        str(settings.python),
        settings.parallelism,
        settings.heartbeat_timeout_seconds,
        sorted(settings.extra_env.items()),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _core(settings: StackSettings, credentials: Credentials) -> dict[str, Any]:
    return {
        "executor": "LocalExecutor",
        "parallelism": settings.parallelism,
        "max_active_tasks_per_dag": 2 * settings.parallelism,
        "load_examples": False,
        "dags_folder": settings.checkout / "dags",
        "plugins_folder": settings.checkout / "plugins",
        "dags_are_paused_at_creation": False,
        "fernet_key": credentials.fernet_key,
        "simple_auth_manager_users": f"{ADMIN}:admin",
        "simple_auth_manager_passwords_file": credentials.simple_auth_file,
        "execution_api_server_url": f"{settings.url}/execution/",
        "min_serialized_dag_update_interval": 2,
    }


def _pace(settings: StackSettings) -> dict[str, dict[str, Any]]:
    """Return the intervals, in seconds: short, because a person or a test is waiting."""
    return {
        "scheduler": {
            "scheduler_heartbeat_sec": 1,
            "scheduler_idle_sleep_time": 0.3,
            "job_heartbeat_sec": 2,
            "task_instance_heartbeat_timeout": settings.heartbeat_timeout_seconds,
            "task_instance_heartbeat_timeout_detection_interval": 3,
            "orphaned_tasks_check_interval": 60,
        },
        "workers": {"min_heartbeat_interval": 3, "max_failed_heartbeats": 10},
        "dag_processor": {
            "refresh_interval": 5,
            "bundle_refresh_check_interval": 2,
            "min_file_process_interval": 8,
            "stale_dag_threshold": 10,
            "parsing_processes": 2,
            "print_stats_interval": 300,
        },
        "triggerer": {"job_heartbeat_sec": 2},
    }
