from __future__ import annotations

import pytest

from escalator.upgrade_manager.versions.comparison import Order, compare_packages, compare_versions

OLDER, SAME, NEWER = Order.OLDER, Order.SAME, Order.NEWER


@pytest.mark.parametrize(
    ("reported", "wanted", "scheme", "found"),
    [
        ("33.0.2", "34.0.0", "pbr", OLDER),
        ("34.0", "34.0.0", "pbr", SAME),
        ("34.1.0", "34.0.0", "pbr", NEWER),
        ("3:29.2.0-0ubuntu1~cloud0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", OLDER),
        ("3:29.2.0-0ubuntu1.4~cloud0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", SAME),
        ("3:29.2.0-0ubuntu1", "30.0.0-0ubuntu1", "deb", NEWER),
        ("29.2.0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", SAME),
        ("3:29.2.0-0ubuntu1.4~cloud0", "29.2.0", "deb", SAME),
        ("8.2.0", "1:9.0.0+dfsg-1", "deb", OLDER),
        ("1:29.2.0-2.el9", "1:29.2.0-10.el9", "rpm", OLDER),
        ("1:29.2.0+really-1", "1:29.2.0+really-1", "deb", SAME),
        ("latest", "34.0.0", "pbr", None),
        ("34.0.0", "2026.2", "pbr", None),
        ("", "34.0.0", "pbr", None),
    ],
)
def test_a_reported_version_is_older_the_same_or_newer(
    reported: str, wanted: str, scheme: str, found: Order | None
) -> None:
    assert compare_versions(reported, wanted, scheme) is found


def test_packages_are_compared_only_where_both_have_a_revision() -> None:
    assert compare_packages("29.2.0", "29.2.0-1", "deb") is None
    assert compare_packages("29.2.0-1", "29.2.0-2", "pbr") is None
    assert compare_packages("9" * 300 + "-1", "29.2.0-1", "deb") is None
