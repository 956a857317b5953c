import argparse
from pathlib import Path

import pytest
from fake_airflow import URL, FakeAirflow, dag_document, let_start, run_document, task_document

from escalator.airflow_client import cli
from escalator.documents.requests import CampaignDocument
from escalator.model.errors import InvalidRequestError

DAG = "upgrade__lab__cell1-az1-general"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["run", *arguments])


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    return let_start(DAG, monkeypatch)


def test_the_options_become_the_parameters_of_the_run(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    args = parse(
        *("--cloud", "lab", "--domain", "cell1/az1/general", "--bundle", "nova-34"),
        *("--hosts", "node-01,node-02", "--hosts", "node-03"),
        *("--max-parallel", "2", "--max-failed-nodes", "10%", "--dry-run"),
        *("--mode", "non-smooth", "--spill", "0.02", "--on-blocked", "skip"),
        *("--on-interruption", "stop", "--leave-standbys"),
        *("--on-slow-move", "force_complete"),
        *("--migration-timeout-seconds", "600", "--migration-timeout-seconds-per-gib", "7.5"),
        *("--soak-seconds", "600", "--canary-move-seconds", "60", "--approval", "canary"),
        *("--window-end", "2026-11-29T06:00:00Z", "--on-failed-node", "rollback-node"),
        *("--ask-before-one-way", "--allow-downgrade"),
    )
    assert args.run(args) == 0
    assert airflow.sent("POST", RUNS)[-1]["conf"] == {
        "bundle": "nova-34",
        "on_failed_node": "rollback-node",
        "ask_before_one_way": True,
        "hosts": ["node-01", "node-02", "node-03"],
        "max_parallel": 2,
        "max_failed_nodes": "10%",
        "soak_seconds": 600,
        "canary_move_seconds": 60,
        "approval": "canary",
        "allow_downgrade": True,
        "dry_run": True,
        "mode": "non-smooth",
        "spill": 0.02,
        "on_blocked": "skip",
        "on_interruption": "stop",
        "move_standbys": False,
        "on_slow_move": "force_complete",
        "migration_timeout_seconds": 600,
        "migration_timeout_seconds_per_gib": 7.5,
        "window_end": "2026-11-29T06:00:00Z",
    }
    assert "run manual__1" in capsys.readouterr().out


def test_whatever_the_form_asks_has_an_option_with_the_same_default() -> None:
    conf = cli.read_conf(parse("--bundle", "nova-34"))
    fields = CampaignDocument.model_fields
    assert conf.keys() == fields.keys()
    defaults = {name: field.get_default() for name, field in fields.items() if name != "bundle"}
    assert {name: value for name, value in conf.items() if name != "bundle"} == defaults


@pytest.mark.parametrize("number", ["nan", "inf", "long"])
def test_seconds_that_are_no_number_are_refused(number: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("--bundle", "b", "--migration-timeout-seconds-per-gib", number)


@pytest.mark.parametrize("failures", ["ten", "1.5%", "-1", "%"])
def test_failures_that_are_no_number_and_no_share_are_refused(
    failures: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("--bundle", "b", f"--max-failed-nodes={failures}")
    assert f"{failures} is no number of nodes" in capsys.readouterr().err


@pytest.mark.parametrize(("state", "code"), [("success", 0), ("failed", 1)])
def test_following_ends_with_the_state_of_the_run(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    task = "success" if state == "success" else "failed"
    airflow.on("GET", f"{RUNS}/manual__1", (200, run_document(state, dag_id=DAG)))
    airflow.on(
        "GET",
        f"{RUNS}/manual__1/taskInstances",
        (200, {"task_instances": [task_document("node-01.upgrade", task)], "total_entries": 1}),
    )
    assert cli.run(parse("--dag", DAG, "--bundle", "b", "--follow")) == code
    said = capsys.readouterr()
    assert f"node-01 upgrade {task}" in said.out
    assert ("node-01.upgrade failed" in said.err) is (code == 1)


def test_following_ends_with_the_reasons_and_the_report(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = run_document("failed", dag_id=DAG, conf={"hosts": ["node-01.example"]})
    airflow.on("POST", RUNS, (200, ended))
    airflow.on("GET", f"{RUNS}/manual__1", (200, ended))
    tasks = [
        task_document("node-01_example.upgrade", "success"),
        task_document("node-02_example.admit", "skipped"),
        task_document("conclude", "failed"),
    ]
    airflow.on("GET", f"{RUNS}/manual__1/taskInstances", (200, {"task_instances": tasks, "total_entries": 3}))
    error = {"exc_type": "AirflowFailException", "exc_value": "node-01 is held", "frames": []}
    log = [
        {"timestamp": "t", "level": "info", "event": "report: /srv/reports/r/report.html"},
        {"timestamp": "t", "level": "error", "event": "Task failed", "error_detail": [error]},
    ]
    airflow.on("GET", f"{RUNS}/manual__1/taskInstances/conclude/logs/1", (200, {"content": log}))
    assert cli.run(parse("--dag", DAG, "--bundle", "b", "--hosts", "node-01.example", "--follow")) == 1
    said = capsys.readouterr()
    assert "node-01_example upgrade success" in said.out
    assert "node-02" not in said.out
    assert "escalator: conclude failed: node-01 is held" in said.err
    assert said.out.splitlines()[-2:] == [
        "report: /srv/reports/r/report.html",
        f"run manual__1 of {DAG}: failed",
    ]


def test_the_only_domain_of_a_cloud_needs_no_name(airflow: FakeAirflow) -> None:
    airflow.on("GET", "/api/v2/dags", (200, {"dags": [dag_document(DAG)], "total_entries": 1}))
    assert cli.run(parse("--cloud", "lab", "--bundle", "b")) == 0
    assert airflow.sent("POST", RUNS)


@pytest.mark.parametrize(
    ("dags", "message"), [([], "has no upgrade DAG"), ([DAG, "upgrade__lab__b"], "has 2 drain domains")]
)
def test_no_domain_or_many_is_bad_input(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str], dags: list[str], message: str
) -> None:
    answer = {"dags": [dag_document(dag) for dag in dags], "total_entries": len(dags)}
    airflow.on("GET", "/api/v2/dags", (200, answer))
    assert cli.run(parse("--cloud", "lab", "--bundle", "b")) == 2
    assert message in capsys.readouterr().err


def test_airflows_refusal_is_bad_input_and_is_shown(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.on("POST", RUNS, (400, {"detail": "Invalid input for param max_parallel"}))
    assert cli.run(parse("--dag", DAG, "--bundle", "b", "--max-parallel", "0")) == 2
    assert "Invalid input for param max_parallel" in capsys.readouterr().err


def test_an_unknown_dag_and_a_paused_one_are_bad_input(
    airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(parse("--dag", "nope", "--bundle", "b")) == 2
    assert "no DAG nope" in capsys.readouterr().err
    airflow.on("GET", f"/api/v2/dags/{DAG}", (200, dag_document(DAG, is_paused=True)))
    assert cli.run(parse("--dag", DAG, "--bundle", "b")) == 2
    assert "is paused" in capsys.readouterr().err
    assert airflow.sent("POST", RUNS) == []


def test_no_cloud_is_bad_input(airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(parse("--bundle", "b")) == 2
    assert "--cloud" in capsys.readouterr().err
    assert airflow.requests == []


def test_address_and_password_come_from_options_or_environment(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    by_option = cli.open_client(
        parse("--bundle", "b", "--airflow-url", URL, "--airflow-password-file", str(file)), {}
    )
    by_variable = cli.open_client(
        parse("--bundle", "b"), {cli.URL_VARIABLE: URL + "/", cli.PASSWORD_FILE_VARIABLE: str(file)}
    )
    assert by_option.url == by_variable.url == URL
    assert by_option._transport._login == by_variable._transport._login


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {cli.URL_VARIABLE: URL},
        {cli.URL_VARIABLE: URL, cli.PASSWORD_FILE_VARIABLE: "/nowhere/password"},
    ],
)
def test_a_missing_address_or_password_is_bad_input(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError):
        cli.open_client(parse("--bundle", "b"), environment)


def test_a_password_file_that_is_no_text_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(bytes(range(256)))
    with pytest.raises(InvalidRequestError, match="is no text in UTF-8"):
        cli.open_client(
            parse("--bundle", "b", "--airflow-url", URL, "--airflow-password-file", str(file)), {}
        )


@pytest.mark.parametrize("share", ["nan", "inf", "-1", "2", "half"])
def test_a_share_that_is_none_is_refused_before_anything_is_asked(share: str) -> None:
    with pytest.raises(SystemExit):
        parse("--bundle", "b", "--spill", share)
