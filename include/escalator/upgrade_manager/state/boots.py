"""Whether a node has to reboot, and why."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.boot import RebootSigns
from escalator.model.wording import name_some
from escalator.upgrade_manager.versions.kernels import find_newer_kernel

_REQUIRED = 1
"""What ``needs-restarting -r`` ends with when a reboot is required; what else it says is no answer."""


def find_reboot_reasons(signs: RebootSigns) -> tuple[str, ...]:
    """Return everything that asks for a reboot of a node, in words; none: it is not required."""
    return tuple(_find(signs))


def _find(signs: RebootSigns) -> Iterator[str]:
    if signs.flag:
        asked = f" ({name_some(signs.asked_by)})" if signs.asked_by else ""
        yield f"{signs.flag} is there{asked}"
    if signs.needs_restarting == _REQUIRED:
        yield "needs-restarting -r says so"
    newer = find_newer_kernel(signs.kernel, signs.kernels)
    if newer is not None:
        yield f"it runs the kernel {signs.kernel}, and {newer} is installed"
