"""The one module that Airflow loads from the plugins folder: registers what Escalator adds to Airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from escalator_airflow import pools, preload, start_line
from escalator_airflow.timetables.maintenance_window import MaintenanceWindow
from escalator_airflow.web.lazy_app import BOARD_PREFIX, URL_PREFIX, LazyApp, make_board


class EscalatorPlugin(AirflowPlugin):
    """Escalator in Airflow: what is done when its jobs start, the timetable of windows, its web apps."""

    name = "escalator"
    listeners = [pools, preload, start_line]  # noqa: RUF012
    timetables = [MaintenanceWindow]  # noqa: RUF012
    fastapi_apps = [  # noqa: RUF012
        {"app": LazyApp(), "name": "VIM interface", "url_prefix": URL_PREFIX},
        {"app": LazyApp(make_board), "name": "Escalator", "url_prefix": BOARD_PREFIX},
    ]
    # without a leading slash: below the path that Airflow itself is served at
    external_views = [  # noqa: RUF012
        {
            "name": "Escalator",
            "href": f"{BOARD_PREFIX[1:]}/board",
            "destination": "nav",
            "url_route": "escalator",
        },
        {
            "name": "Board",
            "href": f"{BOARD_PREFIX[1:]}/board/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "escalator_board",
        },
    ]
