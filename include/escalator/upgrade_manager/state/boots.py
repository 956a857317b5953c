"""Whether a node has to reboot, and why."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.boot import RebootSigns
from escalator.model.wording import name_some
from escalator.upgrade_manager.versions.kernels import find_newer_kernel

_REQUIRED = 1
"""What ``needs-restarting -r`` ends with when a reboot is required."""
_QUIET = 0
_TOO_LONG = 124
"""What ``timeout`` ends with when its time was up."""


def find_reboot_reasons(signs: RebootSigns) -> tuple[str, ...]:
    """Return everything that asks for a reboot of a node, in words; none: nothing does for sure."""
    return tuple(_find(signs))


def find_reboot_doubts(signs: RebootSigns) -> tuple[str, ...]:
    """Return what was asked whether a node has to reboot and did not say, in words; none: all did.

    A doubt counts as a reason: a node that is empty loses minutes by a reboot too many, and one too few
    leaves what was to be replaced in service, with the node given back as upgraded.
    """
    code = signs.needs_restarting
    if code is None or code in {_QUIET, _REQUIRED}:
        return ()
    how = "took too long" if code == _TOO_LONG else f"failed with exit code {code}"
    return (f"needs-restarting -r {how}: whether a reboot is required is not known",)


def _find(signs: RebootSigns) -> Iterator[str]:
    if signs.flag:
        asked = f" ({name_some(signs.asked_by)})" if signs.asked_by else ""
        yield f"{signs.flag} is there{asked}"
    if signs.needs_restarting == _REQUIRED:
        yield "needs-restarting -r says so"
    newer = find_newer_kernel(signs.kernel, signs.kernels)
    if newer is not None:
        yield f"it runs the kernel {signs.kernel}, and {newer} is installed"
