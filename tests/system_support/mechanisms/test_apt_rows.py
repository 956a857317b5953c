from __future__ import annotations

import pytest

from escalator.system_support.mechanisms.apt_rows import read_row


@pytest.mark.parametrize(
    ("state", "whole", "running"),
    [
        ("installed|2||new|7", "2", "2"),
        ("installed|2|1|old|7", "2", "1"),
        ("installed|2||old|7", None, None),
        ("half-configured|2|1|old|7", "1", "1"),
        ("half-configured|2|1|new|7", "1", None),
        ("unpacked|2||inactive|", None, None),
        ("installed|2||failed|", "2", None),
        ("installed|2||-|", "2", None),
        ("not-installed|||-|", None, None),
    ],
    ids=str,
)
def test_what_is_whole_and_what_runs(state: str, whole: str | None, running: str | None) -> None:
    """An old process on new files runs the old version; one whose version nobody knows hides both."""
    row = read_row(f"nova|2|nova-compute|nova-compute|{state}")
    assert (row.whole, row.running) == (whole, running)
    assert row.counts_as == (running or whole)
    assert row.active is (row.main_pid == 7)


def test_a_row_without_component() -> None:
    row = read_row("qemu|10|-|-|installed|10||-|")
    assert (row.package, row.component, row.main_pid, row.counts_as) == ("qemu", "-", None, "10")
