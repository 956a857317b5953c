"""Where Escalator's files are: from the environment of every Airflow component."""

from __future__ import annotations

from pathlib import Path

from escalator.settings.places import find_inventory_dir, find_report_dir
from escalator.settings.sharing import refuse_private
from escalator_airflow.sharing import record_sharing


def inventory_dir() -> Path:
    """Return the folder of the inventory files: ``ESCALATOR_INVENTORY_DIR``.

    Whatever Airflow starts of ours asks for it first, so what else must be shared is judged here as well.

    :raises InvalidRequestError: this Airflow has several components, and what they share is not set: ledger
        or inventory, each is named.
    """
    record_sharing()
    refuse_private()
    return find_inventory_dir()


def report_dir() -> Path:
    """Return the folder of the campaign reports: ``ESCALATOR_REPORT_DIR``."""
    return find_report_dir()
