"""What the node keeps of a worker's runs: the scripts around them, from the parts of ``proof_scripts``.

What was staged or proved counts for one bundle: the records' key is a digest of all that it says of its runs.
"""

from __future__ import annotations

import json
import shlex

from escalator.system_support.mechanisms.command_scripts import write_folder_check
from escalator.system_support.mechanisms.node_job import Effect
from escalator.system_support.mechanisms.proof_scripts import (
    STAGE_BEGIN,
    TOOLS,
    VERSION,
    AskedService,
    write_back_begin,
    write_back_prove,
    write_back_question,
    write_begin,
    write_key,
    write_locked,
    write_prove,
    write_restore_begin,
    write_restore_prove,
)
from escalator.system_support.mechanisms.shared_scripts import read_plain
from escalator.system_support.playbooks.worker import WorkersMechanism

STATE = "/var/lib/escalator/ansible"
"""Folder of the records on a node, and of its lock."""

_SAY_BEGUN = """\
printf 'was=%s\\nartefacts=%s\\n' "${was:-}" "${ESCALATOR_ARTEFACTS:-}"
"""
_SAY_PREVIOUS = """\
printf 'previous=%s\\n' "$ESCALATOR_PREVIOUS"
"""
_STAGED = """\
printf '%s\\n' "$key" | record "$staged"
say {effect}
"""
_IS_STAGED = """\
[ "$(head -n 1 {state}/staged-{version} 2>/dev/null)" = {key} ]
"""


def ask_service(mechanism: WorkersMechanism, state: str = STATE) -> AskedService:
    """Return the service, asked by the version command."""
    return AskedService(
        service=mechanism.service,
        version=mechanism.version,
        version_seconds=mechanism.version_seconds,
        state=state,
    )


def write_stage_begin(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write what stands before the stage run: the version counts as staged no more.

    It says, as ``key=value`` lines, whether it did (``was``), and where the artefacts are.
    """
    return _write_head(mechanism, version, state) + STAGE_BEGIN + _SAY_BEGUN


def write_stage_end(mechanism: WorkersMechanism, version: str, state: str = STATE, *, was: str) -> str:
    """Write what stands after a stage run that ended well; ``was`` is what the script before it said."""
    effect = Effect.ALREADY_STAGED if was == "yes" else Effect.STAGED
    return _write_head(mechanism, version, state) + _STAGED.format(effect=effect)


def write_activate_begin(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write what stands before the run that switches: it says whether nothing is left to do."""
    return _write_head(mechanism, version, state) + write_begin("this bundle") + _SAY_BEGUN


def write_activate_end(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write the proof, by version and process, that the run did what it should."""
    return _write_head(mechanism, version, state) + write_prove("the run of Ansible")


def write_roll_back_begin(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write what stands before the run that goes back: it says whether nothing is left to undo."""
    return _write_head(mechanism, version, state) + write_back_begin("this bundle") + _SAY_PREVIOUS


def write_roll_back_end(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write the proof, by version and process, that the run brought back what was there before."""
    return _write_head(mechanism, version, state) + write_back_prove("the run of Ansible")


def write_restore_begin_script(
    mechanism: WorkersMechanism, version: str, token: str, state: str = STATE
) -> str:
    """Write what stands before the run that brings the version of a backup."""
    return _write_restore_head(mechanism, version, token, state) + write_restore_begin()


def write_restore_end_script(
    mechanism: WorkersMechanism, version: str, token: str, state: str = STATE
) -> str:
    """Write the proof, by version and process, that the run brought that version."""
    return _write_restore_head(mechanism, version, token, state) + write_restore_prove("the run of Ansible")


def write_way_back_script(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says, as ``key=value`` lines, to what the node would go back."""
    key = _digest(mechanism, version)
    return ask_service(mechanism, state).write_head() + write_back_question(version, key)


def write_staged_question(mechanism: WorkersMechanism, version: str, state: str = STATE) -> str:
    """Write what succeeds where a version is staged by this bundle; it changes nothing."""
    plain = read_plain(VERSION, "version", version)
    return _IS_STAGED.format(state=shlex.quote(state), version=plain, key=_digest(mechanism, version))


def write_node_check(mechanism: WorkersMechanism, jobs: str, state: str = STATE) -> str:
    """Write the script that says, as ``kind|message`` lines, what the node lacks.

    Which Python Ansible uses there is the inventory's to say, where the bundle names one.
    """
    ask_service(mechanism, state).write_head()
    tools = TOOLS if mechanism.inventory is not None else f"{TOOLS} python3"
    return write_folder_check(f"{shlex.quote(jobs)} {shlex.quote(state)}", tools)


def _write_head(mechanism: WorkersMechanism, version: str, state: str) -> str:
    return ask_service(mechanism, state).write_head() + write_locked(version, _digest(mechanism, version))


def _write_restore_head(mechanism: WorkersMechanism, version: str, token: str, state: str) -> str:
    key = write_key(
        str(mechanism.type), mechanism.service, mechanism.version, mechanism.restore, version, token
    )
    return ask_service(mechanism, state).write_head() + write_locked(version, key)


def _digest(mechanism: WorkersMechanism, version: str) -> str:
    """Return what tells what this bundle runs, for this version, from what others do."""
    return write_key(
        str(mechanism.type),
        mechanism.service,
        mechanism.version,
        mechanism.stage,
        mechanism.activate,
        mechanism.inventory,
        mechanism.inventory_host,
        json.dumps(mechanism.extra_vars, sort_keys=True),
        version,
    )
