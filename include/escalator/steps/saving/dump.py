"""The dump of the control plane's databases before a campaign: the operator's command, run on this worker."""

from __future__ import annotations

import os

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.model.verdict import Code
from escalator.system_support.programs import run_program

CREDENTIALS = "DUMP_"
"""What the names of variables begin with that the command gets of a worker's environment."""
BACKUP = "DUMP_BACKUP"
"""The id of the backup that the dump belongs to."""
_LAST = 300
_REMEDY = "see dump in the inventory settings of the cloud; then clear check_conditions"


def run_dump(inventory: Inventory, backup_id: str) -> dict[str, object] | None:
    """Dump the databases as the operator says; a second run gives the command the same id.

    :return: the last line that it printed, which says where the dump is; None: none is declared.
    :raises EscalatorError: it fails, or does not end in its time: the campaign must not begin.
    """
    dump = inventory.dump
    if dump is None:
        return None
    ours = {name: value for name, value in os.environ.items() if name.startswith(CREDENTIALS)}
    argv = ("/bin/sh", "-e", "-c", dump.command)
    given = {**ours, BACKUP: backup_id}
    try:
        ended = run_program(argv, dump.limit_seconds, given=given, named_in="the inventory settings")
    except EscalatorError as exc:
        raise _make_fault(exc.message) from exc
    last = (ended.said.strip().splitlines() or ["it said nothing"])[-1][-_LAST:]
    if ended.code != 0:
        raise _make_fault(f"the command ended with exit code {ended.code}: {last}")
    return {"said": last}


def _make_fault(why: str) -> EscalatorError:
    return EscalatorError(f"the databases were not dumped: {why}", remedy=_REMEDY, code=Code.BACKUP_FAILED)
