from __future__ import annotations

from pathlib import Path

import pytest

from escalator.inventory.cli import read_addresses
from escalator.model.errors import InvalidRequestError


@pytest.mark.parametrize(
    "text",
    [
        "# rack 1\nnode-01 10.0.0.1\n\nnode-02\t10.0.0.2  # new\n",
        '{"node-01": "10.0.0.1", "node-02": "10.0.0.2"}',
        '{"nodes": [{"host": "node-01", "address": "10.0.0.1"}, {"host": "node-02", "address": "10.0.0.2"}]}',
    ],
)
def test_every_form_of_addresses_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "addresses"
    path.write_text(text)
    assert read_addresses(path) == {"node-01": "10.0.0.1", "node-02": "10.0.0.2"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("node-01 10.0.0.1\nnode-02\n", "line 2: not `host address`"),
        ("{", "another form"),
        ('{"node-01": 7}', "node-01: not an address"),
        ('{"nodes": [{"host": "node-01"}]}', "another form"),
        (None, "cannot be read"),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "addresses"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidRequestError, match=fault):
        read_addresses(path)
