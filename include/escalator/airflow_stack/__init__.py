"""A real Airflow on this machine: PostgreSQL, scheduler, DAG processor, triggerer and API server.

For demonstrations, tests and work on the project: everything on loopback, in one folder, ended by ``down``.
"""

from escalator.airflow_stack.errors import ComponentFailedError, PortTakenError, StackError
from escalator.airflow_stack.settings import StackSettings
from escalator.airflow_stack.stack import AirflowStack, ComponentStatus, StackStatus

__all__ = [
    "AirflowStack",
    "ComponentFailedError",
    "ComponentStatus",
    "PortTakenError",
    "StackError",
    "StackSettings",
    "StackStatus",
]
