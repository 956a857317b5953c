"""The shell scripts that bring a version as a virtual environment: pure text, everything quoted.

Beside the link ``<venv>`` of a mechanism lie, for each version, ``<venv>-<version>`` and three files:
``<venv>.lock`` (one script at a time), ``<venv>.previous`` (where the link pointed before) and ``.switched``
(boot id, clock ticks since boot, target): when the link was switched, on the clock by which the kernel dates
processes, so that setting the time of day cannot make an old process look new.

An environment is made under its own name, as it cannot be moved: it counts only with its marker, which is
written last, and its manifest, a digest of its files that every later look compares.
"""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from escalator.model.bundle import VenvMechanism
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.shared_scripts import (
    CHECK_ROOT,
    PROCESSES,
    WORDS,
    read_plain,
    write_check_tools,
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
  "$1/bin/python" -I -c 'import importlib.metadata, sys
print(importlib.metadata.version(sys.argv[1]))' "$package"
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
  trap - EXIT
  ( sync -f "$1" && : >"$1/{durable}" ) >/dev/null 2>&1 7>&- 9>&- &
}}
# The version that process $1 runs: by the files it has in memory, else by its command line.
loaded() {{
  {{ cat "/proc/$1/maps"; tr '\\0' '\\n' <"/proc/$1/cmdline"; }} 2>/dev/null | awk -v p="$base-" '
    {{ i = index($0, p) }}
    i {{ rest = substr($0, i + length(p)); sub("/.*", "", rest); print rest; exit }}'
}}
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
target="$base-$version"
exec 7>"$link.lock"
flock 7
verified() {{
  found=$(metadata "$target") || return 1
  [ "$found" = "$version" ] || {{ say "$package in $target is $found" >&2; return 1; }}
}}
in_use() {{
  [ "$(readlink -f "$link")" = "$target" ] && return 0
  pid=$(main_pid) && [ "$(loaded "$pid")" = "$version" ]
}}
# What it was installed for loads, and every file that the installer noted is there as it was noted.
proved() {{
  why=$(cd / && "$target/bin/python" -s -c {prove} "$package" "$service" 2>&1) && why=$({agree} 2>&1) ||
    {{ printf '%s\\n' "$why" >&2; why=$(printf '%s\\n' "$why" | tail -n 1); return 1; }}
}}
if complete "$target" && whole "$target" && verified; then say already-staged; exit 0; fi
if [ -e "$target" ] && in_use; then
  verified || fail "$target is in use and is not $package $version"
else
  rm -rf "$target"
  trap 'rm -rf "$target"' EXIT
  {build}
  verified || fail "the installer brought another version than $version"
  proved || fail "what the installer brought is not whole: $why"
fi
mark_complete "$target"
say staged
"""

_BUILD_PIP = """\
{python} -m venv "$target"
  "$target/bin/python" -m pip install --no-input --disable-pip-version-check --compile {requirement}"""
_AGREE_PIP = '"$target/bin/python" -m pip check --disable-pip-version-check'
_AGREE_UV = '{uv} pip check --python "$target/bin/python"'

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
_PROVE = """\
import base64, hashlib, importlib, importlib.metadata as metadata, sys
package, service = sys.argv[1:]
own = metadata.distribution(package)
def unlike(file, of_own):
    path = file.locate()
    if not path.exists():
        return "is missing"
    if file.size is not None and path.stat().st_size != file.size:
        return "has another size"
    if of_own and file.hash is not None:
        read = hashlib.new(file.hash.mode, path.read_bytes()).digest()
        if base64.urlsafe_b64encode(read).rstrip(b"=").decode() != file.hash.value:
            return "has another checksum"
    return ""
for brought in metadata.distributions():
    of_own = brought.metadata["Name"] == own.metadata["Name"]
    for file in brought.files or ():
        if file.suffix != ".pyc" and file.name != "RECORD" and (wrong := unlike(file, of_own)):
            sys.exit(f"{file} of {brought.metadata['Name']} {wrong}")
starts = [p for p in own.entry_points if p.group == "console_scripts" and p.name == service]
for point in starts:
    point.load()
for file in () if starts else own.files or ():
    if file.suffix == ".py" and (len(file.parts) == 1 or file.parts[1:] == ("__init__.py",)):
        importlib.import_module(file.parts[0].removesuffix(".py"))
"""
_SOURCE = """\
version={version}
target="$base-$version"
if complete "$target" && whole "$target" && [ "$(metadata "$target")" = "$version" ]; then exit 0; fi
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
{ask}
"""
_ASK_PIP = """\
{python} -m venv "$probe/venv"
"$probe/venv/bin/python" -m pip download --no-input --disable-pip-version-check --quiet --no-deps \\
  --dest "$probe/got" {requirement} >/dev/null"""
_ASK_UV = """\
{uv} pip install --no-progress --dry-run --no-deps{python} --target "$probe/none" {requirement} >/dev/null"""
_BUILD_UV = """\
{uv} venv --no-progress{python} "$target"
  {uv} pip install --no-progress --compile-bytecode --python "$target/bin/python" {requirement}"""

_ACTIVATE = """\
version={version}
target="$base-$version"
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
  fi
  rm -f "$link.new"
  ln -s "$target" "$link.new"
  mv -T "$link.new" "$link"
  printf '%s %s %s\\n' "$(boot)" "$(ticks)" "$target" >"$link.switched.new"
  mv -T "$link.switched.new" "$link.switched"
fi
fresh() {{
  pid=$(main_pid) || return 1
  running=$(loaded "$pid")
  if [ -n "$running" ]; then [ "$running" = "$version" ]; else began_after_switch "$pid" "$target"; fi
}}
outcome=already-active
if ! fresh; then
  systemctl restart "$service" 7>&- 9>&- || fail "$service does not start"
  outcome=activated
fi
state=$(systemctl is-active "$service" 2>/dev/null) || true
case $state in active|reloading) ;; *) fail "$service does not run: systemd says '$state'" ;; esac
say "$outcome"
"""

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
printf 'running=%s\\n' "$running"
"""

_CHECK_PATHS = """\
mkdir -p {jobs} 2>/dev/null && [ -w {jobs} ] || echo 'path|the job folder cannot be written'
[ -d "$home" ] && [ -w "$home" ] || echo 'path|the folder of the link cannot be written'
[ -L "$link" ] || [ ! -e "$link" ] || echo 'path|the link is a folder or a file, not a symbolic link'
"""
_CHECK_PIP = """\
{python} -c 'import venv, ensurepip' 2>/dev/null || echo 'tool|the interpreter lacks venv or ensurepip'
"""


def write_stage_script(mechanism: VenvMechanism, version: str) -> str:
    """Write the script that makes ``<venv>-<version>`` beside the link; run again it only verifies.

    An environment that was not made to the end, may not have reached the disk before a loss of power, or is
    not as it was when it was proved, is removed and made again, unless the link points to it or the service
    runs from it; then it is adopted when its metadata says the right version. One that cannot be made or
    proved is removed at once.

    :param version: exact version, as ``importlib.metadata`` says it.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    requirement = shlex.quote(f"{mechanism.package}=={_plain('version', version)}")
    if uses_uv(mechanism):
        uv, python = shlex.quote(mechanism.installer), _uv_python(mechanism)
        build = _BUILD_UV.format(uv=uv, python=python, requirement=requirement)
        agree = _AGREE_UV.format(uv=uv)
    else:
        build = _BUILD_PIP.format(python=shlex.quote(mechanism.python), requirement=requirement)
        agree = _AGREE_PIP
    return _functions(mechanism) + _STAGE.format(
        version=shlex.quote(version), build=build, prove=shlex.quote(_PROVE), agree=agree
    )


def write_source_script(mechanism: VenvMechanism, version: str) -> str:
    """Write the script that fails, in the installer's words, where a version is neither staged nor to be had.

    The installer is asked without installing anything; what it needs for that is removed.

    :param version: exact version, as ``importlib.metadata`` says it.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    requirement = shlex.quote(f"{mechanism.package}=={_plain('version', version)}")
    if uses_uv(mechanism):
        uv, python = shlex.quote(mechanism.installer), _uv_python(mechanism)
        ask = _ASK_UV.format(uv=uv, python=python, requirement=requirement)
    else:
        ask = _ASK_PIP.format(python=shlex.quote(mechanism.python), requirement=requirement)
    return _functions(mechanism) + _SOURCE.format(version=shlex.quote(version), ask=ask)


def write_activate_script(mechanism: VenvMechanism, version: str) -> str:
    """Write the script that points the link to a staged version and restarts the service.

    Run again it changes nothing when the link is there and the service runs that version or, where that
    is not to be seen, began after the switch. A run that was cut short between the two restarts the service.

    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return _functions(mechanism) + _ACTIVATE.format(version=shlex.quote(_plain("version", version)))


def write_read_script(mechanism: VenvMechanism) -> str:
    """Write the script that says, as ``key=value`` lines, what is installed and what runs."""
    return _functions(mechanism) + _READ.format()


def write_check_script(mechanism: VenvMechanism, jobs: str) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps the mechanism from working.

    :param jobs: folder of the remote jobs.
    """
    own = mechanism.installer if uses_uv(mechanism) else mechanism.python
    paths = CHECK_ROOT + _CHECK_PATHS.format(jobs=shlex.quote(jobs))
    tools = write_check_tools(f"flock setsid systemctl awk {shlex.quote(own)}")
    text = _functions(mechanism) + paths + tools
    return text if uses_uv(mechanism) else text + _CHECK_PIP.format(python=shlex.quote(mechanism.python))


def _uv_python(mechanism: VenvMechanism) -> str:
    """Name the interpreter only when the bundle does: else uv chooses, or UV_PYTHON on the node."""
    return "" if mechanism.python == "python3" else f" --python {shlex.quote(mechanism.python)}"


def uses_uv(mechanism: VenvMechanism) -> bool:
    """Tell whether the installer is uv, by name or by path."""
    return PurePosixPath(mechanism.installer).name == "uv"


def _functions(mechanism: VenvMechanism) -> str:
    """Check the mechanism and write what all scripts begin with."""
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
        fingerprint=shlex.quote(_FINGERPRINT),
    )


def _plain(name: str, text: str) -> str:
    return read_plain(_PLAIN, name, text)
