import json
from pathlib import Path

import pytest
from tests.replay.worlds import CLEAN, SNAPSHOT, trace, without

from escalator.cli import main
from escalator.cloud_manager.snapshots import snapshot_to_document


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    documents = {
        "snapshot": snapshot_to_document(SNAPSHOT),
        "clean": trace(CLEAN),
        "report": {"outcome": "done", "trace": trace(CLEAN)},
        "broken": trace(without(9)),
        "neither": {"schema": "something"},
        "other": trace(CLEAN) | {"snapshot_sha256": "another"},
    }
    for name, document in documents.items():
        (tmp_path / name).write_text(json.dumps(document))
    (tmp_path / "text").write_text("no JSON")
    (tmp_path / "huge").write_text(json.dumps(trace(CLEAN) | {"max_parallel": 10**400}))
    (tmp_path / "deep").write_text('{"a": ' + "[" * 100_000)
    return {path.name: path for path in tmp_path.iterdir()} | {"nowhere": tmp_path / "nowhere"}


def replay(files: dict[str, Path], trace_name: str, *more: str, snapshot: str = "snapshot") -> int:
    return main(["replay", "--snapshot", str(files[snapshot]), "--trace", str(files[trace_name]), *more])


def test_a_clean_trace(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(files, "clean") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("3 upgraded, 0 held; moves 4 of at least 3")
    assert said[-1] == "clean"


def test_a_report_holds_a_trace(files: dict[str, Path]) -> None:
    assert replay(files, "report") == 0


def test_a_trace_that_breaks_a_rule(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(files, "broken") == 1
    assert "[not_started_again]" in capsys.readouterr().out


def test_one_document_and_nothing_else(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(files, "broken", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "escalator.replay/1"
    assert document["clean"] is False
    assert document["counts"] == {"not_started_again": 1}
    assert document["violations"][0]["subject"] == "server pin"
    assert document["facts"]["moves"] == 4


def test_a_trace_of_another_snapshot(files: dict[str, Path]) -> None:
    assert replay(files, "other") == 1


def test_an_upgrade_that_touches_no_guest(files: dict[str, Path]) -> None:
    assert replay(files, "clean", "--impact", "control", "--concurrent-migrations", "1") == 0


@pytest.mark.parametrize("name", ["neither", "text", "huge", "deep", "nowhere"])
def test_what_cannot_be_read(files: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(files, name) == 2
    assert replay(files, "clean", snapshot=name) == 2
    assert capsys.readouterr().err.startswith("escalator: ")
