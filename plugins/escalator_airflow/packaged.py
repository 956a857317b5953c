"""The plugin as an installed package brings it, by the entry point ``airflow.plugins``.

Airflow loads its plugins folder first. A plugin that stands there as well is the one that counts, and this
one is none: it is never registered twice. ``escalator doctor`` names both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.plugins_manager import AirflowPlugin

MODULE = "escalator_plugin"


def find_plugin(folder: str | None) -> type[AirflowPlugin] | None:
    """Return the plugin; None where Airflow has loaded that of its plugins folder, working or not.

    :param folder: Airflow's plugins folder.
    """
    loaded = getattr(sys.modules.get(MODULE), "__file__", None)
    if loaded and folder and Path(loaded).is_relative_to(folder):
        return None
    from escalator_plugin import EscalatorPlugin  # noqa: PLC0415  not beside that of the folder

    return EscalatorPlugin


def _find_folder() -> str | None:
    from airflow import settings  # noqa: PLC0415

    return settings.PLUGINS_FOLDER


PLUGIN = find_plugin(_find_folder())
"""What the entry point names; Airflow passes over None."""
