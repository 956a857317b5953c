import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from pbr.version import SemanticVersion
from tests.upgrade_manager.clouds import few

from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.release_version import (
    PackageVersion,
    ReleaseVersion,
    Scheme,
    StepClass,
    classify,
)

ORDERED = [
    "1.0.0.dev8",
    "1.0.0.dev9",
    "1.0.0.0a1.dev3",
    "1.0.0.0a1",
    "1.0.0.0b2",
    "1.0.0.0rc1",
    "1.0.0",
    "1.0.1.dev1",
    "1.0.1",
    "1.2.0",
    "29.0.0.0rc1",
    "29.0.0",
]
parts = st.integers(0, 40)
releases = st.builds(
    ReleaseVersion,
    major=parts,
    minor=parts,
    patch=parts,
    kind=st.sampled_from([None, "a", "b", "rc"]),
    serial=st.integers(0, 5),
    dev=st.none() | st.integers(1, 20),
).map(lambda v: v if v.kind else ReleaseVersion(major=v.major, minor=v.minor, patch=v.patch, dev=v.dev))
near_releases = st.builds(
    lambda v, minor, kind: (
        ReleaseVersion(major=1, minor=minor, kind=kind, serial=v.serial, dev=v.dev)
        if kind
        else ReleaseVersion(major=1, minor=minor, dev=v.dev)
    ),
    releases,
    st.integers(0, 1),
    st.sampled_from([None, "a", "b", "rc"]),
)
PACKAGES = [
    "29.0.1-0ubuntu1",
    "3:29.0.1-0ubuntu1",
    "3:29.0.1-0ubuntu1~cloud0",
    "29.1.0~rc1",
    "29.1.0~dev8",
    "29.1.0~a1-1",
    "29.1.0",
    "0:29.1.0-0",
    "29.1.0+git20260101.abc-1",
    "30.0.0",
    "1.10",
    "1.9",
    "1.9a",
    "1.9~~",
    "1.9b",
    "1.9+",
    "1-1-1",
    "1.009",
]


@pytest.mark.parametrize(("below", "above"), list(pairwise(ORDERED)))
def test_releases_in_pbr_order(below: str, above: str) -> None:
    assert ReleaseVersion.parse(below) < ReleaseVersion.parse(above)
    assert not ReleaseVersion.parse(above) <= ReleaseVersion.parse(below)


@given(near_releases, near_releases)
@few
def test_order_agrees_with_the_oracles(one: ReleaseVersion, other: ReleaseVersion) -> None:
    pbr = [SemanticVersion.from_pip_string(str(v)) for v in (one, other)]
    pep440 = [Version(str(v)) for v in (one, other)]
    assert (one < other) == (pbr[0] < pbr[1]) == (pep440[0] < pep440[1]) == (one.semver < other.semver)
    assert (one == other) == (pep440[0] == pep440[1]) == (one.semver == other.semver)


@given(near_releases, near_releases, near_releases)
@few
def test_the_order_of_releases_is_total(
    one: ReleaseVersion, two: ReleaseVersion, three: ReleaseVersion
) -> None:
    assert [one < two, one == two, one > two].count(True) == 1
    assert not (one <= two <= three) or one <= three
    assert (one == two) == (hash(one) == hash(two))


@given(st.sampled_from(PACKAGES), st.sampled_from(PACKAGES), st.sampled_from(PACKAGES))
@few
def test_the_order_of_packages_is_total(one: str, two: str, three: str) -> None:
    a, b, c = map(PackageVersion, (one, two, three))
    assert [a < b, a == b, a > b].count(True) == 1
    assert not (a <= b <= c) or a <= c


@given(releases)
@few
def test_release_text_round_trip(version: ReleaseVersion) -> None:
    assert ReleaseVersion.parse(str(version)) == version
    assert str(SemanticVersion.from_pip_string(str(version)).release_string()) == str(version)


@pytest.mark.parametrize(
    ("text", "scheme", "release"),
    [
        ("29.0", "pbr", "29.0.0"),
        ("2024.1", "pbr", "2024.1.0"),
        ("29.0.0rc1", "pbr", "29.0.0.0rc1"),
        ("29.0.0.0c2", "pbr", "29.0.0.0rc2"),
        ("29.0.1.dev5+gabc123", "pbr", "29.0.1.dev5"),
        ("29.0.1.dev5.gabc123", "pbr", "29.0.1.dev5"),
        ("3:29.0.1-0ubuntu1", "deb", "29.0.1"),
        ("3:29.0.1-0ubuntu1~cloud0", "deb", "29.0.1"),
        ("29.1.0~rc1", "deb", "29.1.0.0rc1"),
        ("1:29.1.0~b1+git2026-1", "deb", "29.1.0.0b1"),
        ("29.1.0~a1.dev3-1", "deb", "29.1.0.0a1.dev3"),
        ("29.0.0+dfsg1-2", "deb", "29.0.0"),
        ("1:29.0.1-1.el9", "rpm", "29.0.1"),
        ("29.0.0-0.1.0rc1.el9", "rpm", "29.0.0.0rc1"),
    ],
)
def test_readable_versions(text: str, scheme: str, release: str) -> None:
    assert str(ReleaseVersion.parse(text, scheme)) == release


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("", "pbr"),
        ("v29.0.0", "pbr"),
        ("29.0.1-rc.1", "pbr"),
        ("29.1.0~rc1", "pbr"),
        ("1.2.3.4", "pbr"),
        ("29.0.0.post1", "pbr"),
        ("29.0.0\n", "pbr"),
        ("\u0662\u0669.\u0660.\u0660", "pbr"),
        ("9" * 5000, "pbr"),
        ("unknown", "deb"),
        ("29.0.0~cloud0", "deb"),
        ("30.0.0+really29.0.0-1", "deb"),
        ("29.1.0-0.20260101.abc.el9", "rpm"),
        ("29.0.0", "semver"),
    ],
)
def test_unreadable_versions_are_refused(text: str, scheme: str) -> None:
    with pytest.raises(InvalidRequestError):
        ReleaseVersion.parse(text, scheme)


@given(st.text(max_size=30), st.sampled_from(list(Scheme)))
@few
def test_any_text_is_a_version_or_refused(text: str, scheme: Scheme) -> None:
    try:
        version = ReleaseVersion.parse(text, scheme)
    except InvalidRequestError as error:
        told = str(error)
    else:
        told = ""
        assert ReleaseVersion.parse(str(version)) == version
    assert not told or scheme in told


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        ("33.0.2", "34.0.0", StepClass.MAJOR),
        ("33.0.2", "33.1.0", StepClass.MINOR),
        ("33.0.2", "33.0.3", StepClass.PATCH),
        ("34.0.0.0rc1", "34.0.0", StepClass.PATCH),
        ("33.0.2", "33.0.2", StepClass.NONE),
        ("34.0.0", "34.0.0.0rc1", StepClass.DOWNGRADE),
        ("34.0.0", "33.9.9", StepClass.DOWNGRADE),
    ],
)
def test_classify(before: str, after: str, step: StepClass) -> None:
    assert classify(ReleaseVersion.parse(before), ReleaseVersion.parse(after)) is step


def test_a_release_name_is_not_compared_with_a_component() -> None:
    with pytest.raises(InvalidRequestError, match="name of a whole release"):
        classify(ReleaseVersion.parse("29.0.0"), ReleaseVersion.parse("2024.1"))


@given(releases, releases)
@few
def test_classify_agrees_with_the_order(one: ReleaseVersion, other: ReleaseVersion) -> None:
    step = classify(one, other)
    assert (step is StepClass.DOWNGRADE) == (other < one)
    assert (step is StepClass.NONE) == (other == one)


@pytest.mark.parametrize(("one", "other"), pairwise(PACKAGES))
def test_package_order_agrees_with_dpkg(one: str, other: str) -> None:
    for operator, mine in (
        ("lt", PackageVersion(one) < PackageVersion(other)),
        ("eq", PackageVersion(one) == PackageVersion(other)),
    ):
        code = subprocess.run(["dpkg", "--compare-versions", one, operator, other], check=False).returncode
        assert mine == (code == 0)


def test_equal_packages_hash_alike() -> None:
    assert len({PackageVersion("1.0"), PackageVersion("0:1.0-0"), PackageVersion("1.00")}) == 1


def test_packages_and_releases_never_mix() -> None:
    assert PackageVersion("29.0.0") != ReleaseVersion.parse("29.0.0")
    with pytest.raises(TypeError):
        _ = PackageVersion("29.0.0") < ReleaseVersion.parse("29.0.0")  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", "abc", "1:", "29.0.0 ", "a:1", "1.0-", "1_0"])
def test_what_dpkg_refuses_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        PackageVersion(text)
