"""Where Escalator's files are: from the environment of every Airflow component."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder for what is not set apart: ``ESCALATOR_HOME``, else ``~/.escalator``."""
    return Path(os.environ.get("ESCALATOR_HOME") or Path.home() / ".escalator")


def inventory_dir() -> Path:
    """Return the folder of the inventory files: ``ESCALATOR_INVENTORY_DIR``."""
    return Path(os.environ.get("ESCALATOR_INVENTORY_DIR") or home() / "inventory")


def report_dir() -> Path:
    """Return the folder of the campaign reports: ``ESCALATOR_REPORT_DIR``."""
    return Path(os.environ.get("ESCALATOR_REPORT_DIR") or home() / "reports")
