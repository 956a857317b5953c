import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_airflow import FakeAirflow, let_start
from tests.builders import make_plan

from escalator.airflow_client import rollforward_cli
from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeState

DAG = "upgrade__lab__cell1-az1-general"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
BUNDLE = {"schema": "escalator.bundle/1", "name": "nova-34"}


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeAirflow:
    """A ledger in which a run upgraded two of three nodes, and the file of its bundle."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    Ledger.create_or_upgrade(url)
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(tmp_path))
    run = Ledger().run(DAG, "run-1")
    plan = make_plan("a", "b", "c", campaign=DAG, run_id="run-1", bundle="nova-34")
    run.open(plan, dag_id=DAG, bundle_document=BUNDLE, snapshot_before={}, now=NOW)
    for host, state in (("a", NodeState.RELEASED), ("b", NodeState.RELEASED), ("c", NodeState.FAILED)):
        run.set_progress(host, state, now=NOW)
    (tmp_path / "nova-34.yaml").write_text(json.dumps(BUNDLE))
    return let_start(DAG, monkeypatch)


def start(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    rollforward_cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["rollforward", *arguments])
    return int(args.run(args))


def test_what_the_ledger_says_was_applied_is_brought_again(airflow: FakeAirflow) -> None:
    assert start("--cloud", "lab", "--domain", "cell1/az1/general", "--run", "run-1") == 0
    conf = airflow.sent("POST", RUNS)[-1]["conf"]
    assert (conf["bundle"], conf["hosts"]) == ("nova-34", ["a", "b"])
    assert start("--dag", DAG, "--run", "run-1", "--hosts", "b") == 0
    assert airflow.sent("POST", RUNS)[-1]["conf"]["hosts"] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--run", "run-1"), "DAG is not known"),
        (("--dag", DAG, "--run", "gone"), "is in no ledger"),
        (("--dag", DAG, "--run", "run-1", "--hosts", "a,c"), "did not upgrade c"),
    ],
)
def test_what_was_not_applied_is_refused(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert start(*arguments) == 2
    assert words in capsys.readouterr().err
    assert airflow.sent("POST", RUNS) == []


def test_a_bundle_that_was_changed_since_is_refused(
    airflow: FakeAirflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nova-34.yaml").write_text(json.dumps({**BUNDLE, "impact": "data"}))
    assert start("--dag", DAG, "--run", "run-1") == 2
    assert "its file was changed since" in capsys.readouterr().err
    assert airflow.sent("POST", RUNS) == []
