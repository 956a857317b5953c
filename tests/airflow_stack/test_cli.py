import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from escalator.airflow_stack import cli
from escalator.airflow_stack.errors import StackError
from escalator.airflow_stack.settings import StackSettings
from escalator.airflow_stack.stack import AirflowStack, ComponentStatus, StackStatus
from escalator.model.errors import InvalidRequestError


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["airflow", *arguments])


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCALATOR_STACK_HOME", str(tmp_path))
    monkeypatch.delenv(cli.INSTANCE_VARIABLE, raising=False)


def test_options_become_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    args = parse("up", "--instance", "4", "--parallelism", "3", "--env", "A=b=c", "--env", "E=")
    settings = cli.read_settings(args)
    assert (settings.instance, settings.parallelism) == (4, 3)
    assert settings.extra_env == {"A": "b=c", "E": ""}
    monkeypatch.setenv(cli.INSTANCE_VARIABLE, "7")
    assert cli.read_settings(parse("status")).instance == 7


@pytest.mark.parametrize("wrong", [("--env", "A"), ("--env", "=b"), ("--instance", "11")])
def test_wrong_options_are_bad_input(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(parse("up", *wrong)) == 2
    assert capsys.readouterr().err.startswith("escalator: ")


def test_a_wrong_instance_in_the_environment_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli.INSTANCE_VARIABLE, "many")
    with pytest.raises(InvalidRequestError, match="many"):
        cli.read_settings(parse("down"))


def test_status_of_a_stack_that_was_never_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(parse("status", "--instance", "9")) == 1
    said = capsys.readouterr().out
    assert "scheduler      -" in said
    assert "no answer" in said


@pytest.mark.parametrize(("unhealthy", "pid", "code"), [((), 5, 0), (("scheduler",), 5, 1), ((), None, 1)])
def test_status_is_zero_only_when_all_is_well(
    monkeypatch: pytest.MonkeyPatch, unhealthy: tuple[str, ...], pid: int | None, code: int
) -> None:
    status = StackStatus(
        url="http://x",
        folder=Path("/x"),
        password_file=Path("/x/p"),
        components=(ComponentStatus(name="scheduler", pid=pid),),
        unhealthy=unhealthy,
    )
    monkeypatch.setattr(AirflowStack, "status", lambda _self: status)
    assert cli.run(parse("status")) == code


def test_up_says_how_to_reach_it_but_not_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(AirflowStack, "up", lambda _self: None)
    assert cli.run(parse("up", "--instance", "1")) == 0
    said = capsys.readouterr().out
    assert "ESCALATOR_AIRFLOW_URL=http://127.0.0.1:21150" in said
    assert f"ESCALATOR_AIRFLOW_PASSWORD_FILE={StackSettings(instance=1).password_file}" in said


def test_a_failure_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_self: AirflowStack) -> None:
        raise StackError("no", remedy="do this")

    monkeypatch.setattr(AirflowStack, "up", fail)
    assert cli.run(parse("up")) == 2
    assert capsys.readouterr().err == "escalator: no\n  -> do this\n"


def test_down_without_a_stack_is_done() -> None:
    assert cli.run(parse("down", "--wipe")) == 0
    assert not StackSettings().folder.exists()


def test_the_command_line_does_not_import_airflow() -> None:
    modules = "escalator.airflow_stack.cli, escalator.airflow_client.cli"
    code = f"import sys, {modules}; print('airflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
