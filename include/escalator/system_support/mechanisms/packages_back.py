"""To what a node goes back from packages that were brought, by what was noted when they came: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from escalator.model.bundle import AptMechanism, DnfMechanism, Package, PackageMechanism
from escalator.model.way_back import WayBack
from escalator.model.wording import name_some

_NONE = "-"
M = TypeVar("M", AptMechanism, DnfMechanism)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the packages of an installation were before it, or are now where there was none.

    :ivar now: version of the package that carries nova-compute; empty: it is not there.
    :ivar noted: an installation of the bundle noted it.
    :ivar versions: package -> its version of before; of what came along new there is none.
    :ivar stayed: those of them that the installation did not change, or would not.
    :ivar came: packages that were not there before.
    :ivar had: packages whose version of before a source has, as far as the lists of the node tell.
    """

    now: str = ""
    noted: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    stayed: frozenset[str] = frozenset()
    came: tuple[str, ...] = ()
    had: frozenset[str] = frozenset()


def read_before(text: str) -> Before:
    """Read the lines ``kind|…`` of the script that looks for the way back."""
    rows: defaultdict[str, list[list[str]]] = defaultdict(list)
    for line in text.splitlines():
        kind, *rest = line.split("|")
        rows[kind].append(rest)
    return Before(
        now="".join(row[0] for row in rows["now"]),
        noted=bool(rows["noted"]),
        versions={row[0]: row[1] for row in rows["back"] if row[1] != _NONE},
        stayed=frozenset(row[0] for row in rows["back"] if row[1] == row[2]),
        came=tuple(row[0] for row in rows["back"] if row[1] == _NONE),
        had=frozenset(row[0] for row in rows["have"]),
    )


def decide_way_back(before: Before, mechanism: PackageMechanism, version: str) -> WayBack:
    """Say to what the bundle's packages would go back, or why they cannot.

    :param version: of nova-compute's package, as the bundle brings it.
    """
    compute = mechanism.compute.name
    if before.now == version and not before.noted and before.stayed == before.versions.keys():
        said = f"it has {compute} {version}, and nothing is noted of what was there before"
        return WayBack.one_way(said)
    if compute not in before.versions:
        return WayBack.one_way(f"{compute} was not there before")
    needed = {name: one for name, one in before.versions.items() if name not in before.stayed}
    gone = [f"{name} {one}" for name, one in needed.items() if name not in before.had]
    if gone:
        return WayBack.one_way(f"no source that the node knows has {name_some(gone)}")
    named = {package.name: package.component or package.name for package in mechanism.packages}
    return WayBack.to_previous(
        {component: before.versions[name] for name, component in named.items() if name in before.versions}
    )


def turn_back(mechanism: M, before: Before) -> M:
    """Return what brings the packages of before, and may step back and remove for that, no more.

    :param before: has a version of nova-compute's package.
    """
    known = {package.name: package for package in mechanism.packages}
    packages = tuple(
        replace(known[name], version=version) if name in known else Package(name=name, version=version)
        for name, version in before.versions.items()
    )
    removes = tuple(dict.fromkeys((*mechanism.removes, *before.came)))
    return replace(mechanism, packages=packages, removes=removes, downgrade=True)


def find_unnamed(down: tuple[str, ...], mechanism: PackageMechanism) -> tuple[str, ...]:
    """Return the packages that would step back and are none of those that a way back names."""
    named = {package.name.partition(":")[0] for package in mechanism.packages}
    return tuple(name for name in down if name.partition(":")[0] not in named)
