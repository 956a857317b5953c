from __future__ import annotations

import pytest

from escalator.cloud_manager.api import COMPUTE_MICROVERSIONS
from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.compatibility import NOVA_MAJORS
from escalator.upgrade_manager.versions.microversions import (
    HIGHEST_OF_MAJORS,
    NEEDED,
    find_majors,
    is_enough,
    read_microversion,
)


@pytest.mark.parametrize(
    ("highest", "said", "only"),
    [
        ("2.79", "20", 20),
        ("2.90", "24 or 25", None),
        ("2.96", "29 or 30", None),
        ("2.98", "29 or 30 or 31", None),
        ("2.100", "31 or 32", None),
        ("2.103", "33", 33),
        ("2.104", "34", 34),
        ("2.105", "34 or newer", None),
    ],
)
def test_the_highest_microversion_tells_the_release(highest: str, said: str, only: int | None) -> None:
    found = find_majors(highest)
    assert found is not None
    assert (str(found), found.only) == (said, only)


def test_one_that_is_older_than_all_is_of_no_known_release() -> None:
    assert find_majors("2.60") is None


def test_every_known_release_is_in_the_table_and_no_major_is_left_out() -> None:
    majors = [major for first, last in HIGHEST_OF_MAJORS.values() for major in range(first, last + 1)]
    assert majors == list(range(20, max(NOVA_MAJORS.values()) + 1))
    assert list(HIGHEST_OF_MAJORS) == sorted(HIGHEST_OF_MAJORS, key=read_microversion)


@pytest.mark.parametrize(
    ("lowest", "highest", "enough"),
    [("2.1", "2.104", True), ("2.1", "2.90", True), ("2.1", "2.88", False), ("2.88", "2.110", False)],
)
def test_the_range_has_to_hold_what_campaigns_need(lowest: str, highest: str, *, enough: bool) -> None:
    assert is_enough(lowest, highest) is enough


def test_what_is_needed_is_what_the_calls_are_written_for() -> None:
    assert NEEDED[1] == COMPUTE_MICROVERSIONS[-1]


@pytest.mark.parametrize("text", ["", "2", "2.x", "latest", "2.1.0", "2." + "9" * 5000])
def test_what_is_no_microversion_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_microversion(text)
