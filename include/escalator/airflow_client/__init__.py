"""A small typed client of Airflow's REST API (v2), and the ``escalator run`` verb that is built on it."""

from escalator.airflow_client.client import AirflowClient
from escalator.airflow_client.errors import (
    AirflowUnavailableError,
    LoginRefusedError,
    NotInAirflowError,
    RequestRefusedError,
    RunTimeoutError,
)
from escalator.airflow_client.records import (
    Connection,
    Dag,
    DagImportError,
    DagRun,
    Health,
    Pool,
    RunState,
    TaskInstance,
    TaskState,
)
from escalator.airflow_client.transport import Password, Token

__all__ = [
    "AirflowClient",
    "AirflowUnavailableError",
    "Connection",
    "Dag",
    "DagImportError",
    "DagRun",
    "Health",
    "LoginRefusedError",
    "NotInAirflowError",
    "Password",
    "Pool",
    "RequestRefusedError",
    "RunState",
    "RunTimeoutError",
    "TaskInstance",
    "TaskState",
    "Token",
]
