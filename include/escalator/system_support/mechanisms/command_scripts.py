"""The shell scripts that run an operator's own commands: pure text, everything quoted.

What a command does, and that it may be run again, is its author's. Ours is what surrounds it: one script at a
time, a time limit, its exit code, and the records and proofs of ``proof_scripts``, in ``STATE``. Their key is
a digest of the commands: what other commands did is not taken for theirs.
"""

from __future__ import annotations

import shlex

from escalator.model.bundle import CommandMechanism
from escalator.system_support.mechanisms.proof_scripts import (
    STAGE_BEGIN,
    STAGE_END,
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
from escalator.system_support.mechanisms.shared_scripts import (
    CHECK_ROOT,
    WORDS,
    read_plain,
    write_check_tools,
)

STATE = "/var/lib/escalator/command"
"""Folder of the records on a node."""

RUN = (
    WORDS
    + """\
# Run command $3, called $1, for $2 seconds at most, and say how it ended. Nothing that it leaves behind holds
# our lock.
run() {
  code=0
  log="/proc/$$/fd/1"
  old=$(wc -c <"$log")
  timeout --kill-after=10 "$2" /bin/sh -e -c "$3" 7>&- || code=$?
  [ "$code" != 0 ] || return 0
  words=$(tail -c "+$((old + 1))" "$log" | tail -c 4000 | grep -v '^[[:space:]]*$' | tail -n 1) || words=
  case $code in
    124|137) fail "the $1 command was ended after $2 s, its limit${words:+; its last words: $words}" ;;
    *) fail "the $1 command ended with exit code $code: ${words:-no output}" ;;
  esac
}
"""
)
"""Runs a command of an operator's in a script whose output is a job's log."""

_SOURCE = """\
export ESCALATOR_VERSION={target}
if [ "$(head -n 1 "$state/staged-$ESCALATOR_VERSION" 2>/dev/null)" = {key} ]; then exit 0; fi
timeout --kill-after=10 {seconds} /bin/sh -e -c {source}
"""

_CHECK_FOLDERS = """\
for folder in {folders}; do
  mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] || echo "path|the folder $folder cannot be written"
done
"""


def ask_service(mechanism: CommandMechanism, state: str = STATE) -> AskedService:
    """Return the service, asked by the version command."""
    return AskedService(
        service=mechanism.service,
        version=mechanism.version,
        version_seconds=mechanism.version_seconds,
        state=state,
    )


def write_stage_script(mechanism: CommandMechanism, version: str, state: str = STATE) -> str:
    """Write the script that runs the stage command and records that it ended well; so does a second run.

    A version whose stage command fails counts as staged no more.

    :param version: becomes ``ESCALATOR_VERSION``.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    command = (
        f"run stage {mechanism.stage_seconds:g} {shlex.quote(mechanism.stage)}\n" if mechanism.stage else ""
    )
    return _write_begin(mechanism, version, state) + STAGE_BEGIN + command + STAGE_END


def write_activate_script(mechanism: CommandMechanism, version: str, state: str = STATE) -> str:
    """Write the script that runs the activate command, and proves by version and process what came of it.

    Where the same commands brought that version last, it runs and the service is active, nothing is run.

    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return "".join(
        (
            _write_begin(mechanism, version, state),
            write_begin("these commands"),
            f"run activate {mechanism.activate_seconds:g} {shlex.quote(mechanism.activate)}\n",
            write_prove("the activate command"),
        )
    )


def write_roll_back_script(
    mechanism: CommandMechanism, version: str, rollback: str, state: str = STATE
) -> str:
    """Write the script that runs the rollback command, and proves by version and process what came of it.

    Where these commands have brought nothing, or it is undone, nothing is run.

    :param version: what the bundle brought; :param rollback: the operator's command that undoes it.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return "".join(
        (
            _write_begin(mechanism, version, state),
            write_back_begin("these commands"),
            f"run rollback {mechanism.rollback_seconds:g} {shlex.quote(rollback)}\n",
            write_back_prove("the rollback command"),
        )
    )


def write_restore_script(
    mechanism: CommandMechanism, version: str, restore: str, token: str, state: str = STATE
) -> str:
    """Write the script that runs the restore command, and proves by version and process what came of it.

    :param version: what the node had as its backup was taken; :param restore: the operator's command.
    :param token: of the run: what another one has begun is not taken for this one's.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    key = write_key(mechanism.service, mechanism.version, restore, version, token)
    return "".join(
        (
            ask_service(mechanism, state).write_head(RUN) + write_locked(version, key),
            write_restore_begin(),
            f"run restore {mechanism.restore_seconds:g} {shlex.quote(restore)}\n",
            write_restore_prove("the restore command"),
        )
    )


def write_way_back_script(mechanism: CommandMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says, as ``key=value`` lines, to what the node would go back."""
    key = _digest(mechanism, version)
    return ask_service(mechanism, state).write_head() + write_back_question(version, key)


def write_read_script(mechanism: CommandMechanism, state: str = STATE) -> str:
    """Write the script that says, as ``key=value`` lines, what runs; it fails as the version command does."""
    return ask_service(mechanism, state).write_read()


def write_source_script(
    mechanism: CommandMechanism, version: str, source: str, seconds: float, state: str = STATE
) -> str:
    """Write the script that fails where a version is neither staged nor to be had.

    :param source: the operator's command that says whether it is to be had; :param seconds: its limit.
    """
    own = _SOURCE.format(
        target=shlex.quote(read_plain(VERSION, "version", version)),
        key=_digest(mechanism, version),
        seconds=f"{seconds:g}",
        source=shlex.quote(source),
    )
    return ask_service(mechanism, state).write_head() + own


def write_check_script(mechanism: CommandMechanism, jobs: str, state: str = STATE) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps operators' commands from working.

    :param jobs: folder of the remote jobs; :param state: that of the records.
    """
    ask_service(mechanism, state).write_head()
    return write_folder_check(f"{shlex.quote(jobs)} {shlex.quote(state)}", TOOLS)


def write_hook_check_script(jobs: str) -> str:
    """Write the script that says likewise what keeps hooks from being run."""
    return write_folder_check(shlex.quote(jobs), "flock setsid timeout")


def write_folder_check(folders: str, tools: str) -> str:
    """Write what says of folders and programs, quoted words of a shell, whether they can be used."""
    return CHECK_ROOT + _CHECK_FOLDERS.format(folders=folders) + write_check_tools(tools)


def _write_begin(mechanism: CommandMechanism, version: str, state: str) -> str:
    return ask_service(mechanism, state).write_head(RUN) + write_locked(version, _digest(mechanism, version))


def _digest(mechanism: CommandMechanism, version: str) -> str:
    """Return what tells these commands, for this version, from others."""
    return write_key(mechanism.service, mechanism.version, mechanism.stage, mechanism.activate, version)
