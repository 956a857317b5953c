"""Parsing in a process of its own: without the network, without the OpenStack provider, and with it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from tests.dags.conftest import ROOT

pytestmark = pytest.mark.airflow
REFUSE_PROVIDER = """
import importlib.abc, importlib.metadata, sys
import importlib_metadata
def hide(module):
    known = module.distributions
    module.distributions = lambda **words: (
        found for found in known(**words)
        if found.name not in {"apache-airflow-providers-openstack", "apache-airflow-providers-amazon"})
hide(importlib.metadata)
hide(importlib_metadata)
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"boto3", "botocore"} or name.startswith("airflow.providers.openstack"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Refuse())
"""
PARSE = """
import socket, sys
def refuse(self, *arguments):
    raise AssertionError(f"the network was used: {arguments}")
socket.socket.connect = socket.socket.connect_ex = refuse
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1], known_pools={"default_pool", "escalator_admission"})
assert not bag.import_errors, bag.import_errors
"""
HOOK = """
import json, os
os.environ["AIRFLOW_CONN_LAB"] = json.dumps({
    "conn_type": "openstack", "host": "http://127.0.0.1:9/v3", "login": "u", "password": "p",
    "extra": json.dumps({"OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"})})
from escalator_airflow.hooks.openstack import OpenStackCloudHook
cloud = OpenStackCloudHook("lab").get_conn()
import sys
code = ("boto3", "airflow.providers.openstack.hooks", "airflow.providers.openstack.operators")
print(len(bag.dags), cloud.counter.total, [n for n, m in sys.modules.items() if m and n.startswith(code)])
"""


def run(code: str, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("before", [REFUSE_PROVIDER, ""], ids=["without the provider", "with it"])
def test_dags_parse_without_the_network_and_the_hook_opens_a_cloud(
    clean_environment: dict[str, Any], before: str
) -> None:
    assert run(before + PARSE + HOOK, clean_environment, str(ROOT / "dags")) == "20 0 []"


def test_airflow_loads_the_plugin_and_not_the_package_beside_it(clean_environment: dict[str, Any]) -> None:
    code = """
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
print(sorted(p.name for p in plugins if "escalator" in p.name), errors)
"""
    environment = {**clean_environment, "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")}
    del environment["PYTHONPATH"]
    environment["PYTHONPATH"] = str(ROOT / "include")
    assert run(code, environment) == "['escalator'] {}"
