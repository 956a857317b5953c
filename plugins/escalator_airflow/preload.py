"""Libraries that every reading of a DAG and every task needs: imported once, before processes are forked.

Airflow reads each DAG file and runs each task in a fork of a process that goes on. What that process has
imported costs the forks nothing: about 0.3 s of CPU time each. Escalator's own modules are left out, so that
tasks run the code that is there when they start.
"""

from __future__ import annotations

import importlib
import logging

from airflow.listeners import hookimpl

from escalator_airflow.jobs import is_job

LIBRARIES = ("openstack.connection", "paramiko", "asgiref.sync", "pydantic", "semver", "sqlalchemy.orm")

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: object) -> None:
    """Import them when a scheduler or another job starts; tasks and what is no job have them already."""
    if not is_job(component):
        return
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError as exc:  # the tasks that need it say so
            log.warning("%s is not there to be imported before processes are forked: %s", name, exc)
