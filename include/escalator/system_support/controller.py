"""A host of the control plane: what Nova's own commands say there. Both only read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.inventory_settings import Controller
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.system_support.shell import Shell

COMMAND_SECONDS = 120.0
"""How long one of Nova's commands may take."""
_SUCCESS, _WARNING, _FAILURE = 0, 1, 2
"""The exit codes of ``nova-status upgrade check``, and the results of its single checks."""
_COLUMNS = 3
_NAMELESS = frozenset({"", "None"})
_ONLY_CELL = "cell1"
"""What the one cell of a cloud is called where nobody gave it a name."""
_SHOWN = 300


def read_cells(shell: Shell, controller: Controller) -> dict[str, str]:
    """Ask Nova in which cell each host is: host -> name of the cell, or its UUID where it has no name.

    :raises TransientError: the controller cannot be reached.
    :raises NodeFaultError: Nova's command fails there, or says something else.
    """
    command = f"{_words(controller.nova_manage)} cell_v2 list_hosts"
    result = shell.run_as_root(command, COMMAND_SECONDS)
    if not result.ok:
        raise NodeFaultError(
            f"controller {shell.host}: `{command}` failed: {result.last_words[:_SHOWN]}",
            remedy="correct the controller in the inventory settings, or its command, and its privileges",
        )
    try:
        return parse_cells(result.stdout)
    except InvalidRequestError as exc:
        raise NodeFaultError(f"controller {shell.host}: {exc.message}", remedy=exc.remedy) from exc


def parse_cells(text: str) -> dict[str, str]:
    """Read what ``nova-manage cell_v2 list_hosts`` prints: a table of cell name, cell UUID and host.

    Lines around the table are passed over, such as what a log-in prints.

    :raises InvalidRequestError: there is no such table.
    """
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.strip().startswith("|")]
    cells = [[word.strip() for word in row] for row in rows]
    if not cells or any(len(row) != _COLUMNS for row in cells):
        raise InvalidRequestError(
            "there is no table of cells and hosts in what was printed",
            remedy="give what `nova-manage cell_v2 list_hosts` prints",
        )
    if len({uuid for _, uuid, _ in cells[1:]}) == 1 and cells[1][0] in _NAMELESS:
        return {host: _ONLY_CELL for _, _, host in cells[1:]}
    return {host: uuid if name in _NAMELESS else name for name, uuid, host in cells[1:]}


def read_upgrade_check(shell: Shell, controller: Controller) -> tuple[Verdict, ...]:
    """Run ``nova-status upgrade check`` and return what it finds: failures block, warnings do not.

    :return: one verdict without a remedy when all is well.
    :raises TransientError: the controller cannot be reached.
    """
    command = f"{_words(controller.nova_status)} upgrade check --json"
    result = shell.run_as_root(command, COMMAND_SECONDS)
    checks = _find_checks(result.stdout)
    if checks is None:
        message = f"`{command}` on {shell.host} says nothing that can be read: {result.last_words[:_SHOWN]}"
        remedy = "run it there by hand; correct the controller in the inventory settings"
        return (_verdict(shell, Code.NOT_CHECKED, Severity.WARNING, message, remedy),)
    found = tuple(_judge(shell, checks))
    if found:
        return found
    message = f"`nova-status upgrade check` finds nothing on {shell.host}, {len(checks)} checks"
    return (_verdict(shell, Code.CONTROL_PLANE, Severity.INFO, message, None),)


def _judge(shell: Shell, checks: list[Mapping[str, Any]]) -> Iterator[Verdict]:
    for check in checks:
        result = check.get("result")
        if result == _SUCCESS:
            continue
        details = " ".join(str(check.get("details") or "no details").split())[:_SHOWN]
        yield _verdict(
            shell,
            Code.CONTROL_PLANE_NOT_READY,
            Severity.WARNING if result == _WARNING else Severity.BLOCKER,
            f"`nova-status upgrade check` on {shell.host}: {check.get('check')}: {details}",
            "do what it says before computes are upgraded",
        )


def _find_checks(text: str) -> list[Mapping[str, Any]] | None:
    """Find the document among the lines that were printed; None: it is not there."""
    for line in text.splitlines():
        if not line.lstrip().startswith("{"):
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        checks = document.get("checks") if isinstance(document, dict) else None
        if isinstance(checks, list) and all(isinstance(check, dict) for check in checks):
            return checks
    return None


def _verdict(shell: Shell, code: Code, severity: Severity, message: str, remedy: str | None) -> Verdict:
    subject = Subject.of_node(shell.host)
    return Verdict(code=code, message=message, subject=subject, severity=severity, remedy=remedy)


def _words(command: str) -> str:
    """Quote the words of a command, each by itself: nothing in it is a shell's."""
    return shlex.join(shlex.split(command))
