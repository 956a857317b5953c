"""Rules, dashboard and mapping name metrics that there are, and Prometheus takes the rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.conftest import ROOT
from tests.events.documented import read_events

from escalator.events.conclusion import MEASURED
from escalator.events.event import Action
from escalator.events.metrics import METRICS, Kind, Metric
from escalator.events.told_gaps import OVER
from escalator.events.told_run import ARRIVED, GIVEN_BACK
from escalator.model.decisions import Admission
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.step import Outcome
from escalator.reports.document import CampaignOutcome

FOLDER = ROOT / "docs" / "monitoring"
MAPPING = yaml.safe_load((FOLDER / "statsd-mapping.yaml").read_text())["mappings"]
NAMED = re.compile(r"\bescalator_[a-z_]+")
LABEL = re.compile(r'([a-z_]+)\s*(?:=~?|!=)\s*"|by \(([a-z_, ]+)\)')
OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


def known_names() -> set[str]:
    names = {m.prometheus_name for m in METRICS}
    spread = {m.prometheus_name for m in METRICS if m.kind is Kind.TIMING}
    return names | {name + ending for name in spread for ending in OF_HISTOGRAMS}


def expressions() -> list[str]:
    rules = yaml.safe_load((FOLDER / "prometheus-rules.yaml").read_text())
    board = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return [
        *(rule["expr"] for group in rules["groups"] for rule in group["rules"]),
        *(target["expr"] for panel in board["panels"] for target in panel["targets"]),
        *(variable.get("definition", "") for variable in board["templating"]["list"]),
    ]


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prometheus' own checker: the one that is there, else Debian's, unpacked and not installed."""
    found = shutil.which("promtool")
    if found:
        return found
    folder = tmp_path_factory.mktemp("prometheus")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("promtool is not installed, and this is no Debian to fetch its package from")
    fetched = subprocess.run(
        ["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, text=True, check=False
    )
    packages = list(folder.glob("*.deb"))
    if not packages:
        pytest.skip(f"promtool is not installed, and its package cannot be fetched: {fetched.stderr[-200:]}")
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(folder)], check=True)
    return str(folder / "usr" / "bin" / "promtool")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules(promtool: str) -> None:
    assert "SUCCESS: 7 rules found" in run(promtool, "check", "rules", str(FOLDER / "prometheus-rules.yaml"))


def test_rules_fire_when_they_should(promtool: str) -> None:
    run(promtool, "test", "rules", str(FOLDER / "prometheus-rules.test.yaml"))


def test_rules_and_dashboard_name_metrics_that_there_are() -> None:
    named = {name for text in expressions() for name in NAMED.findall(text)}
    assert sorted(named - known_names()) == []
    shown = {name.removesuffix("_bucket") for name in named}
    assert sorted({m.prometheus_name for m in METRICS} - shown) == []


def test_labels_are_tags_that_metrics_have() -> None:
    found = {
        label for text in expressions() for pair in LABEL.findall(text) for label in ",".join(pair).split(",")
    }
    assert {label.strip() for label in found} - {""} <= {tag for m in METRICS for tag in m.tags} | {"le"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_mapped_with_tags_in_its_name_and_without(metric: Metric) -> None:
    path = f"airflow.{metric.name}"
    in_parts, with_tags = path + ".*" * len(metric.tags), path
    rows = {row["match"]: row for row in MAPPING if row["name"] == metric.prometheus_name}
    assert sorted(rows) == sorted((in_parts, with_tags))
    assert rows[in_parts]["labels"] == {tag: f"${number}" for number, tag in enumerate(metric.tags, 1)}
    spread = {row.get("observer_type") for row in rows.values()}
    assert spread == ({"histogram"} if metric.kind is Kind.TIMING else {None})


def test_nothing_is_mapped_that_is_no_metric() -> None:
    assert {row["name"] for row in MAPPING} == {m.prometheus_name for m in METRICS}


def test_remedies_of_rules_are_headings_of_the_guide() -> None:
    guide = (ROOT / "docs" / "operations" / "nodes-out.md").read_text()
    said = (FOLDER / "prometheus-rules.yaml").read_text()
    headings = re.findall(r'See "([^"]+)" in docs/operations/nodes-out\.md', said)
    assert headings
    assert [heading for heading in headings if f"## {heading}\n" not in guide] == []


def test_every_event_is_told_of_with_its_words() -> None:
    rows = read_events()
    assert rows.keys() == set(Action)
    assert rows["step_ended"] == set(Outcome)
    assert rows["campaign_concluded"] == set(CampaignOutcome)
    assert rows["decision"] == set(Admission) - {Admission.ADMIT}
    assert rows["lease"] == {*LeasePhase, *LeaseMark, GIVEN_BACK}
    assert rows["interruption"] == {OVER, MEASURED}
    assert rows["move"] == {ARRIVED, "not arrived"}


def test_files_are_told_of_in_the_page() -> None:
    page = (FOLDER / "README.md").read_text()
    assert [path.name for path in Path(FOLDER).iterdir() if path.name not in page] == ["README.md"]
