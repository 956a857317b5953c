"""A boot of a node: which one it is, how long it has lasted, and what asks for another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class SystemState(StrEnum):
    """How systemd has the whole system, in the words of ``systemctl is-system-running``."""

    INITIALIZING = "initializing"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    MAINTENANCE = "maintenance"
    STOPPING = "stopping"
    OFFLINE = "offline"
    UNKNOWN = "unknown"

    @property
    def is_coming_up(self) -> bool:
        """Tell whether it is still being started."""
        return self in {SystemState.INITIALIZING, SystemState.STARTING}


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootSigns:
    """What on a node may ask for a reboot.

    :ivar flag: the file by which packages ask for it; empty: it is not there.
    :ivar asked_by: the packages that asked, where they are noted.
    :ivar needs_restarting: exit code of ``needs-restarting -r``, 124 when it took too long; None: there is no
        such program.
    :ivar kernel: release of the kernel that runs, as ``uname -r`` has it.
    :ivar kernels: releases of those that are installed.
    """

    flag: str = ""
    asked_by: tuple[str, ...] = ()
    needs_restarting: int | None = None
    kernel: str = ""
    kernels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The boot that a node is in, as it was read.

    :ivar boot_id: the kernel's random name of it: another one is another boot.
    :ivar up_seconds: how long it had lasted. The node's clock is not asked: it may be wrong.
    :ivar system: how systemd has the system.
    :ivar failed_units: units that systemd has as failed.
    :ivar signs: what may ask for a reboot; None: that was not read.
    """

    boot_id: str
    up_seconds: float
    system: SystemState = SystemState.UNKNOWN
    failed_units: tuple[str, ...] = ()
    signs: RebootSigns | None = None

    def began(self, now: datetime) -> datetime:
        """Return when the boot began, by the clock of whoever read it at that moment."""
        return now - timedelta(seconds=self.up_seconds)
