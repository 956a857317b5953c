"""Libraries that every reading of a DAG and every task needs: imported once, before processes are forked.

Airflow reads each DAG file and runs each task in a fork of a process that goes on. What that process has
imported costs the forks nothing: about 0.3 s of CPU time each. Escalator's own modules are not among it, and
the few that the plugin needs are forgotten in every fork: what is forked runs the code that is on disk then.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys

from airflow.listeners import hookimpl

from escalator_airflow.jobs import is_job

LIBRARIES = ("openstack.connection", "paramiko", "asgiref.sync", "pydantic", "semver", "sqlalchemy.orm")
"""Others' only: they change when they are installed, and then Airflow is restarted."""
OURS = frozenset({"escalator", "escalator_airflow"})

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: object) -> None:
    """Import them when a scheduler or another job starts; let its forks, and every task, read ours anew.

    A task hears of this before it reads its DAG file, whatever its executor forked it from.
    """
    if not is_job(component):
        forget_ours()
        return
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError as exc:  # the tasks that need it say so
            log.warning("%s is not there to be imported before processes are forked: %s", name, exc)
    os.register_at_fork(after_in_child=forget_ours)


def forget_ours() -> None:
    """Take Escalator's own modules out of what this process has imported; the next import reads the disk.

    What holds on to them, as the plugin does, keeps them as they were.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()
