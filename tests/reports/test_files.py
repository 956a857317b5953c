import json
from pathlib import Path

import pytest
from tests.reports import campaigns as made

from escalator.reports.document import build_report
from escalator.reports.files import ReportPaths, write_report


def test_three_files_are_written(tmp_path: Path) -> None:
    document = build_report(made.facts(), made.events())
    paths = write_report(tmp_path / "new" / "folder", document)
    assert paths == ReportPaths(
        json=tmp_path / "new/folder/report.json",
        markdown=tmp_path / "new/folder/report.md",
        html=tmp_path / "new/folder/report.html",
    )
    assert json.loads(paths.json.read_text()) == document
    assert paths.markdown.read_text().startswith("# Completed")
    assert paths.html.read_text().startswith("<!doctype html>")
    assert len(list(paths.json.parent.iterdir())) == 3


def test_a_second_run_replaces_them(tmp_path: Path) -> None:
    document = build_report(made.facts(), made.events())
    write_report(tmp_path, document)
    write_report(tmp_path, document | {"outcome": "refused"})
    assert json.loads((tmp_path / "report.json").read_text())["outcome"] == "refused"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json", "report.md"]


def test_nothing_is_touched_when_a_file_cannot_be_made(tmp_path: Path) -> None:
    document = build_report(made.facts(), made.events())
    paths = write_report(tmp_path, document)
    before = paths.json.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_report(tmp_path, document | {"run_id": float("nan")})
    assert paths.json.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3
