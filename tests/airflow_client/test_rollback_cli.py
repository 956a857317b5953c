import argparse

import pytest
from fake_airflow import FakeAirflow, let_start

from escalator.airflow_client import rollback_cli
from escalator.documents.requests import RollbackDocument

DAG = "rollback__lab__cell1-az1-general"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    rollback_cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["rollback", *arguments])


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    return let_start(DAG, monkeypatch)


def test_the_way_back_of_a_run_is_started(airflow: FakeAirflow) -> None:
    args = parse("--cloud", "lab", "--domain", "cell1/az1/general", "--of", "manual__1", "--hosts", "node-01")
    assert args.run(args) == 0
    conf = airflow.sent("POST", RUNS)[-1]["conf"]
    assert (conf["run_id"], conf["hosts"]) == ("manual__1", ["node-01"])
    assert conf.keys() == RollbackDocument.model_fields.keys() - {"bundle"}


def test_no_run_named_is_the_last_one(airflow: FakeAirflow) -> None:
    args = parse("--dag", DAG)
    assert args.run(args) == 0
    assert airflow.sent("POST", RUNS)[-1]["conf"]["run_id"] is None
