"""The shell scripts that run an operator's own commands: pure text, everything quoted.

What a command does, and that it may be run again, is its author's. Ours is what surrounds it: one script at a
time, a time limit, its exit code, and a record in ``STATE`` of what was brought to its end:

- ``staged-<version>``: the stage command of that version ended well;
- ``begun``: an activation began, which process the service had then, and which version it ran;
- ``active``: the activation that ended well last.

Each begins with the digest of the commands: what other commands did is not taken for theirs.
"""

from __future__ import annotations

import hashlib
import re
import shlex

from escalator.model.bundle import CommandMechanism
from escalator.system_support.mechanisms.shared_scripts import (
    CHECK_ROOT,
    PROCESSES,
    WORDS,
    read_plain,
    write_check_tools,
)

STATE = "/var/lib/escalator/command"
"""Folder of the records on a node."""
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!@:~^-]*")
"""What a version may look like: it becomes part of a file's name."""

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")

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

_HEAD = """\
set -eu
umask 022
service={service}
state={state}
export ESCALATOR_SERVICE="$service"
{run}
# The version that the service runs, by the last line of the operator's command.
ask_version() {{
  timeout --kill-after=10 {version_seconds} /bin/sh -e -c {version_command} >"$1" 7>&- || return
  sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' "$1" | grep . | tail -n 1 || true
}}
active() {{ systemctl is-active "$service" 2>/dev/null || true; }}
is_active() {{ case $(active) in active|reloading) return 0 ;; *) return 1 ;; esac; }}
{processes}
# Which process the service has: boot, process id and when it began.
process() {{
  pid=$(main_pid) || return 0
  printf '%s %s %s\\n' "$(boot)" "$pid" "$(began "$pid")"
}}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
"""

_LOCKED = """\
version={target}
key={key}
export ESCALATOR_VERSION="$version"
mkdir -p "$state"
exec 7>"$state/lock"
flock 7
is_record() {{ [ "$(head -n 1 "$1" 2>/dev/null)" = "$key" ]; }}
record() {{
  cat >"$1.new"
  sync "$1.new" 2>/dev/null || sync
  mv -T "$1.new" "$1"
}}
staged="$state/staged-$version"
"""

_STAGE = """\
was=no
if is_record "$staged"; then was=yes; fi
rm -f "$staged"
{stage}
printf '%s\\n' "$key" | record "$staged"
if [ "$was" = yes ]; then say already-staged; else say staged; fi
"""

_ACTIVATE = """\
is_record "$staged" || fail "$version is not staged by these commands"
before=$(ask_version "$answer") || before=
if is_record "$state/active" && [ "$before" = "$version" ] && is_active; then say already-active; exit 0; fi
if ! is_record "$state/begun"; then
  printf '%s\\n%s\\n%s\\n' "$key" "$(process)" "$before" | record "$state/begun"
fi
rm -f "$state/active"
run activate {activate_seconds} {activate_command}
is_active || fail "$service does not run after the activate command: systemd says '$(active)'"
after=$(ask_version "$answer") || fail "the activate command ended well, but the version command did not"
[ "$after" = "$version" ] ||
  fail "the activate command ended well, but the version command says '$after', not $version"
old=$(sed -n 2p "$state/begun")
if [ -n "$old" ] && [ "$old" = "$(process)" ] && [ "$(sed -n 3p "$state/begun")" != "$version" ]; then
  fail "the activate command ended well, but $service is still the process of before: it was not restarted"
fi
mv -T "$state/begun" "$state/active"
say activated
"""

_READ = """\
version=$(ask_version "$answer") || exit
printf 'version=%s\\n' "$version"
printf 'active=%s\\n' "$(active)"
printf 'pid=%s\\n' "$(main_pid || true)"
"""

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


def write_stage_script(mechanism: CommandMechanism, version: str, state: str = STATE) -> str:
    """Write the script that runs the stage command and records that it ended well; so does a second run.

    A version whose stage command fails counts as staged no more.

    :param version: becomes ``ESCALATOR_VERSION``.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    command = (
        f"run stage {mechanism.stage_seconds:g} {shlex.quote(mechanism.stage)}" if mechanism.stage else ""
    )
    return _write_head(mechanism, state) + _write_locked(mechanism, version) + _STAGE.format(stage=command)


def write_activate_script(mechanism: CommandMechanism, version: str, state: str = STATE) -> str:
    """Write the script that runs the activate command, and proves by version and process what came of it.

    Where the same commands brought that version last, it runs and the service is active, nothing is run.

    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    activate = _ACTIVATE.format(
        activate_seconds=f"{mechanism.activate_seconds:g}", activate_command=shlex.quote(mechanism.activate)
    )
    return _write_head(mechanism, state) + _write_locked(mechanism, version) + activate


def write_read_script(mechanism: CommandMechanism, state: str = STATE) -> str:
    """Write the script that says, as ``key=value`` lines, what runs; it fails as the version command does."""
    return _write_head(mechanism, state) + _READ


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
    return _write_head(mechanism, state) + own


def write_check_script(mechanism: CommandMechanism, jobs: str, state: str = STATE) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps the mechanism from working.

    :param jobs: folder of the remote jobs.
    """
    read_plain(_SERVICE, "service", mechanism.service)
    folders = f"{shlex.quote(jobs)} {shlex.quote(state)}"
    return _write_check(folders, "flock setsid systemctl timeout mktemp")


def write_hook_check_script(jobs: str) -> str:
    """Write the script that says likewise what keeps hooks from being run."""
    return _write_check(shlex.quote(jobs), "flock setsid timeout")


def _write_check(folders: str, tools: str) -> str:
    return CHECK_ROOT + _CHECK_FOLDERS.format(folders=folders) + write_check_tools(tools)


def _write_head(mechanism: CommandMechanism, state: str) -> str:
    return _HEAD.format(
        service=shlex.quote(read_plain(_SERVICE, "service", mechanism.service)),
        state=shlex.quote(state),
        run=RUN,
        processes=PROCESSES,
        version_seconds=f"{mechanism.version_seconds:g}",
        version_command=shlex.quote(mechanism.version),
    )


def _write_locked(mechanism: CommandMechanism, version: str) -> str:
    plain = shlex.quote(read_plain(VERSION, "version", version))
    return _LOCKED.format(target=plain, key=_digest(mechanism, version))


def _digest(mechanism: CommandMechanism, version: str) -> str:
    """Return what tells these commands, for this version, from others."""
    parts = (mechanism.service, mechanism.version, mechanism.stage, mechanism.activate, version)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
