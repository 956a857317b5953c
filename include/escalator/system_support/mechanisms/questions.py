"""Questions that several mechanisms put to a node in the same way."""

from __future__ import annotations

import shlex

from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms.proof_scripts import MARGIN_SECONDS, read_way_back
from escalator.system_support.mechanisms.protocol import UnitState
from escalator.system_support.shell import PRIVILEGE, Shell

_CODES = {
    "privilege": Code.NODE_NO_PRIVILEGE,
    "path": Code.NODE_PATH_UNUSABLE,
    "tool": Code.NODE_TOOL_MISSING,
    "unit": Code.NODE_UNIT_NOT_ENABLED,
}
_REMEDIES = {
    "privilege": PRIVILEGE,
    "path": "correct the path in the bundle, or its owner and mode on the node",
    "tool": "install it on the node",
    "unit": "enable it on the node (systemctl enable), or have another unit want it",
}


def find_lacking(shell: Shell, script: str) -> tuple[Verdict, ...]:
    """Run a script that prints a line ``kind|message`` for each thing that a node lacks.

    :param script: its kinds are ``privilege``, ``path``, ``tool`` and ``unit``.
    :raises TransientError: the node cannot be reached.
    """
    try:
        result = shell.run_as_root(script)
    except NodeFaultError as exc:
        if exc.code is not Code.NODE_NO_PRIVILEGE:
            raise
        return (_verdict(shell.host, "privilege", exc.message),)
    if not result.ok and not result.stdout:
        return (_verdict(shell.host, "path", f"it cannot be looked at: {result.last_words}"),)
    lines = [line.partition("|") for line in result.stdout.splitlines()]
    return tuple(_verdict(shell.host, kind, message) for kind, _, message in lines)


def ask_service_state(shell: Shell, service: str) -> UnitState | None:
    """Read what systemd prints of a service: ``inactive`` also when it knows no such service."""
    return UnitState.read(shell.run_as_root(f"systemctl is-active -- {shlex.quote(service)}").stdout)


def ask_way_back(shell: Shell, script: str, version: str, version_seconds: float) -> WayBack:
    """Read to what a node would go back, of a bundle whose version an operator's command tells.

    :param script: prints what was recorded, and asks the version command.
    :param version: what the bundle brings.
    :param version_seconds: the longest that the version command may take.
    :raises NodeFaultError: the version command fails.
    """
    result = shell.run_as_root(script, version_seconds + MARGIN_SECONDS)
    if not result.ok:
        raise NodeFaultError(
            f"node {shell.host}: cannot read what it would go back to: {result.last_words}",
            remedy="try the version command of the bundle on the node",
        )
    return read_way_back(result.stdout, version)


def _verdict(host: str, kind: str, message: str) -> Verdict:
    return Verdict(
        code=_CODES[kind],
        message=message,
        subject=Subject.of_node(host),
        remedy=_REMEDIES[kind],
    )
