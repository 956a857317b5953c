"""What apt or dnf would do on a node, as their scripts tell it, and what speaks against it: pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from escalator.model.bundle import Impact, PackageMechanism
from escalator.model.data_plane import is_service_for_guests, is_under_guests
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.wording import name_some

_APPROVABLE = ("plan", "down", "unit", "held")
_UNKNOWN = re.compile(
    r"was not found|Unable to locate package|no installation candidate"
    r"|No match(?:es)? for|Unable to find a match|Cache-only enabled but no cache"
)
"""Words of apt's, then of dnf's, for a version that its lists do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Who brings packages, who has them, and what a person does there about a trouble.

    :ivar broken: a way out of a broken state; :ivar refused: how to try what is refused.
    :ivar held: how a hold is lifted; :ivar space: what makes room.
    :ivar sees_under_lock: it tells what it would do also while another program has it locked.
    """

    tool: str
    database: str
    broken: str
    refused: str
    held: str
    space: str
    sees_under_lock: bool = True


APT = Words(
    tool="apt",
    database="dpkg",
    broken="dpkg --audit, then dpkg --configure -a, or install them again",
    refused="try apt-get -s install with these versions there",
    held="apt-mark unhold",
    space="apt-get clean",
)
DNF = Words(
    tool="dnf",
    database="rpm",
    broken="dnf check, then dnf remove --duplicates, or install them again",
    refused="try dnf --assumeno install with these versions there",
    held="dnf versionlock delete",
    space="dnf clean packages",
    sees_under_lock=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A package that apt would install or upgrade; ``old`` is ``-`` where it is not installed."""

    package: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What apt would do, and what it would meet.

    :ivar lines: plan, services and holds in the script's words: what an installation is held against.
    :ivar removed: package -> the version that would go.
    :ivar services: running service -> the package that would change under it.
    :ivar held: packages of the plan that are held; :ivar down: those that would go back to an older version.
    :ivar broken: packages that dpkg did not bring to an end.
    :ivar begun: packages that an unfinished run was to install: of this very bundle, or of another one of
        ours that left a broken state.
    :ivar locked: who holds dpkg's lock; empty: nobody.
    :ivar trouble: why apt finds no way; empty: it does.
    :ivar known: package -> the versions that there are, where the wanted one is not.
    :ivar space: file system -> KiB that are needed and KiB that are free.
    """

    lines: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    removed: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    begun: frozenset[str] = frozenset()
    locked: str = ""
    trouble: str = ""
    known: dict[str, str] = field(default_factory=dict)
    space: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_unknown(self) -> bool:
        """Tell whether apt only lacks the version in its lists: reading the sources may bring it."""
        return _UNKNOWN.search(self.trouble) is not None

    def describe(self) -> str:
        """Say in one sentence what apt would do."""
        said = [f"{c.package} {c.old} -> {c.new}" for c in self.changes]
        said += [f"remove {name} {version}" for name, version in self.removed.items()]
        said += [f"restart {service}" for service in self.services]
        return ", ".join(said) or "nothing"


def read_outlook(text: str) -> Outlook:
    """Read the lines ``kind|…`` of a script; lines of other kinds are passed over."""
    rows: defaultdict[str, list[list[str]]] = defaultdict(list)
    lines = tuple(text.splitlines())
    for line in lines:
        kind, *rest = line.split("|")
        rows[kind].append(rest)
    plan = rows["plan"]
    space: dict[str, tuple[int, int]] = {}
    for mount, need, free, *_ in rows["space"]:
        space[mount] = (space.get(mount, (0, 0))[0] + int(need), int(free))
    return Outlook(
        lines=tuple(line for line in lines if line.split("|", 1)[0] in _APPROVABLE),
        changes=tuple(Change(package=row[1], old=row[2], new=row[3]) for row in plan if row[0] == "Inst"),
        removed={row[1]: row[2] for row in plan if row[0] == "Remv"},
        services={service: package for package, service in rows["unit"]},
        held=tuple(row[0] for row in rows["held"]),
        down=tuple(row[0] for row in rows["down"]),
        broken=tuple(row[0] for row in rows["broken"]),
        begun=frozenset(_without_architecture(row[0]) for row in rows["begun"]),
        locked="".join(row[0] for row in rows["locked"]),
        trouble="".join("|".join(row) for row in rows["trouble"]),
        known={row[0]: row[1] for row in rows["known"]},
        space=space,
    )


def judge_outlook(
    outlook: Outlook,
    mechanism: PackageMechanism,
    impact: Impact,
    subject: Subject,
    words: Words = APT,
) -> tuple[Verdict, ...]:
    """Find everything that keeps an installation from being begun; it may do what the bundle names, no more.

    A version that the node's lists do not have is no finding: whether there is one is asked of the sources.
    """
    found = (
        *_judge_states(outlook, words),
        *_judge_changes(outlook, mechanism, words),
        *(_judge_impact(outlook, words) if impact is Impact.CONTROL else ()),
        *_judge_space(outlook, words),
    )
    return tuple(
        Verdict(code=code, message=message, remedy=remedy, subject=subject, severity=severity)
        for code, message, remedy, severity in found
    )


_Finding = tuple[Code, str, str, Severity]


def _finding(code: Code, message: str, remedy: str, severity: Severity = Severity.BLOCKER) -> _Finding:
    return code, message, remedy, severity


def _judge_states(outlook: Outlook, words: Words) -> Iterator[_Finding]:
    """Judge the states of packages: a broken one may be ours, or of one who is at work right now."""
    if outlook.locked:
        message = f"{words.database} is locked: {outlook.locked}; its state cannot be judged now"
        remedy = "nothing: the upgrade waits for it"
        yield _finding(Code.NODE_PACKAGES_LOCKED, message, remedy, Severity.WARNING)
        return
    ours = {*outlook.begun, words.database} if outlook.begun else set()
    foreign = [name for name in outlook.broken if name not in ours]
    if foreign:
        yield _finding(
            Code.NODE_PACKAGES_BROKEN,
            f"{words.database} has packages in a broken state: {name_some(foreign)}",
            f"mend them on the node: {words.broken}",
        )
    if outlook.trouble and not outlook.is_unknown:
        message = f"{words.tool} finds no way to what the bundle names: {outlook.trouble}"
        yield _finding(Code.NODE_PACKAGES_REFUSED, message, words.refused)


def _judge_changes(outlook: Outlook, mechanism: PackageMechanism, words: Words) -> Iterator[_Finding]:
    """Judge what would be done by what the bundle names."""
    by_name = f"name it in the bundle, or find out why {words.tool} wants it"
    for package, version in outlook.removed.items():
        if not _is_among(package, mechanism.removes):
            message = f"{words.tool} would remove {package} {version}, which the bundle does not name"
            yield _finding(Code.NODE_PACKAGES_REFUSED, message, f"put it under removes, or {by_name}")
    if outlook.down and not mechanism.downgrade:
        message = f"{words.tool} would go back to an older version of {name_some(outlook.down)}"
        yield _finding(Code.NODE_PACKAGES_REFUSED, message, "say downgrade: true, or name a newer version")
    packages = tuple(package.name for package in mechanism.packages)
    services = {package.service for package in mechanism.packages} | set(mechanism.restarts)
    named = {service.removesuffix(".service") for service in services if service}
    for service, package in outlook.services.items():
        if service.removesuffix(".service") not in named and not _is_among(package, packages):
            changed = f"{words.tool} would change {package} under the running {service}"
            message = f"{changed}, which the bundle does not name"
            remedy = f"put the service under restarts, or {by_name}"
            yield _finding(Code.NODE_PACKAGES_REFUSED, message, remedy)
    for package in outlook.held:
        if not _is_among(package, mechanism.lift_holds):
            remedy = f"find out who held it; then {words.held}, or put it under lift_holds"
            yield _finding(Code.NODE_PACKAGE_HELD, f"{package} is held on the node", remedy)


def _judge_impact(outlook: Outlook, words: Words) -> Iterator[_Finding]:
    """Find what guests run on in what would be touched, where the bundle says that only the agent is."""
    packages = [*(c.package for c in outlook.changes), *outlook.removed]
    touched = [*filter(is_under_guests, packages), *filter(is_service_for_guests, outlook.services)]
    if touched:
        said = f"the bundle says impact: control, but guests run on what {words.tool} would touch"
        yield _finding(
            Code.IMPACT_CONTRADICTED,
            f"{said}: {name_some(touched)}",
            "say impact: data or reboot in the bundle, or hold these packages back",
        )


def _judge_space(outlook: Outlook, words: Words) -> Iterator[_Finding]:
    for mount, (need, free) in outlook.space.items():
        if need > free:
            message = f"{mount} has {free // 1024} MiB free, {need // 1024 + 1} MiB are needed"
            remedy = f"make room there; {words.space} removes old downloads"
            yield _finding(Code.NODE_DISK_FULL, message, remedy)


def _is_among(package: str, names: tuple[str, ...]) -> bool:
    """Tell whether a package is named, with its architecture or without."""
    return package in names or _without_architecture(package) in names


def _without_architecture(package: str) -> str:
    return package.partition(":")[0]
