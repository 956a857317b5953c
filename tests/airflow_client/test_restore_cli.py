import argparse
from collections.abc import Iterator

import pytest
from fake_airflow import FakeAirflow, let_start

from escalator.airflow_client import restore_cli
from escalator.documents.requests import RestoreDocument

DAG = "restore__lab__cell1-az1-general"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    restore_cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["restore", "--dag", DAG, *arguments])


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    return let_start(DAG, monkeypatch)


def answer(monkeypatch: pytest.MonkeyPatch, *said: str) -> None:
    answers: Iterator[str] = iter(said)

    def ask(_question: str) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", ask)


def test_who_says_yes_is_not_asked(airflow: FakeAirflow) -> None:
    args = parse("--hosts", "node-01", "--backup", "node-01-abc", "--yes")
    assert args.run(args) == 0
    conf = airflow.sent("POST", RUNS)[-1]["conf"]
    assert (conf["hosts"], conf["backup"], conf["approved"]) == (["node-01"], "node-01-abc", True)
    assert conf.keys() == RestoreDocument.model_fields.keys() - {"bundle"}


def test_it_is_asked_twice(airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "yes", "node-01")
    args = parse("--hosts", "node-01")
    assert args.run(args) == 0
    assert airflow.sent("POST", RUNS)[-1]["conf"]["backup"] is None


@pytest.mark.parametrize("said", [("no",), ("yes", "node-02"), ("yes",), ()])
def test_without_both_words_nothing_is_started(
    airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch, said: tuple[str, ...]
) -> None:
    answer(monkeypatch, *said)
    args = parse("--hosts", "node-01")
    assert args.run(args) == 2
    assert airflow.sent("POST", RUNS) == []


def test_more_than_one_node_is_refused(airflow: FakeAirflow) -> None:
    args = parse("--hosts", "node-01,node-02", "--yes")
    assert args.run(args) == 2
    assert airflow.sent("POST", RUNS) == []
