from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.cli import main
from escalator.demo.cli import list_last_words

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_where_machines_cannot_run_the_demonstration_says_what_is_missing_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for home in ("ESCALATOR_LAB_HOME", "ESCALATOR_STACK_HOME"):
        monkeypatch.setenv(home, str(tmp_path / home))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["demo", "--folder", str(tmp_path / "demo")]) == 2
    said = capsys.readouterr().err
    assert "machines cannot run here: root" in said
    assert "Traceback" not in said
    assert not (tmp_path / "ESCALATOR_LAB_HOME").exists()


def test_of_a_task_that_failed_the_last_lines_are_told() -> None:
    log = "\n".join(["::group::Pre", *map(str, range(30)), "::endgroup::"])
    assert list_last_words(log) == [f"  {number}" for number in range(10, 30)]


def test_a_lab_without_a_place_for_the_pair_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--nodes", "1"]) == 2
    assert "--nodes 1: the pair needs 2" in capsys.readouterr().err
