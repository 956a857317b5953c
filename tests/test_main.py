"""The command line as a whole: whatever goes wrong is said in words, with an exit code that means it."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from escalator import cli
from escalator.model.errors import EscalatorError


def end_with(monkeypatch: pytest.MonkeyPatch, exc: BaseException) -> int:
    """Run a verb that ends with an exception."""

    def run(_args: argparse.Namespace) -> int:
        raise exc

    verb = ModuleType("verb")
    verb.add_parser = lambda subparsers: subparsers.add_parser("fail")  # type: ignore[attr-defined]
    verb.run = run  # type: ignore[attr-defined]
    monkeypatch.setattr(cli, "VERBS", (("fail", "verb", "fails"),))
    monkeypatch.setattr(cli.importlib, "import_module", lambda _name: verb)
    return cli.main(["fail"])


@pytest.mark.parametrize(
    ("exc", "code", "said"),
    [
        (EscalatorError("a", remedy="b"), 2, "escalator: a\n  -> b\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "escalator: /x: Permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_is_expected_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    exc: BaseException,
    code: int,
    said: str,
) -> None:
    assert end_with(monkeypatch, exc) == code
    assert capsys.readouterr().err == said


def test_a_traceback_is_never_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(monkeypatch, RuntimeError("nobody thought of it")) == 3
    *_, words, remedy = capsys.readouterr().err.splitlines()
    assert words == "escalator: a fault of its own: RuntimeError: nobody thought of it"
    assert "report" in remedy


def test_a_verb_that_is_misspelt_is_answered_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["chek"]) == 2
    assert capsys.readouterr().err == (
        "escalator: there is no verb 'chek', did you mean check?\n  -> see escalator --help\n"
    )


def test_the_help_has_every_verb_once_below_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == [verb for verb, _, _ in cli.VERBS]
    assert [line[:-1] for line in lines if line.endswith(":")] == [purpose for purpose, _ in cli.GROUPS]


@pytest.mark.parametrize(
    ("verb", "what"), [("compat", "what a step between two versions"), ("pause", "let no node")]
)
def test_the_help_of_a_verb_begins_with_what_it_is_for(
    capsys: pytest.CaptureFixture[str], verb: str, what: str
) -> None:
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    assert f"\n\n{what}" in capsys.readouterr().out


def test_a_working_directory_that_is_gone_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert cli.main(["compat", "33.0.0", "34.0.0"]) == 2
    monkeypatch.chdir(tmp_path)
    assert "working directory is not there any more" in capsys.readouterr().err


def test_an_argument_of_thousands_of_characters_is_not_repeated_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["check", "--max-parallel", "9" * 5000])
    assert len(capsys.readouterr().err) < 700
