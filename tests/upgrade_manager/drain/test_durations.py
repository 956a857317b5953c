from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import BUNDLE, make_server
from tests.upgrade_manager.clouds import few

from escalator.model.bundle import AptMechanism, CommandMechanism
from escalator.model.durations import DEFAULT_DURATIONS, Durations, History, MoveSample, Quantiles
from escalator.model.procedure import UPGRADE, Stage
from escalator.model.step import Step
from escalator.upgrade_manager.drain.durations import (
    LEAST_SAMPLES,
    compute_job_limit_seconds,
    compute_quantiles,
    compute_step_limit_seconds,
    estimate_move_seconds,
    estimate_node_seconds,
    learn,
)

seconds = st.floats(min_value=0, max_value=1e6)
memories = st.integers(min_value=0, max_value=1 << 20)


def moves(*pairs: tuple[int, float]) -> tuple[MoveSample, ...]:
    return tuple(MoveSample(memory_mib=1024 * gib, seconds=took) for gib, took in pairs)


def test_before_anything_is_learnt_the_bundle_says_how_long_an_upgrade_takes() -> None:
    expected = learn(History(), replace(BUNDLE, expected_upgrade_seconds=900))
    assert expected.of(Step.UPGRADE) == Quantiles(p50=900, p90=2250)
    assert expected.of(Step.VERIFY) == DEFAULT_DURATIONS.of(Step.VERIFY)
    assert expected.move_seconds(8192) == DEFAULT_DURATIONS.move_seconds(8192)
    assert expected.samples == 0


def test_each_step_is_learnt_by_itself_when_it_has_samples_enough() -> None:
    history = History(
        steps={Step.UPGRADE: [4.0] * LEAST_SAMPLES, Step.VERIFY: [1.0] * (LEAST_SAMPLES - 1)}, nodes=5
    )
    expected = learn(history, BUNDLE)
    assert expected.of(Step.UPGRADE) == Quantiles(p50=4.0, p90=4.0)
    assert expected.of(Step.VERIFY) == DEFAULT_DURATIONS.of(Step.VERIFY)
    assert expected.samples == 5


def test_quantiles_are_samples_that_were_seen() -> None:
    assert compute_quantiles([5, 1, 4, 2, 3, 6, 7, 8, 9, 10]) == Quantiles(p50=5, p90=9)
    assert compute_quantiles([7.0]) == Quantiles(p50=7.0, p90=7.0)


def test_moves_give_a_fixed_part_and_one_for_each_gib() -> None:
    expected = learn(History(moves=moves((1, 7), (2, 8), (4, 10), (8, 14), (16, 22))), BUNDLE)
    assert (expected.move_fixed_seconds, expected.move_seconds_per_gib) == (6.0, 1.0)


def test_one_move_that_hung_hardly_matters() -> None:
    seen = moves((1, 7), (2, 8), (3, 9), (4, 10), (5, 11), (6, 12), (8, 900))
    assert learn(History(moves=seen), BUNDLE).move_seconds(4096) == pytest.approx(10, abs=1)


def test_moves_of_one_size_keep_the_slope_that_was_assumed() -> None:
    expected = learn(History(moves=moves(*[(4, 20.0)] * 5)), BUNDLE)
    assert expected.move_seconds(4096) == pytest.approx(20)
    assert expected.move_seconds_per_gib == DEFAULT_DURATIONS.move_seconds_per_gib


def test_quick_moves_do_not_become_negative() -> None:
    expected = learn(History(moves=moves(*[(64, 3.2)] * 5)), BUNDLE)
    assert expected.move_fixed_seconds == 0
    assert expected.move_seconds(64 * 1024) == pytest.approx(3.2)


def test_few_moves_teach_nothing() -> None:
    assert learn(History(moves=moves((1, 100), (2, 200))), BUNDLE).move_seconds(1024) < 10


@given(
    st.dictionaries(st.sampled_from(Step), st.lists(seconds, max_size=30)),
    st.lists(st.builds(MoveSample, memory_mib=memories, seconds=seconds), max_size=30),
)
@few
def test_whatever_was_seen_no_duration_is_negative(
    steps: dict[Step, list[float]], seen: list[MoveSample]
) -> None:
    expected = learn(History(steps=steps, moves=seen, nodes=1), BUNDLE)
    assert all(0 <= q.p50 <= q.p90 for q in expected.steps.values())
    assert expected.move_seconds(0) >= 0
    assert expected.move_seconds(1 << 20) >= expected.move_seconds(0)
    assert expected.steps.keys() == DEFAULT_DURATIONS.steps.keys()


@pytest.mark.parametrize("stage", UPGRADE.stages[1:], ids=lambda stage: stage.step)
def test_a_step_hangs_after_several_times_what_it_takes_and_never_too_soon(stage: Stage) -> None:
    slow = Durations(steps={stage.step: Quantiles(p50=10_000, p90=20_000)})
    assert compute_step_limit_seconds(stage, DEFAULT_DURATIONS) == stage.hard_limit_seconds
    assert stage.hard_limit_seconds < compute_step_limit_seconds(stage, slow) < stage.last_resort_seconds


def test_a_step_that_is_known_to_be_slow_may_take_longer() -> None:
    slow = Durations(steps={Step.UPGRADE: Quantiles(p50=1800, p90=3600)})
    assert compute_step_limit_seconds(UPGRADE.stage(Step.UPGRADE), slow) == 4 * 3600


def test_the_job_on_a_node_hangs_by_what_the_bundle_says_and_by_what_was_learnt() -> None:
    quick, slow = (replace(BUNDLE, expected_upgrade_seconds=seconds) for seconds in (10, 200))
    assert compute_job_limit_seconds(quick, DEFAULT_DURATIONS) == 300
    assert compute_job_limit_seconds(slow, DEFAULT_DURATIONS) == 1000
    learnt = Durations(steps={Step.UPGRADE: Quantiles(p50=300, p90=500)}, samples=5)
    assert compute_job_limit_seconds(quick, learnt) == 2000


def test_a_job_may_take_as_long_as_the_commands_of_its_bundle_and_a_little_more() -> None:
    commands = CommandMechanism(version="v", activate="a", service="nova-compute", activate_seconds=3600.0)
    bundle = replace(BUNDLE, mechanism=commands, expected_upgrade_seconds=20.0)
    assert compute_job_limit_seconds(bundle, DEFAULT_DURATIONS) == 3720


def test_a_job_begins_after_the_lock_that_its_mechanism_waits_for() -> None:
    apt = AptMechanism(packages=(), lock_seconds=60.0)
    bundle = replace(BUNDLE, mechanism=apt, expected_upgrade_seconds=20.0)
    assert compute_job_limit_seconds(bundle, DEFAULT_DURATIONS) == 360


def test_a_node_is_out_for_its_steps_and_for_its_moves_side_by_side() -> None:
    steps = {Step.PRECHECK: Quantiles(p50=10, p90=20), Step.UPGRADE: Quantiles(p50=100, p90=200)}
    expected = Durations(steps=steps, move_fixed_seconds=5, move_seconds_per_gib=1, moves_at_once=2)
    moving = [make_server(name, "a", memory=3 * 1024) for name in ("x", "y")]
    assert estimate_node_seconds((), expected) == Quantiles(p50=110, p90=220)
    assert estimate_node_seconds(moving, expected) == Quantiles(p50=118, p90=232)


def test_no_node_is_out_for_less_than_its_longest_move() -> None:
    large = make_server("large", "a", memory=256 * 1024)
    alone = estimate_node_seconds([large], DEFAULT_DURATIONS)
    assert alone.p50 >= DEFAULT_DURATIONS.move_seconds(256 * 1024) >= 281
    assert alone.p90 > 9 * 60
    assert estimate_move_seconds(256 * 1024, DEFAULT_DURATIONS).p90 > 400
