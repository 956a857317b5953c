"""The one module that Airflow loads from the plugins folder: registers what Escalator adds to Airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from escalator_airflow import pools, preload
from escalator_airflow.timetables.maintenance_window import MaintenanceWindow


class EscalatorPlugin(AirflowPlugin):
    """Escalator in Airflow: what is done when its jobs start, the timetable of windows."""

    name = "escalator"
    listeners = [pools, preload]  # noqa: RUF012
    timetables = [MaintenanceWindow]  # noqa: RUF012
