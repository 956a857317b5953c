"""Microversions of Nova's API: what the highest one tells of the release that answers."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from escalator.model.errors import InvalidRequestError

HIGHEST_OF_MAJORS = {
    "2.79": (20, 20),
    "2.87": (21, 22),
    "2.88": (23, 23),
    "2.90": (24, 25),
    "2.93": (26, 26),
    "2.95": (27, 28),
    "2.96": (29, 30),
    "2.100": (31, 32),
    "2.103": (33, 33),
    "2.104": (34, 34),
}
"""The highest microversion -> the first and the last major of Nova with it (from its REST API history)."""
NEEDED = ("2.87", "2.90")
"""The microversions without which no campaign works: the API has to offer all from the first to the last."""


class Majors(NamedTuple):
    """The majors of Nova that a control plane may be of; ``last`` is None when it may be any newer one."""

    first: int
    last: int | None

    @property
    def only(self) -> int | None:
        """Return the major when there is no doubt about it."""
        return self.first if self.first == self.last else None

    def __str__(self) -> str:
        """Write them: ``33``, ``31 or 32``, ``34 or newer``."""
        if self.last is None:
            return f"{self.first} or newer"
        return " or ".join(str(major) for major in range(self.first, self.last + 1))


def find_majors(highest: str) -> Majors | None:
    """Return which majors of Nova offer that highest microversion; None for an older one than is known.

    One between those of two releases is of a control plane that is being developed: on its way to the later.

    :raises InvalidRequestError: it is no microversion.
    """
    wanted = read_microversion(highest)
    known = [(read_microversion(text), Majors(*majors)) for text, majors in HIGHEST_OF_MAJORS.items()]
    for (lower, before), (upper, after) in pairwise(known):
        if wanted == lower:
            return before
        if lower < wanted < upper:
            return Majors(before.first, after.first)
    newest, majors = known[-1]
    if wanted < newest:
        return None
    return majors if wanted == newest else Majors(majors.first, None)


def is_enough(lowest: str, highest: str) -> bool:
    """Tell whether an API that offers this range offers what campaigns need."""
    first, last = (read_microversion(text) for text in NEEDED)
    return read_microversion(lowest) <= first and last <= read_microversion(highest)


def read_microversion(text: str) -> tuple[int, int]:
    """Read a microversion as numbers that compare: 2.9 is before 2.10.

    :raises InvalidRequestError: it is none.
    """
    major, dot, minor = text.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal() and len(text) <= 12):  # noqa: PLR2004
        raise InvalidRequestError(f"{text[:20]!r} is no microversion", remedy="write it as 2.96")
    return int(major), int(minor)
