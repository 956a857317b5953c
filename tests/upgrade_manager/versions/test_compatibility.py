from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.compatibility import judge_step
from escalator.upgrade_manager.versions.release_version import StepClass


@pytest.mark.parametrize(
    ("before", "after", "scheme", "step", "allowed"),
    [
        ("33.0.2", "34.0.0", "pbr", "major", True),
        ("31.0.0", "34.0.0", "pbr", "major", False),
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
    assert judge_step("30.0.0", "34.0.0").remedy == "upgrade to major 31 or 32 first"
    assert judge_step("22.0.0", "24.0.0").remedy == "upgrade to major 23 first"
