from __future__ import annotations

from escalator.model.run_life import RunLife


def test_only_what_is_known_to_be_over_is_over() -> None:
    assert {life for life in RunLife if life.is_over} == {RunLife.FINISHED, RunLife.DELETED}
