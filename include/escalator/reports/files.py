"""The files of a report."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from escalator.reports.render import render_html, render_markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPaths:
    """Where a report was written."""

    json: Path
    markdown: Path
    html: Path


def write_report(directory: Path, document: Mapping[str, Any]) -> ReportPaths:
    """Write report.json, report.md and report.html; each file is there whole or not at all.

    A second run replaces them. Nothing is written when one of the three cannot be made.

    :param directory: made when it is not there.
    :raises OSError: the directory or a file cannot be written.
    """
    paths = ReportPaths(
        json=directory / "report.json", markdown=directory / "report.md", html=directory / "report.html"
    )
    contents = {
        paths.json: json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        paths.markdown: render_markdown(document),
        paths.html: render_html(document),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in contents.items():
        _replace(path, text)
    return paths


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write one JSON document; a reader finds the old one or the new one, never a part.

    :raises OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place and rename it, so that a reader never sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
