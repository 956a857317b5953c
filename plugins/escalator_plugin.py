"""The one module that Airflow loads from the plugins folder: registers what Escalator adds to Airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from escalator_airflow import pools
from escalator_airflow.timetables.maintenance_window import MaintenanceWindow


class EscalatorPlugin(AirflowPlugin):
    """Escalator in Airflow: the listener that makes the admission pool, the timetable of windows."""

    name = "escalator"
    listeners = [pools]  # noqa: RUF012
    timetables = [MaintenanceWindow]  # noqa: RUF012
