"""Asks the Airflow of this Python for its configuration, in a process of its own; no daemon is called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from escalator.doctor.findings import Finding, Health

LONGEST_SECONDS = 60
ABOUT = "Airflow"
_ASK = """
import json, os, sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from airflow import __version__
from airflow.configuration import conf
folder = conf.get("core", "plugins_folder")
spec = find_spec("escalator_plugin")
entered = "escalator" in entry_points(group="airflow.plugins").names
ours = spec.origin if spec and entered else None
copied = os.path.join(folder, "escalator_plugin.py")
plugins = [copied] if os.path.exists(copied) else []
plugins += [ours] if ours and os.path.realpath(ours) not in map(os.path.realpath, plugins) else []
sys.path.append(folder)
try:
    from escalator_airflow.dag_bundle import list_dag_folders
    from escalator_airflow.sharing import find_sharing
    shared = find_sharing(conf.get("core", "executor"), conf.get("database", "sql_alchemy_conn"))
    dags = list_dag_folders()
except ImportError:
    shared, dags, plugins = None, [], []
try:
    from escalator_airflow.settings import inventory_dir
    inventories = inventory_dir()
except Exception:  # said elsewhere
    inventories = None
faults = {}
for name in ("windows", "vnfms") if inventories else ():
    try:
        if (inventories / f"{name}.yaml").exists():
            from escalator_airflow import generate
            getattr(generate, f"judge_{name}")()
    except Exception as exc:
        faults[f"{name}.yaml"] = [getattr(exc, "message", None) or str(exc), getattr(exc, "remedy", None)]
print(json.dumps({"version": __version__, "plugins": plugins, "shared": shared, "dag_folders": dags,
    "plugins_folder": folder, "executor": conf.get("core", "executor"),
    "faults": faults}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowFacts:
    """What Airflow's configuration says, as this process would read it.

    :ivar plugins: the files that Escalator's plugin can come from; of several the first one counts.
    :ivar dag_folders: where Airflow's DAG bundles find Escalator's DAG files, each of which has all of them.
    :ivar shared: why the components are several; None: they are not, or the plugin is not there to tell.
    :ivar faults: file of the inventory folder that Airflow refuses -> why, and what to do.
    """

    version: str
    executor: str
    plugins_folder: str
    plugins: tuple[str, ...]
    dag_folders: tuple[str, ...]
    shared: str | None
    faults: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)


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
        return _read_facts(json.loads(done.stdout.splitlines()[-1]))
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


def _read_facts(said: dict[str, Any]) -> AirflowFacts:
    lists = {key: tuple(said[key]) for key in ("plugins", "dag_folders")}
    return AirflowFacts(**{**said, **lists})


def list_refused_files(facts: AirflowFacts, named: Collection[str]) -> Iterator[Finding]:
    """Say what Airflow shows as an import error: a rule of cron, a time zone, a bundle that is not there.

    :param named: files whose faults are said already.
    """
    for name, (found, remedy) in facts.faults.items():
        if name not in named:
            yield Finding(about=name, found=found, health=Health.FAULT, remedy=remedy)


def judge_airflow(facts: AirflowFacts) -> tuple[Finding, ...]:
    """Say what it is, and whether plugin and DAG files are there, once."""
    unknown = "the plugin is not there to tell whether its components are several"
    several = facts.shared or ("one user runs all components" if facts.plugins else unknown)
    return (
        Finding(about=ABOUT, found=f"{facts.version}, {facts.executor}; {several}"),
        _judge_plugins(facts),
        _judge_dags(facts.dag_folders),
    )


def _judge_plugins(facts: AirflowFacts) -> Finding:
    match facts.plugins:
        case ():
            found, health = f"neither installed nor in {facts.plugins_folder}", Health.FAULT
            remedy = (
                "install the package into the Python of every component, or copy what is in plugins/ there"
            )
        case (one,):
            found, health, remedy = one, Health.WELL, ""
        case (counts, *others):
            found, health = f"{counts}, and not {', '.join(others)}", Health.WARNING
            remedy = f"remove the copy in {facts.plugins_folder}: the package brings the plugin"
    return Finding(about="plugin", found=found, health=health, remedy=remedy)


def _judge_dags(folders: tuple[str, ...]) -> Finding:
    match folders:
        case ():
            found, health = "in no DAG bundle of Airflow's", Health.WARNING
            remedy = (
                "name escalator_airflow.dag_bundle.EscalatorDags in [dag_processor] dag_bundle_config_list"
            )
        case (one,):
            found, health, remedy = one, Health.WELL, ""
        case _:
            found, health = f"{' and '.join(folders)}: every DAG is there more than once", Health.FAULT
            remedy = "leave them to one DAG bundle: remove the copy, or the entry of dag_bundle_config_list"
    return Finding(about="DAG files", found=found, health=health, remedy=remedy)
