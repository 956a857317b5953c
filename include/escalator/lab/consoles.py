"""The consoles of nodes: a command in the namespaces of a running system, without ssh."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run_at_console(
    name: str,
    command: Sequence[str],
    *,
    process: int,
    namespaces: Sequence[str],
    environment: Mapping[str, str],
    check: bool,
) -> subprocess.CompletedProcess[str]:
    """Run a command as root inside a running system.

    :param name: of the system, for messages.
    :param process: whose namespaces are entered.
    :param namespaces: which of them, in the words of ``nsenter``.
    :raises LabError: when it fails, unless ``check`` is off.
    """
    done = subprocess.run(
        ["nsenter", "--target", str(process), *(f"--{each}" for each in namespaces), *command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd="/",
    )
    if check and done.returncode != 0:
        raise LabError(f"{name}: {shlex.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done
