from escalator.model.durations import Quantiles
from escalator.model.step import Step
from escalator.simulator.options import SimulationOptions


def test_the_decisions_expect_exactly_what_is_played() -> None:
    options = SimulationOptions(
        upgrade_seconds=100.0,
        migration_fixed_seconds=5.0,
        migration_seconds_per_gib=2.0,
        concurrent_migrations=3,
    )
    durations = options.durations
    assert durations.steps == {Step.UPGRADE: Quantiles(p50=100.0, p90=100.0)}
    assert durations.move_seconds(2048) == 9.0
    assert durations.moves_at_once == 3
