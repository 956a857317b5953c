"""Which version a service runs, and the proof that an activation changed it: parts of shell scripts.

An operator's command says which version runs. Who would print what is installed would be believed; so the
process of the service is compared with the one before the first try. What was brought to its end is recorded
in a folder of the node:

- ``staged-<version>``: that version was laid down whole;
- ``begun``: an activation began, which process the service had then, and which version it ran;
- ``active``: the activation that ended well last;
- ``back-<version>``: going back from that version began, which process the service had then, and what it had
  before that version;
- ``restore``: putting the node back to a backup began, and which process the service had then.

Each begins with a key: what another bundle did is not taken for this one's.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass

from escalator.model.bundle import COMPUTE
from escalator.model.errors import NodeFaultError
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.mechanisms.shared_scripts import PROCESSES, WORDS, read_plain
from escalator.system_support.shell import Shell, parse_pairs

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!@:~^-]*")
"""What a version may look like: it becomes part of a file's name."""
MARGIN_SECONDS = 30.0
"""How much longer than a command's limit the connection waits for its answer."""
TOOLS = "flock setsid systemctl timeout mktemp"
"""Programs of a node that the scripts need, and the jobs that run them."""

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")

_HEAD = """\
set -eu
umask 022
service={service}
state={state}
export ESCALATOR_SERVICE="$service"
{words}
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

_BEGIN = """\
is_record "$staged" || fail "$version is not staged by {what}"
before=$(ask_version "$answer") || before=
if is_record "$state/active" && [ "$before" = "$version" ] && is_active; then say already-active; exit 0; fi
if ! is_record "$state/begun"; then
  printf '%s\\n%s\\n%s\\n' "$key" "$(process)" "$before" | record "$state/begun"
fi
rm -f "$state/active" "$state/back-$version"
"""

_PROVE = """\
is_active || fail "$service does not run after {what}: systemd says '$(active)'"
after=$(ask_version "$answer") || fail "{what} ended well, but the version command did not"
[ "$after" = "$version" ] ||
  fail "{what} ended well, but the version command says '$after', not $version"
old=$(sed -n 2p "$state/begun")
if [ -n "$old" ] && [ "$old" = "$(process)" ] && [ "$(sed -n 3p "$state/begun")" != "$version" ]; then
  fail "{what} ended well, but $service is still the process of before: it was not restarted"
fi
mv -T "$state/begun" "$state/active"
say activated
"""

_BACK_BEGIN = """\
back="$state/back-$version"
before=$(ask_version "$answer") || before=
from="$state/begun"
is_record "$from" || from="$state/active"
if ! is_record "$back"; then
  if [ "$before" != "$version" ] && ! is_record "$state/begun"; then say already-back; exit 0; fi
  is_record "$from" || fail "there is no way back: nothing is recorded here of what {what} brought"
  printf '%s\\n%s\\n%s\\n%s\\n' "$key" "$(process)" "$(sed -n 3p "$from")" "$before" | record "$back"
fi
ESCALATOR_PREVIOUS=$(sed -n 3p "$back")
export ESCALATOR_PREVIOUS
"""

_BACK_PROVE = """\
back="$state/back-$version"
ESCALATOR_PREVIOUS=$(sed -n 3p "$back")
is_active || fail "$service does not run after {what}: systemd says '$(active)'"
after=$(ask_version "$answer") || fail "{what} ended well, but the version command did not"
[ "$after" != "$version" ] || fail "{what} ended well, but the version command says '$after' still"
[ -z "$ESCALATOR_PREVIOUS" ] || [ "$after" = "$ESCALATOR_PREVIOUS" ] ||
  fail "{what} ended well, but the version command says '$after', not $ESCALATOR_PREVIOUS"
old=$(sed -n 2p "$back")
if [ -n "$old" ] && [ "$old" = "$(process)" ] && [ "$(sed -n 4p "$back")" = "$version" ]; then
  fail "{what} ended well, but $service is still the process of before: it was not restarted"
fi
for name in active begun; do
  if is_record "$state/$name"; then rm -f "$state/$name"; fi
done
rm -f "$back"
say rolled-back
"""

_RESTORE_BEGIN = """\
restore="$state/restore"
is_record "$restore" || printf '%s\\n%s\\n' "$key" "$(process)" | record "$restore"
export ESCALATOR_PREVIOUS="$version"
"""

_RESTORE_PROVE = """\
restore="$state/restore"
is_active || fail "$service does not run after {what}: systemd says '$(active)'"
after=$(ask_version "$answer") || fail "{what} ended well, but the version command did not"
[ "$after" = "$version" ] ||
  fail "{what} ended well, but the version command says '$after', not $version"
old=$(sed -n 2p "$restore")
if [ -n "$old" ] && [ "$old" = "$(process)" ]; then
  fail "{what} ended well, but $service is still the process of before: it was not restarted"
fi
rm -f "$state/active" "$state/begun" "$state"/back-* "$restore"
say activated
"""

_BACK_QUESTION = """\
version={version}
for name in begun active; do
  if [ "$(head -n 1 "$state/$name" 2>/dev/null)" = {key} ]; then
    printf 'recorded=yes\\nprevious=%s\\n' "$(sed -n 3p "$state/$name")"
    exit 0
  fi
done
printf 'now=%s\\n' "$(ask_version "$answer")"
"""

_READ = """\
version=$(ask_version "$answer") || exit
printf 'version=%s\\n' "$version"
printf 'active=%s\\n' "$(active)"
printf 'pid=%s\\n' "$(main_pid || true)"
"""

STAGE_BEGIN = """\
was=no
if is_record "$staged"; then was=yes; fi
rm -f "$staged"
"""
"""What was staged before counts no more from here on."""
STAGE_END = """\
printf '%s\\n' "$key" | record "$staged"
if [ "$was" = yes ]; then say already-staged; else say staged; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedService:
    """A service of a node, and how it is asked which version it runs.

    :ivar service: its unit of systemd.
    :ivar version: the operator's command; its last line is the version.
    :ivar version_seconds: how long that may take (s).
    :ivar state: folder of the records on the node.
    """

    service: str
    version: str
    version_seconds: float
    state: str

    def write_head(self, words: str = WORDS) -> str:
        """Write what the scripts begin with: the functions that look at the service.

        :raises InvalidRequestError: the service's name is none.
        """
        return _HEAD.format(
            service=shlex.quote(read_plain(_SERVICE, "service", self.service)),
            state=shlex.quote(self.state),
            words=words,
            processes=PROCESSES,
            version_seconds=f"{self.version_seconds:g}",
            version_command=shlex.quote(self.version),
        )

    def write_read(self) -> str:
        """Write the script that says, as ``key=value`` lines, what runs; it fails as the version command."""
        return self.write_head() + _READ

    def read(self, shell: Shell) -> InstalledVersion:
        """Ask what the service runs; of a service that is not active, what is installed.

        :raises NodeFaultError: the command fails, takes too long, or prints what is no version.
        """
        result = shell.run_as_root(self.write_read(), self.version_seconds + MARGIN_SECONDS)
        remedy = "try the version command of the bundle on the node: its last line is the version that runs"
        if not result.ok:
            said = f"exit code {result.exit_code}: {result.last_words}"
            raise NodeFaultError(f"node {shell.host}: the version command fails: {said}", remedy=remedy)
        found = parse_pairs(result.stdout)
        version = found.get("version") or None
        if version is not None and not VERSION.fullmatch(version):
            said = f"the version command prints {version[:60]!r}, which is no version"
            raise NodeFaultError(f"node {shell.host}: {said}", remedy=remedy)
        active = found.get("active") == UnitState.ACTIVE
        return InstalledVersion(
            package=self.service,
            place="the version command of the bundle",
            target=None,
            version=version,
            running=version if active else None,
            previous=None,
            main_pid=int(found["pid"]) if found.get("pid") else None,
            active=active,
        )


def write_locked(version: str, key: str) -> str:
    """Write what takes the lock of the records, and knows those of a version under a key.

    :raises InvalidRequestError: the version cannot be one.
    """
    plain = shlex.quote(read_plain(VERSION, "version", version))
    return _LOCKED.format(target=plain, key=key)


def write_begin(what: str) -> str:
    """Write what ends the script where that version runs already, and else records what runs before.

    :param what: what stages, for the message: ``these commands``.
    """
    return _BEGIN.format(what=what)


def write_prove(what: str) -> str:
    """Write what proves that the service runs the version, by a process that was not there before.

    :param what: what was run, for messages: ``the activate command``.
    """
    return _PROVE.format(what=what)


def write_back_begin(what: str) -> str:
    """Write what ends the script where nothing of that version is left to undo, and else records what is.

    A version that runs, and of which nothing is recorded, has no way back: ``ESCALATOR_PREVIOUS`` would be
    guessed.

    :param what: what brought the version, for the message: ``these commands``.
    """
    return _BACK_BEGIN.format(what=what)


def write_back_prove(what: str) -> str:
    """Write what proves that the service runs what it did before that version, by another process.

    :param what: what was run, for messages: ``the rollback command``.
    """
    return _BACK_PROVE.format(what=what)


def write_restore_begin() -> str:
    """Write what records which process ran before the node is put back to its backup."""
    return _RESTORE_BEGIN


def write_restore_prove(what: str) -> str:
    """Write what proves that the service runs the version of the backup, by another process.

    Nothing of any bundle is under way on the node any more, so no record of one is left.

    :param what: what was run, for messages: ``the restore command``.
    """
    return _RESTORE_PROVE.format(what=what)


def write_back_question(version: str, key: str) -> str:
    """Write what says, as ``key=value`` lines, what a version replaced, or else what the service runs now."""
    plain = shlex.quote(read_plain(VERSION, "version", version))
    return _BACK_QUESTION.format(version=plain, key=key)


def read_way_back(text: str, version: str) -> WayBack:
    """Read the answer to :func:`write_back_question`.

    :param version: what the bundle brings.
    """
    found = parse_pairs(text)
    if "recorded" in found:
        previous = found.get("previous")
        return WayBack.to_previous({COMPUTE: previous or "what it had before"})
    now = found.get("now", "")
    if now == version:
        return WayBack.one_way("it runs that version, and nothing is recorded of what it had before")
    return WayBack.to_previous({COMPUTE: now}) if now else WayBack.one_way("it does not say what it runs")


def write_key(*parts: object) -> str:
    """Return what tells what a bundle does, for one version, from what others do."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
