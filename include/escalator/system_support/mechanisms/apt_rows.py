"""What dpkg and systemd have of one package of the bundle, as a script of the mechanism ``apt`` tells it."""

from __future__ import annotations

from dataclasses import dataclass

NO_COMPONENT = "-"
"""Stands for the component of a package that carries none."""
_WHOLE = "installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """One package on a node.

    :ivar status: dpkg's word; only ``installed`` is whole.
    :ivar installed: version whose files are there.
    :ivar before: version that runs, or was whole last, where that is not the one that is installed.
    :ivar activity: ``new`` or ``old``: of which files the service runs; else systemd's word, or ``-``.
    """

    package: str
    component: str
    status: str
    installed: str
    before: str
    activity: str
    main_pid: int | None

    @property
    def active(self) -> bool:
        """Tell whether its service runs."""
        return self.activity in {"new", "old"}

    @property
    def whole(self) -> str | None:
        """Return the version that dpkg brought to its end; None where there is none, or nobody can say.

        What an old process runs is not known for sure once dpkg's log is gone: then nothing is.
        """
        if self.activity == "old" and not self.before:
            return None
        return (self.installed if self.status == _WHOLE else self.before) or None

    @property
    def running(self) -> str | None:
        """Return the version that its service runs; None when it does not run, or this cannot be told."""
        if self.activity == "old":
            return self.before or None
        return self.installed if self.activity == "new" and self.status == _WHOLE else None

    @property
    def counts_as(self) -> str | None:
        """Return the version that the node counts as having: what runs, else what is whole."""
        return self.running or self.whole


def read_row(line: str) -> PackageRow:
    """Read a line ``package|version|component|service|status|installed|before|activity|process``."""
    package, _, component, _, status, installed, before, activity, pid = line.split("|")
    return PackageRow(
        package=package,
        component=component,
        status=status,
        installed=installed,
        before=before,
        activity=activity,
        main_pid=int(pid) if pid else None,
    )
