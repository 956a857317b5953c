"""The DAG files as an installed package brings them: a DAG bundle, which Airflow's configuration names.

AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='[..., {"name": "escalator",
  "classpath": "escalator_airflow.dag_bundle.EscalatorDags", "kwargs": {}}]'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.bundles.local import LocalDagBundle

from escalator.model.errors import InvalidRequestError

_PACKAGE = Path(__file__).resolve().parent
CLASSPATH = f"{__name__}.EscalatorDags"
MARK = "escalator_airflow.generate"
"""A word of our DAG files that no other has."""


class EscalatorDags(LocalDagBundle):
    """The DAG files of the release that is installed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "path": str(find_dag_dir())})


def find_dag_dir() -> Path:
    """Return the folder of our DAG files: inside an installed package, ``dags`` of a checkout."""
    inside = _PACKAGE / "dags"
    return inside if inside.is_dir() else _PACKAGE.parents[1] / "dags"


def list_dag_folders() -> tuple[str, ...]:
    """Return the folder of our DAG files in each local DAG bundle that has them; two are one too many."""
    entries = conf.getjson("dag_processor", "dag_bundle_config_list")
    folders = [_find_folder(entry) for entry in entries] if isinstance(entries, list) else []
    return tuple(str(found) for folder in folders if folder and (found := _find_ours(folder)))


def judge_copies() -> None:
    """Refuse that several DAG bundles have our DAG files: each reading of one takes the DAGs from the other.

    :raises InvalidRequestError: names the folders.
    """
    folders = list_dag_folders()
    if len(folders) > 1:
        raise InvalidRequestError(
            f"the DAG files of Escalator are in {' and '.join(folders)}: every DAG is there more than once",
            remedy="leave them to one DAG bundle: remove the copy, or the entry of dag_bundle_config_list",
        )


def _find_folder(entry: dict[str, Any]) -> Path | None:
    if entry["classpath"] == CLASSPATH:
        return find_dag_dir()
    if entry["classpath"].endswith(".LocalDagBundle"):
        return Path((entry.get("kwargs") or {}).get("path") or conf.get("core", "dags_folder"))
    return None


def _find_ours(folder: Path) -> Path | None:
    """Return where below a folder our DAG files are."""
    for path in sorted(folder.rglob("upgrade.py")):
        if MARK in path.read_text(encoding="utf-8", errors="replace"):
            return path.parent
    return None
