from escalator.model.durations import DEFAULT_DURATIONS, Durations, Quantiles
from escalator.model.step import Step


def test_a_move_takes_longer_the_more_memory_there_is() -> None:
    durations = Durations(move_fixed_seconds=5.0, move_seconds_per_gib=2.0)
    assert durations.move_seconds(0) == 5.0
    assert durations.move_seconds(3 * 1024) == 11.0


def test_a_step_without_figures_takes_no_time() -> None:
    known = Quantiles(p50=1.0, p90=2.0)
    durations = Durations(steps={Step.VERIFY: known})
    assert durations.of(Step.VERIFY) is known
    assert durations.of(Step.UPGRADE) == Quantiles(p50=0.0, p90=0.0)


def test_what_is_assumed_knows_every_step_that_takes_time_by_itself() -> None:
    """Migrate is the sum of its moves; admit waits for its turn."""
    assert set(DEFAULT_DURATIONS.steps) == set(Step) - {Step.ADMIT, Step.MIGRATE}
    assert all(0 < q.p50 <= q.p90 for q in DEFAULT_DURATIONS.steps.values())
    assert DEFAULT_DURATIONS.samples == 0
