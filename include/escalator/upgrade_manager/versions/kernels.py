"""The order of kernels: whether one that is installed is newer than the one that runs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from escalator.upgrade_manager.versions.rpm_version import RpmVersion

_FLAVOURS = (re.compile(r"(?:-[A-Za-z][A-Za-z0-9_]*)+$"), re.compile(r"\+[A-Za-z0-9_-]+$"))
"""What tells kernels of one version apart: ``-amd64``, ``-cloud-amd64``, ``-generic``; else ``+rt``."""


def find_newer_kernel(running: str, installed: Iterable[str]) -> str | None:
    """Return the newest kernel that is installed, when it is newer than the one that runs; else None.

    Kernels of another flavour are passed over: which one a boot chooses is the boot loader's to say.

    :param running: a release as ``uname -r`` has it, such as ``6.1.0-18-amd64``.
    """
    version, flavour = _split(running)
    rivals = [kernel for kernel in installed if _split(kernel)[1] == flavour]
    newest = max(rivals, key=lambda kernel: _split(kernel)[0], default=None)
    return newest if newest is not None and _split(newest)[0] > version else None


def _split(kernel: str) -> tuple[RpmVersion, str]:
    found = next((match for flavour in _FLAVOURS if (match := flavour.search(kernel))), None)
    cut = found.start() if found else len(kernel)
    return RpmVersion(kernel[:cut]), kernel[cut:]
