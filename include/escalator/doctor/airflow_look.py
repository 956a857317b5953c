"""Asks the Airflow of this Python for its configuration, in a process of its own; no daemon is called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from escalator.doctor.findings import Finding, Health

LONGEST_SECONDS = 60
ABOUT = "Airflow"
_ASK = """
import json, os, sys
from airflow import __version__
from airflow.configuration import conf
folder = conf.get("core", "plugins_folder")
sys.path.insert(0, folder)
try:
    from escalator_airflow.sharing import find_sharing
    shared = find_sharing(conf.get("core", "executor"), conf.get("database", "sql_alchemy_conn"))
    plugin = os.path.exists(os.path.join(folder, "escalator_plugin.py"))
except ImportError:
    shared, plugin = None, False
print(json.dumps({"version": __version__, "plugins_folder": folder, "plugin": plugin, "shared": shared,
    "executor": conf.get("core", "executor"), "dags_folder": conf.get("core", "dags_folder")}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowFacts:
    """What Airflow's configuration says, as this process would read it.

    :ivar plugin: Escalator's plugin is in the plugins folder.
    :ivar shared: why the components are several; None: they are not, or the plugin is not there to tell.
    """

    version: str
    executor: str
    plugins_folder: str
    dags_folder: str
    plugin: bool
    shared: str | None


def ask_airflow(environment: Mapping[str, str]) -> AirflowFacts | Finding:
    """Ask it; a second or two. Where there is none, or it does not answer, a finding says so."""
    try:
        version("apache-airflow-core")
    except PackageNotFoundError:
        return Finding(about=ABOUT, found="is not installed beside this command: not asked")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=True,
        )
        return AirflowFacts(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        reason = f"no answer in {LONGEST_SECONDS} s"
    except subprocess.CalledProcessError as exc:
        reason = next(reversed(exc.stderr.strip().splitlines()), f"exit code {exc.returncode}")
    except (ValueError, TypeError, IndexError) as exc:
        reason = f"its answer cannot be read: {exc}"
    return Finding(
        about=ABOUT,
        found=f"its configuration cannot be read: {reason}",
        health=Health.FAULT,
        remedy="see AIRFLOW_HOME, and what `airflow config list` says",
    )


def judge_airflow(facts: AirflowFacts) -> tuple[Finding, ...]:
    """Say what it is, and whether plugin and DAG files are where it looks for them."""
    unknown = "the plugin is not there to tell whether its components are several"
    several = facts.shared or ("one user runs all components" if facts.plugin else unknown)
    dags = next(iter(sorted(Path(facts.dags_folder).rglob("upgrade.py"))), None)
    return (
        Finding(about=ABOUT, found=f"{facts.version}, {facts.executor}; {several}"),
        Finding(
            about="plugin",
            found=f"{'in' if facts.plugin else 'not in'} {facts.plugins_folder}",
            health=Health.WELL if facts.plugin else Health.FAULT,
            remedy="copy what is in plugins/ there, for every component",
        ),
        Finding(
            about="DAG files",
            found=str(dags.parent) if dags else f"not in {facts.dags_folder}",
            health=Health.WELL if dags else Health.WARNING,
            remedy="copy dags/ there, unless a DAG bundle of Airflow's brings them from elsewhere",
        ),
    )
