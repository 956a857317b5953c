from __future__ import annotations

import pytest

from escalator.upgrade_manager.versions.rpm_version import RpmVersion


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0", "2.0"),
        ("2.0.1", "2.0.1a"),
        ("5.5p1", "5.5p10"),
        ("xyz10", "xyz10.1"),
        ("xyz.4", "8"),
        ("6.0", "6.0.rc1"),
        ("10a1", "10b2"),
        ("1.0a", "1.0aa"),
        ("1.0~rc1", "1.0"),
        ("1.0~rc1", "1.0~rc2"),
        ("1.0", "1.0^"),
        ("1.0^git1", "1.01"),
        ("1.0~rc1^git1", "1.0"),
        ("29.2.0-1.el9", "29.2.0-2.el9"),
        ("29.2.0-9.el9", "29.2.0-10.el9"),
        ("30.0.0-1.el9", "1:29.2.0-1.el9"),
    ],
)
def test_the_order_is_rpms(older: str, newer: str) -> None:
    assert RpmVersion(older) < RpmVersion(newer)
    assert not RpmVersion(newer) < RpmVersion(older)
    assert RpmVersion(older) != RpmVersion(newer)


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "0:1.0"), ("10.0001", "10.1"), ("2_0", "2.0"), ("1.0-1.el9", "0:1.0-1_el9")]
)
def test_what_is_spelt_in_another_way_is_the_same(one: str, other: str) -> None:
    assert RpmVersion(one) == RpmVersion(other)
    assert hash(RpmVersion(one)) == hash(RpmVersion(other))
