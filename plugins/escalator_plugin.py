"""The one module that Airflow loads from the plugins folder: registers what Escalator adds to Airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from escalator_airflow import pools, preload, start_line
from escalator_airflow.timetables.maintenance_window import MaintenanceWindow
from escalator_airflow.web.lazy_app import URL_PREFIX, LazyApp


class EscalatorPlugin(AirflowPlugin):
    """Escalator in Airflow: what is done when its jobs start, the timetable of windows, the VIM interface."""

    name = "escalator"
    listeners = [pools, preload, start_line]  # noqa: RUF012
    timetables = [MaintenanceWindow]  # noqa: RUF012
    fastapi_apps = [{"app": LazyApp(), "name": "VIM interface", "url_prefix": URL_PREFIX}]  # noqa: RUF012
