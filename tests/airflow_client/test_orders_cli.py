import argparse
from typing import Any

import pytest
from fake_airflow import FakeAirflow, dag_document, run_document

from escalator.airflow_client import orders_cli
from escalator.model.order import Verb

DAG = "upgrade__lab__cell1-az1-general"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"
HERE = f"/escalator/v1/campaigns/{DAG}/manual__1"
ANSWER = {
    "order": {"effect": "no node goes out until resume", "effective_at": "2026-11-22T08:00:00Z"},
    "in_flight": ["node-02"],
    "waiting": ["node-01"],
}


def run(*words: str, where: tuple[str, ...] = ("--dag", DAG)) -> int:
    parser = argparse.ArgumentParser()
    orders_cli.add_parser(parser.add_subparsers())
    args = parser.parse_args([*words, "--reason", "smoke", *where])
    return int(args.run(args))


def list_runs(*states: str) -> dict[str, Any]:
    runs = [
        run_document(state, dag_id=DAG, dag_run_id=f"manual__{number}")
        for number, state in enumerate(states, 1)
    ]
    return {"dag_runs": runs, "total_entries": len(runs)}


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    fake = FakeAirflow()
    fake.on("GET", RUNS, (200, list_runs("running", "success")))
    fake.on("POST", f"{HERE}/pause", (200, ANSWER))
    monkeypatch.setattr(orders_cli, "open_client", lambda _args: fake.client())
    return fake


def test_an_order_goes_to_the_run_that_goes_on(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("pause") == 0
    assert airflow.sent("POST", f"{HERE}/pause") == [{"reason": "smoke"}]
    assert capsys.readouterr().out == (
        "pause: no node goes out until resume (in force since 2026-11-22T08:00:00Z; "
        f"run manual__1 of {DAG})\n"
    )


def test_the_dag_is_found_by_cloud(airflow: FakeAirflow) -> None:
    airflow.on("GET", "/api/v2/dags", (200, {"dags": [dag_document(DAG)], "total_entries": 1}))
    assert run("pause", where=("--cloud", "lab")) == 0


def test_a_node_is_part_of_the_path(airflow: FakeAirflow) -> None:
    for verb, node in (("skip", "node-01"), ("hold", "node-01"), ("approve", "node-01")):
        airflow.on("POST", f"{HERE}/nodes/{node}/{verb}", (200, ANSWER))
        assert run(verb, node) == 0
    airflow.on("POST", f"{HERE}/approve", (200, ANSWER))
    assert run("approve") == 0


def test_a_refusal_is_said_with_its_remedy(airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]) -> None:
    error = {"message": "node-02 is in flight already", "remedy": "hold node-02"}
    airflow.on("POST", f"{HERE}/nodes/node-02/skip", (409, {"error": error}))
    assert run("skip", "node-02") == 2
    assert capsys.readouterr().err == "escalator: node-02 is in flight already\n  -> hold node-02\n"


@pytest.mark.parametrize(
    ("states", "words"), [(("success",), "goes on"), (("running", "queued"), "2 runs of"), ((), "goes on")]
)
def test_which_run_is_meant_has_to_be_clear(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str], states: tuple[str, ...], words: str
) -> None:
    airflow.on("GET", RUNS, (200, list_runs(*states)))
    assert run("pause") == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "code"), [(["node-02", "node-02"], 0), (["node-02", "yes"], 1)])
def test_moves_are_aborted_when_a_person_types_the_name_twice(
    airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch, typed: list[str], code: int
) -> None:
    answers = iter(typed)
    monkeypatch.setattr("builtins.input", lambda _prompt: next(answers))
    path = f"{HERE}/nodes/node-02/abort-moves"
    airflow.on("POST", path, (200, ANSWER))
    assert run("abort-moves", "node-02") == code
    assert airflow.sent("POST", path) == ([] if code else [{"reason": "smoke", "confirm": typed}])


def test_without_a_terminal_the_confirmation_is_given_as_options(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert run("abort-moves", "node-02") == 2
    assert "--confirm node-02 --confirm node-02" in capsys.readouterr().err
    path = f"{HERE}/nodes/node-02/abort-moves"
    airflow.on("POST", path, (200, ANSWER))
    assert run("abort-moves", "node-02", "--confirm", "node-02", "--confirm", "node-02") == 0


def test_every_word_has_its_help() -> None:
    assert set(orders_cli.HELP) == set(Verb)
