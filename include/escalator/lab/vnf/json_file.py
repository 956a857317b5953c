"""A JSON file that another process changes. Standard library only."""

import json
from pathlib import Path
from typing import Any


class JsonFile:
    """A JSON file that is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, 0
        self._content: Any = None

    def fetch(self) -> Any:  # noqa: ANN401
        """Return what the file says; None while it is not there."""
        changed = self._path.stat().st_mtime_ns if self._path.exists() else 0
        if changed != self._seen:
            self._seen, self._content = changed, json.loads(self._path.read_text())
        return self._content


def write_json(path: Path, content: object) -> None:
    """Write a file as a whole: who reads it meanwhile finds the old one."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, default=str))
    draft.replace(path)
