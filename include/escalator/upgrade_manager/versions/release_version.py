"""Versions of releases and of packages: two types that are never mixed.

A :class:`ReleaseVersion` answers "is this step compatible?", in the order of OpenStack's pbr ("Linux/Python
Compatible Semantic Versioning 3.0.0"). A :class:`PackageVersion` answers "is this package newer?", in the
order of dpkg, epoch and revision included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from typing import Self

import semver

from escalator.model.errors import InvalidRequestError

_FORM = re.compile(
    r"(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+))?(?:\.(?P<patch>[0-9]+))?"
    r"(?:(?:\.0?)?(?P<kind>a|b|c|rc)(?P<serial>[0-9]+))?"
    r"(?:\.dev(?P<dev>[0-9]+)(?:\.g[0-9a-f]+)?)?"
)
_EPOCH = re.compile(r"^[0-9]+:")
_REALLY = "+really"
"""Debian's mark for an older release under a newer number: neither of the two is read from it."""
_TILDE = re.compile(r"~(?=0?(?:a|b|c|rc|dev)[0-9])")
_RPM_PRERELEASE = re.compile(r"0\.[0-9]+\.(?P<prerelease>0?(?:a|b|rc)[0-9]+)(?:\.[A-Za-z].*)?")
_KINDS = ("a", "b", "rc")
_FIRST_YEAR = 2000
"""A major from here on is the year in the name of a release (``2024.1``), not a component's own major."""
_LONGEST = 200
"""Characters of the longest text that is looked at."""


class Scheme(StrEnum):
    """How a version is written: by pbr (the Python packages), as a Debian package or as an RPM package."""

    PBR = "pbr"
    DEB = "deb"
    RPM = "rpm"


class StepClass(StrEnum):
    """What a step from one release to another means for compatibility."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"
    NONE = "none"
    DOWNGRADE = "downgrade"


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseVersion:
    """A release in pbr order: ``1.0.0.dev8 < 1.0.0.0a1.dev3 < 1.0.0.0a1 < 1.0.0.0rc1 < 1.0.0``.

    :ivar kind: ``a``, ``b`` or ``rc`` for a pre-release, None for a final release.
    :ivar serial: number of the pre-release; 0 without one.
    :ivar dev: commits since the release before; None when it is not a development version.
    """

    major: int
    minor: int = 0
    patch: int = 0
    kind: str | None = None
    serial: int = 0
    dev: int | None = None

    @classmethod
    def parse(cls, text: str, scheme: str = Scheme.PBR) -> Self:
        """Read a version; what is not surely a release is refused, not guessed.

        Of a package, the epoch and the revision are dropped, the upstream part is cut at ``+``, and ``~b1``
        and ``~rc1`` are read as pre-releases. Missing parts are padded: ``29.0`` is 29.0.0.

        :param text: the version as it was reported, ``29.0.1`` or ``3:29.0.1-0ubuntu1~cloud0``.
        :param scheme: ``pbr``, ``deb`` or ``rpm``.
        :raises InvalidRequestError: it cannot be read in that scheme.
        """
        if scheme not in frozenset(Scheme):
            raise InvalidRequestError(
                f"version scheme {scheme!r} is not known", remedy=f"use one of {', '.join(Scheme)}"
            )
        match = _FORM.fullmatch(_upstream(text, Scheme(scheme))) if len(text) <= _LONGEST else None
        if match is None:
            raise _unreadable(text, scheme)
        kind = "rc" if match["kind"] == "c" else match["kind"]
        return cls(
            major=int(match["major"]),
            minor=int(match["minor"] or 0),
            patch=int(match["patch"] or 0),
            kind=kind,
            serial=int(match["serial"] or 0),
            dev=None if match["dev"] is None else int(match["dev"]),
        )

    @property
    def semver(self) -> semver.Version:
        """Return the version of semver.org 2.0 that stands at the same place in the order."""
        if self.kind is not None:
            state = "1" if self.dev is None else f"0.{self.dev}"
            prerelease = f"1.{_KINDS.index(self.kind)}.{self.serial}.{state}"
        else:
            prerelease = "" if self.dev is None else f"0.{self.dev}"
        return semver.Version(self.major, self.minor, self.patch, prerelease or None)

    @property
    def calendar(self) -> bool:
        """Tell whether this is the name of a whole OpenStack release (``2024.1``), not of a component."""
        return self.major >= _FIRST_YEAR

    def __lt__(self, other: object) -> bool:
        """Order as pbr does."""
        if not isinstance(other, ReleaseVersion):
            return NotImplemented
        return self._key() < other._key()

    def __str__(self) -> str:
        """Write the version as pbr does: ``29.0.0.0rc1.dev3``."""
        kind = f".0{self.kind}{self.serial}" if self.kind else ""
        dev = "" if self.dev is None else f".dev{self.dev}"
        return f"{self.major}.{self.minor}.{self.patch}{kind}{dev}"

    def _key(self) -> tuple[int, ...]:
        if self.kind is not None:
            stage = 1 + _KINDS.index(self.kind)
        else:
            stage = len(_KINDS) + 1 if self.dev is None else 0
        commits = (1, 0) if self.dev is None else (0, self.dev)
        return (self.major, self.minor, self.patch, stage, self.serial, *commits)


def classify(from_version: ReleaseVersion, to_version: ReleaseVersion) -> StepClass:
    """Say what a step between two releases of one component means.

    The first part that differs names the step; from a pre-release to its release is a patch.

    :raises InvalidRequestError: one is a component's version and the other the name of a whole release.
    """
    if from_version.calendar != to_version.calendar:
        raise InvalidRequestError(
            f"{from_version} and {to_version} cannot be compared: one is the name of a whole release",
            remedy="give both as the component's own version, such as 29.0.0",
        )
    before, after = from_version.semver, to_version.semver
    if after == before:
        return StepClass.NONE
    if after < before:
        return StepClass.DOWNGRADE
    if after.major != before.major:
        return StepClass.MAJOR
    return StepClass.MINOR if after.minor != before.minor else StepClass.PATCH


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class PackageVersion:
    """A Debian package's version, ``[epoch:]upstream[-revision]``, in the order of dpkg."""

    text: str

    def __post_init__(self) -> None:
        """Refuse what dpkg would refuse.

        :raises InvalidRequestError: it is not a Debian package's version.
        """
        form = r"(?:[0-9]+:)?[0-9](?:[A-Za-z0-9.+~-]*[A-Za-z0-9.+~])?"
        if len(self.text) > _LONGEST or not re.fullmatch(form, self.text):
            raise _unreadable(self.text, Scheme.DEB)

    def __eq__(self, other: object) -> bool:
        """Tell whether dpkg holds both for the same version: ``1.0`` is ``0:1.0-0``."""
        return isinstance(other, PackageVersion) and self._key() == other._key()

    def __lt__(self, other: object) -> bool:
        """Order as dpkg does."""
        if not isinstance(other, PackageVersion):
            return NotImplemented
        return self._key() < other._key()

    def __hash__(self) -> int:
        """Hash what dpkg compares."""
        return hash(self._key())

    def _key(self) -> tuple[int, _Runs, _Runs]:
        epoch, colon, rest = self.text.partition(":")
        upstream, _, revision = (rest if colon else epoch).rpartition("-")
        if not upstream:
            upstream, revision = revision, ""
        return (int(epoch) if colon else 0, _runs(upstream), _runs(revision))


_Runs = tuple[tuple[tuple[int, ...], int], ...]
_END = 0
"""Weight of the end of a text: only ``~`` sorts below it."""


def _runs(text: str) -> _Runs:
    """Cut a text into pairs of (weights of non-digits, number), which compare as dpkg compares the text."""
    pairs = re.findall(r"([^0-9]*)([0-9]*)", text)
    weighed = [((*map(_weight, word), _END), int(digits or 0)) for word, digits in pairs]
    empty = ((_END,), 0)
    while weighed and weighed[-1] == empty:
        weighed.pop()
    return (*weighed, empty)


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _upstream(text: str, scheme: Scheme) -> str:
    """Take from a version of a package what its authors called the release, in pbr's form."""
    if scheme is Scheme.PBR:
        return text.partition("+")[0]
    upstream, dash, revision = _EPOCH.sub("", text).rpartition("-")
    if not dash:
        upstream, revision = revision, ""
    if _REALLY in upstream:
        return ""
    release = _TILDE.sub(".", upstream.partition("+")[0])
    if scheme is Scheme.RPM and revision.startswith("0."):
        match = _RPM_PRERELEASE.fullmatch(revision)
        return f"{release}.{match['prerelease']}" if match else ""
    return release


def _unreadable(text: str, scheme: str) -> InvalidRequestError:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return InvalidRequestError(
        f"version {shown!r} cannot be read as {scheme}",
        remedy="write a release as X.Y.Z, or name the scheme (pbr, deb, rpm) that it is written in",
    )
