from __future__ import annotations

from pathlib import Path

import pytest

from escalator.lab.machine.watches import ENOUGH, ensure_enough_watches


@pytest.mark.parametrize(("was", "is_now"), [(128, ENOUGH), (ENOUGH, ENOUGH), (65536, 65536)])
def test_a_limit_that_is_too_low_for_many_machines_is_raised(tmp_path: Path, was: int, is_now: int) -> None:
    limit = tmp_path / "max_user_instances"
    limit.write_text(f"{was}\n")
    ensure_enough_watches(limit)
    assert int(limit.read_text()) == is_now


def test_where_it_may_not_be_raised_machines_start_all_the_same(tmp_path: Path) -> None:
    ensure_enough_watches(tmp_path / "none")
    assert not list(tmp_path.iterdir())
