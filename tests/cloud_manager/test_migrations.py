from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.migrations import count_copied

GIB = 2**30


def numbers(memory: tuple[Any, Any], disk: tuple[Any, Any] = (None, None)) -> dict[str, Any]:
    """Make a record as Nova 34 answers ``GET /servers/{id}/migrations``: total and remaining bytes."""
    return {
        "id": 7,
        "status": "running",
        "memory_total_bytes": memory[0],
        "memory_processed_bytes": None if memory[0] is None else memory[0] - (memory[1] or 0),
        "memory_remaining_bytes": memory[1],
        "disk_total_bytes": disk[0],
        "disk_processed_bytes": disk[0],
        "disk_remaining_bytes": disk[1],
    }


@pytest.mark.parametrize(
    ("record", "percent"),
    [
        (numbers((8 * GIB, 6 * GIB)), 25),
        (numbers((4 * GIB, 1 * GIB), (12 * GIB, 11 * GIB)), 25),
        (numbers((4 * GIB, 0), (0, 0)), 100),
        (numbers((4 * GIB, 1)), 99),
        (numbers((4 * GIB, 5 * GIB)), 0),  # a guest that writes faster than it is copied
        (numbers((None, None)), None),
        (numbers((0, 0)), None),
        (numbers((4 * GIB, None)), None),
        ({"id": 7, "status": "running"}, None),
    ],
)
def test_what_is_copied_is_what_is_not_left(record: dict[str, Any], percent: int | None) -> None:
    assert count_copied(record) == percent


def test_only_migrations_with_numbers_are_told(fake: Any, cloud: Cloud) -> None:
    told = [numbers((8 * GIB, 2 * GIB)), {**numbers((None, None)), "id": 8}]
    fake.tell("GET", "/compute/v2.1/servers/s-1/migrations", {"migrations": told}, {"migrations": []})
    assert cloud.fetch_copied("s-1") == {7: 75}
    assert cloud.fetch_copied("s-1") == {}
