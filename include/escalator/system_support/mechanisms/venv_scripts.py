"""The shell scripts that bring a version as a virtual environment: pure text, everything quoted.

Beside the link ``<venv>`` of a mechanism lie, for each version, ``<venv>-<version>`` and three files:
``<venv>.lock`` (one script at a time), ``<venv>.previous`` (where the link pointed before) and ``.switched``
(boot id, clock ticks since boot, target): when the link was switched, on the clock by which the kernel dates
processes, so that setting the time of day cannot make an old process look new.

An environment is made under its own name, as it cannot be moved: it counts only with its marker, which is
written last, and its manifest, a digest of its files that every later look compares. What is installed beside
the package, and where from, is in its name (:func:`venv_install.name_environment`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from escalator.model.bundle import Artefact, VenvMechanism, is_archive
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.artefact_scripts import FOLDER
from escalator.system_support.mechanisms.shared_scripts import (
    CHECK_ROOT,
    PROCESSES,
    WORDS,
    read_plain,
    write_check_tools,
)
from escalator.system_support.mechanisms.venv_install import (
    DIGEST_MARK,
    METADATA,
    PROVE,
    name_environment,
    uses_uv,
    write_agree,
    write_ask,
    write_build,
    write_imports,
    write_own_path,
)

MARKER = ".escalator-complete"
"""The file in an environment that says that it was made to the end, and in which boot of the machine."""
MANIFEST = ".escalator-manifest"
"""The file with a digest of the environment's files (path, size, time), as they were when it was proved."""
DURABLE = ".escalator-durable"
"""The file that says that the environment has reached the disk: it outlives a loss of power."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!@-]*")

_FUNCTIONS = """\
set -eu
umask 022
link={link}
package={package}
service={service}
home=$(readlink -f "$(dirname "$link")")
base="$home/$(basename "$link")"
{words}
metadata() {{
  "$1/bin/python" -I -c {metadata} "$package"
}}
{processes}
ticks() {{ read -r up _ </proc/uptime; printf '%s\\n' "$up" | tr -d .; }}
# A digest of what was installed into $1, by path, size and time: cheap, and the same until a file changes.
fingerprint() {{
  "$1/bin/python" -I -S -c {fingerprint} "$1"
}}
whole() {{
  [ -e "$1/{manifest}" ] && now=$(fingerprint "$1") && [ "$now" = "$(cat "$1/{manifest}")" ]
}}
complete() {{
  [ -e "$1/{marker}" ] || return 1
  [ -e "$1/{durable}" ] || [ "$(cat "$1/{marker}")" = "$(boot)" ]
}}
# Nobody waits for the disk: that would be for all that others write, too.
mark_complete() {{
  fingerprint "$1" >"$1/{manifest}"
  boot >"$1/{marker}"
  unproved=
  ( sync -f "$1" && : >"$1/{durable}" ) >/dev/null 2>&1 7>&- 9>&- &
}}
# The environment that process $1 runs: by the files it has in memory, else by its command line.
loaded() {{
  {{ cat "/proc/$1/maps"; tr '\\0' '\\n' <"/proc/$1/cmdline"; }} 2>/dev/null | awk -v p="$base-" '
    {{ i = index($0, p) }}
    i {{ rest = substr($0, i + length(p)); sub("/.*", "", rest); print rest; exit }}'
}}
unproved=
house=
tidy() {{
  [ -z "$unproved" ] || rm -rf "$unproved"
  [ -z "$house" ] || rm -rf "$house"
}}
trap tidy EXIT
# Whether process $1 began after the link was switched to $2.
began_after_switch() {{
  read -r switched_boot switched_at switched_to <"$link.switched" 2>/dev/null || return 1
  [ "$switched_to" = "$2" ] || return 1
  [ "$switched_boot" = "$(boot)" ] || return 0
  began_at=$(began "$1")
  [ -n "$began_at" ] && [ "$began_at" -ge "$switched_at" ]
}}
"""

_STAGE = """\
version={version}
environment={environment}
target="$base-$environment"
exec 7>"$link.lock"
flock 7
verified() {{
  found=$(metadata "$target") || return 1
  [ "$found" = "$version" ] || {{ say "$package in $target is $found" >&2; return 1; }}
}}
in_use() {{
  [ "$(readlink -f "$link")" = "$target" ] && return 0
  pid=$(main_pid) && [ "$(loaded "$pid")" = "$environment" ]
}}
# What it was installed for loads, and every file that the installer noted is there as it was noted.
proved() {{
  why=$(cd / && "$target/bin/python" -s -c {prove} "$package" "$service" 2>&1) && why=$({agree} 2>&1) ||
    {{ printf '%s\\n' "$why" >&2; why=$(printf '%s\\n' "$why" | tail -n 1); return 1; }}
}}
{imports}
if complete "$target" && whole "$target" && verified && imported; then say already-staged; exit 0; fi
if [ -e "$target" ] && in_use; then
  verified || fail "$target is in use and is not $package $version"
  imported || fail "$target is in use, and $why"
else
  rm -rf "$target"
  unproved=$target
  {build}
  verified || fail "the installer brought another version than $version"
  proved || fail "what the installer brought is not whole: $why"
  imported || fail "what the installer brought is not enough: $why"
fi
mark_complete "$target"
say staged
"""

_FINGERPRINT = """\
import hashlib, os, sys
digest = hashlib.sha256()
for top in ("bin", "lib"):
    for folder, below, files in os.walk(os.path.join(sys.argv[1], top)):
        below[:] = sorted(name for name in below if name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".pyc") or (top == "bin" and os.path.islink(path)):
                continue
            found = os.stat(path) if os.path.exists(path) else None
            what = (found.st_size, found.st_mtime_ns) if found else None
            digest.update(repr((os.path.relpath(path, sys.argv[1]), what)).encode("utf-8", "replace"))
print(digest.hexdigest())
"""
_SOURCE = """\
version={version}
target="$base-"{environment}
if complete "$target" && whole "$target" && [ "$(metadata "$target")" = "$version" ]; then exit 0; fi
{ask}
"""

_ACTIVATE = """\
environment={environment}
target="$base-$environment"
exec 7>"$link.lock"
flock 7
complete "$target" || fail "$target is not staged"
whole "$target" || fail "$target is not as it was when it was staged"
[ -L "$link" ] || [ ! -e "$link" ] || fail "$link is not a symbolic link"
current=$(readlink -f "$link" || true)
if [ "$current" != "$target" ]; then
  if [ -L "$link" ]; then
    printf '%s\\n' "$current" >"$link.previous.new"
    mv -T "$link.previous.new" "$link.previous"
  else
    rm -f "$link.previous"
  fi
  switch_link
fi
outcome=already-active
if ! is_fresh; then
  restart_service
  outcome=activated
fi
say_outcome
"""

SWITCH = """\
# Point the link to $target; processes that began before that are old.
switch_link() {
  rm -f "$link.new"
  ln -s "$target" "$link.new"
  mv -T "$link.new" "$link"
  printf '%s %s %s\\n' "$(boot)" "$(ticks)" "$target" >"$link.switched.new"
  mv -T "$link.switched.new" "$link.switched"
}
# Whether the service runs what the link points to.
is_fresh() {
  pid=$(main_pid) || return 1
  running=$(loaded "$pid")
  if [ -n "$running" ]; then [ "$base-$running" = "$target" ]; else began_after_switch "$pid" "$target"; fi
}
restart_service() { systemctl restart "$service" 7>&- 9>&- || fail "$service does not start"; }
say_outcome() {
  state=$(systemctl is-active "$service" 2>/dev/null) || true
  case $state in active|reloading) ;; *) fail "$service does not run: systemd says '$state'" ;; esac
  say "$outcome"
}
"""
"""What points the link to ``$target``, and has the service run that: for scripts that come after."""

_READ = """\
pid=$(main_pid) || pid=
target=$(readlink -f "$link" || true)
printf 'link=%s\\n' "$target"
printf 'version=%s\\n' "$(metadata "$link" 2>/dev/null || true)"
printf 'previous=%s\\n' "$(cat "$link.previous" 2>/dev/null || true)"
printf 'pid=%s\\n' "$pid"
printf 'active=%s\\n' "$(systemctl is-active "$service" 2>/dev/null || true)"
running=
if [ -n "$pid" ]; then
  running=$(loaded "$pid") || true
  if [ -z "$running" ] && began_after_switch "$pid" "$target"; then running="${{target#"$base-"}}"; fi
fi
printf 'running=%s\\n' "${{running%%"{mark}"*}}"
"""

_CHECK_PATHS = """\
mkdir -p {jobs} 2>/dev/null && [ -w {jobs} ] || echo 'path|the job folder cannot be written'
[ -d "$home" ] && [ -w "$home" ] || echo 'path|the folder of the link cannot be written'
[ -L "$link" ] || [ ! -e "$link" ] || echo 'path|the link is a folder or a file, not a symbolic link'
"""
_CHECK_PIP = """\
{python} -c 'import venv, ensurepip' 2>/dev/null || echo 'tool|the interpreter lacks venv or ensurepip'
"""


def write_stage_script(
    mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact] = (), base: str = FOLDER
) -> str:
    """Write the script that makes ``<venv>-<version>`` beside the link; run again it only verifies.

    An environment that was not made to the end, may not have reached the disk before a loss of power, or is
    not as it was when it was proved, is removed and made again, unless the link points to it or the service
    runs from it; then it is adopted when its metadata says the right version. One that cannot be made or
    proved is removed at once.

    :param version: exact version, as ``importlib.metadata`` says it.
    :param artefacts: of the bundle; :param base: the folder of the folders of artefacts.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    named = _plain("version", version)
    return write_functions(mechanism) + _STAGE.format(
        version=shlex.quote(named),
        environment=shlex.quote(name_environment(mechanism, named, artefacts)),
        build=write_build(mechanism, named, artefacts, base),
        prove=shlex.quote(write_own_path(PROVE, mechanism)),
        agree=write_agree(mechanism),
        imports=write_imports(mechanism),
    )


def write_source_script(
    mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact] = (), base: str = FOLDER
) -> str:
    """Write the script that fails, in the installer's words, where a version is neither staged nor to be had.

    The installer is asked without installing anything; what it needs for that is removed. Where it needs an
    artefact that is not there before stage, nobody can say.

    :param version: exact version, as ``importlib.metadata`` says it.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    named = _plain("version", version)
    return write_functions(mechanism) + _SOURCE.format(
        version=shlex.quote(named),
        environment=shlex.quote(name_environment(mechanism, named, artefacts)),
        ask=write_ask(mechanism, named, artefacts, base),
    )


def write_activate_script(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact] = ()) -> str:
    """Write the script that points the link to a staged version and restarts the service.

    Run again it changes nothing when the link is there and the service runs that version or, where that
    is not to be seen, began after the switch. A run that was cut short between the two restarts the service.

    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    environment = name_environment(mechanism, _plain("version", version), artefacts)
    return write_functions(mechanism) + SWITCH + _ACTIVATE.format(environment=shlex.quote(environment))


def write_read_script(mechanism: VenvMechanism) -> str:
    """Write the script that says, as ``key=value`` lines, what is installed and what runs."""
    return write_functions(mechanism) + _READ.format(mark=DIGEST_MARK)


def write_check_script(mechanism: VenvMechanism, jobs: str) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps the mechanism from working.

    :param jobs: folder of the remote jobs.
    """
    own = mechanism.installer if uses_uv(mechanism) else mechanism.python
    paths = CHECK_ROOT + _CHECK_PATHS.format(jobs=shlex.quote(jobs))
    unpacking = " tar find" if mechanism.wheels is not None and is_archive(mechanism.wheels) else ""
    tools = write_check_tools(f"flock setsid systemctl awk {shlex.quote(own)}{unpacking}")
    text = write_functions(mechanism) + paths + tools
    return text if uses_uv(mechanism) else text + _CHECK_PIP.format(python=shlex.quote(mechanism.python))


def write_functions(mechanism: VenvMechanism) -> str:
    """Check the mechanism and write what all scripts begin with.

    :raises InvalidRequestError: when the mechanism is not usable.
    """
    link = PurePosixPath(mechanism.venv)
    if not link.is_absolute() or ".." in link.parts or len(link.parts) < 2 or "\n" in mechanism.venv:  # noqa: PLR2004
        raise InvalidRequestError(
            f"mechanism.venv {mechanism.venv!r} is not an absolute path of a link",
            remedy="correct the bundle",
        )
    if mechanism.installer != "pip" and not uses_uv(mechanism):
        raise InvalidRequestError(
            f"mechanism.installer {mechanism.installer!r} is not known", remedy="use pip, uv or a path of uv"
        )
    return _FUNCTIONS.format(
        words=WORDS,
        processes=PROCESSES,
        link=shlex.quote(str(link)),
        package=shlex.quote(_plain("package", mechanism.package)),
        service=shlex.quote(_plain("service", mechanism.service)),
        marker=MARKER,
        durable=DURABLE,
        manifest=MANIFEST,
        metadata=shlex.quote(write_own_path(METADATA, mechanism)),
        fingerprint=shlex.quote(_FINGERPRINT),
    )


def _plain(name: str, text: str) -> str:
    return read_plain(_PLAIN, name, text)
