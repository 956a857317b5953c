from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.compatibility import find_floor, judge_step
from escalator.upgrade_manager.versions.release_version import StepClass


@pytest.mark.parametrize(
    ("before", "after", "scheme", "step", "allowed"),
    [
        ("33.0.2", "34.0.0", "pbr", "major", True),
        ("31.0.0", "34.0.0", "pbr", "major", False),
        ("32.0.0", "34.0.0", "pbr", "major", False),
        ("31.0.0", "33.0.0", "pbr", "major", True),
        ("32.0.0", "33.0.0", "pbr", "major", True),
        ("30.0.0", "32.0.0", "pbr", "major", False),
        ("2025.2", "2026.2", "pbr", "major", False),
        ("25.0.0", "27.0.0", "pbr", "major", True),
        ("24.0.0", "26.0.0", "pbr", "major", False),
        ("29.0.0", "29.1.0", "pbr", "minor", True),
        ("29.0.0", "29.0.1", "pbr", "patch", True),
        ("29.0.0.0rc1", "29.0.0", "pbr", "patch", True),
        ("29.0", "29.0.0", "pbr", "none", True),
        ("29.0.1", "29.0.0", "pbr", "downgrade", False),
        ("29.0.0", "29.0.0.dev8", "pbr", "downgrade", False),
        ("2024.1", "2024.2", "pbr", "major", True),
        ("2024.1", "2025.1", "pbr", "major", True),
        ("2023.1", "2025.1", "pbr", "major", False),
        ("2025.1", "2024.1", "pbr", "downgrade", False),
        ("3:29.0.1-0ubuntu1", "3:29.0.1-0ubuntu2", "deb", "none", True),
        ("3:29.0.1-0ubuntu1~cloud0", "3:30.0.0-0ubuntu1~cloud0", "deb", "major", True),
        ("3:29.0.1-0ubuntu1", "30.0.0-1", "deb", "major", False),
        ("29.0.1-0ubuntu2", "29.0.1-0ubuntu1", "deb", "none", False),
        ("1:29.0.1-1.el9", "1:31.0.0-1.el9", "rpm", "major", True),
        ("29.0.1-2.el9", "29.0.1-10.el9", "rpm", "none", True),
        ("29.0.1-2.el9", "29.0.1-1.el9", "rpm", "none", False),
    ],
)
def test_steps_are_classified_and_allowed_or_not(
    before: str, after: str, scheme: str, step: str, *, allowed: bool
) -> None:
    judgement = judge_step(before, after, scheme)
    assert (judgement.step, judgement.allowed) == (StepClass(step), allowed)
    assert judgement.message
    assert (judgement.remedy is None) == allowed


@pytest.mark.parametrize(
    ("before", "after", "scheme"),
    [
        ("3:29.0.1-0ubuntu1", "30.0.0", "pbr"),
        ("29.0.1", "", "pbr"),
        ("29.0.1", "latest", "pbr"),
        ("29.0.1", "30.0.0", "apk"),
        ("29.0.1", "2024.2", "pbr"),
        ("2024.1", "2099.1", "pbr"),
        ("2024.1", "2024.1.5", "pbr"),
    ],
)
def test_what_cannot_be_read_or_compared_is_refused(before: str, after: str, scheme: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        judge_step(before, after, scheme)
    assert error.value.remedy


def test_a_step_that_is_too_far_says_where_to_stop_between() -> None:
    assert judge_step("30.0.0", "34.0.0").remedy == "upgrade to major 31 first"
    assert judge_step("29.0.0", "34.0.0").remedy == "upgrade to major 30 or 31 first"
    assert judge_step("32.0.0", "34.0.0").message == (
        "from 32.0.0 to 34.0.0 are 2 majors; major 34 works with computes of major 33 and newer"
    )
    assert judge_step("22.0.0", "24.0.0").remedy == "upgrade to major 23 first"


@pytest.mark.parametrize(
    ("major", "floor"),
    [(26, 25), (27, 25), (28, 27), (29, 27), (30, 29), (31, 29), (32, 31), (33, 31), (34, 33), (35, 33)],
)
def test_the_floor_of_a_slurp_release_is_the_one_before_it_and_of_others_the_last_release(
    major: int, floor: int
) -> None:
    assert find_floor(major) == floor


def test_another_revision_is_said_to_be_one_and_an_older_package_is_a_way_back() -> None:
    newer = judge_step("3:29.2.0-0ubuntu1~cloud0", "3:29.2.0-0ubuntu1.4~cloud0", "deb")
    assert newer.message.endswith("is another revision of the same release")
    assert not newer.backwards
    older = judge_step("3:29.2.0-0ubuntu1.4~cloud0", "3:29.2.0-0ubuntu1~cloud0", "deb")
    assert (older.allowed, older.backwards) == (False, True)
    assert judge_step("29.0.1", "29.0.0").backwards
    assert not judge_step("32.0.0", "34.0.0").backwards
