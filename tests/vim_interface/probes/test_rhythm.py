from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.probes.rhythm import VARIABLE, Rhythm, read_rhythm


@pytest.mark.parametrize(
    ("said", "period"), [(None, 0.1), ("", 0.1), ("10", 0.1), ("2.5", 0.4), ("50", 0.02)]
)
def test_the_environment_says_how_often(
    monkeypatch: pytest.MonkeyPatch, said: str | None, period: float
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(VARIABLE, said)
    assert read_rhythm().period_seconds == pytest.approx(period)


@pytest.mark.parametrize("said", ["0", "51", "-1", "often", "nan", "inf"])
def test_what_is_no_rhythm_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(InvalidRequestError, match="must be a number from 1 to 50"):
        read_rhythm()


@pytest.mark.parametrize("hz", [1, 10, 50])
def test_one_lost_answer_is_a_gap_and_one_that_comes_is_none(hz: float) -> None:
    rhythm = Rhythm(period_seconds=1 / hz)
    assert rhythm.period_seconds < rhythm.gap_seconds < 2 * rhythm.period_seconds
    assert rhythm.timeout_seconds <= 1.0
    assert rhythm.beat_seconds * 2 < rhythm.gap_seconds
