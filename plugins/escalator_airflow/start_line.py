"""One line in the log of every component of Airflow's: what it uses of Escalator.

Jobs write it when they start, an API server with the first request, a worker with every check.

It costs milliseconds: variables are read, no file and no database is opened, nothing of ``escalator`` is
imported. ``escalator doctor`` looks closer.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from airflow.listeners import hookimpl

from escalator_airflow.jobs import is_job
from escalator_airflow.sharing import record_sharing

MUST_AGREE = ("ESCALATOR_LEDGER_URL", "ESCALATOR_INVENTORY_DIR")
OTHERS = ("ESCALATOR_HOME", "ESCALATOR_BUNDLE_DIR", "ESCALATOR_VNF_DIR", "ESCALATOR_REPORT_DIR")
_PASSWORD = re.compile(r"(://[^/:@]*:).*@")
HIDDEN = r"\1***@"

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: object) -> None:
    """Say what it uses when a scheduler, a DAG processor or a triggerer starts."""
    if is_job(component):
        tell_what_is_used()


def tell_what_is_used() -> None:
    """Say it in this process's log, or in that of the task that runs in it."""
    shared = record_sharing()
    log.info("%s", describe(os.environ, find_code(), shared))
    lacking = list_lacking(os.environ, shared)
    if lacking:
        log.error(
            "Escalator: %s not set, and %s: its DAGs refuse to run; see docs/reference/settings.md",
            " and ".join(lacking),
            shared,
        )


def describe(environment: Mapping[str, str], code: str, shared: str | None) -> str:
    """Put in words what a component uses; passwords are not shown.

    :param code: where the package is.
    :param shared: why the components are several; None: they are not.
    """
    said = [_say(name, environment.get(name)) for name in (*MUST_AGREE, *OTHERS)]
    return f"Escalator: code {code}; {'; '.join(said)}; {shared or 'one user runs all components'}"


def _say(name: str, value: str | None) -> str:
    """Say what a variable is; of an address neither the password nor the options, which may have one too."""
    if not value:
        return f"{name} not set"
    shown, options, _ = value.partition("?") if "://" in value else (value, "", "")
    return f"{name}={_PASSWORD.sub(HIDDEN, shown)}{options and '?…'}"


def list_lacking(environment: Mapping[str, str], shared: str | None) -> tuple[str, ...]:
    """Return what is not set and would be each user's own, where all components must have the same."""
    if shared is None or environment.get("ESCALATOR_HOME"):
        return ()
    return tuple(name for name in MUST_AGREE if not environment.get(name))


def find_code() -> str:
    """Return the folder of the package ``escalator``, which is not imported."""
    found = importlib.util.find_spec("escalator")
    return str(Path(found.origin).parent) if found and found.origin else "not found on PYTHONPATH"
