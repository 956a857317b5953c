"""The shell scripts that put a node back to its backup: pure text, everything quoted.

In ``STATE/<backup>`` on the node lie: ``archive.tar.gz``; ``debs``, the packages that are put back; ``lock``;
``done``, which run put it back last, once the service ran again: the rest is deleted then, it holds secrets.

Where the operator's own commands or playbooks bring the software, they are run between two scripts: one puts
back the files, the other one says that all is done.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from escalator.system_support.mechanisms.restore_packages import PackageTool
from escalator.system_support.mechanisms.restore_plan import CACHES, PackageBack
from escalator.system_support.mechanisms.shared_scripts import CHECK_ROOT, WORDS, write_check_tools

STATE = "/var/lib/escalator/restore"
"""Folder of the backups that are put back, on a node."""
_TOOLS = "tar gzip sha256sum base64 flock setsid timeout systemctl"

_STAGE = """\
[ "$(sha256sum <"$folder/archive.tar.gz" | cut -d' ' -f1)" = "$sha256" ] ||
  fail "the archive on the node is not what was sent"
if [ -n "$target" ]; then
  (cd "$(dirname "$root$link")" && [ -d "$target" ]) || fail "the environment of before, $target, is gone"
fi
mkdir -p "$folder/debs"
# Whether the file is package $1 in version $2; with a checksum $3 it tells alone.
is_good() {
  [ -s "$deb" ] || return 1
  if [ -n "$3" ]; then [ "$(sha256sum <"$deb" | cut -d' ' -f1)" = "$3" ]; else is_package "$1" "$2" "$deb"; fi
}
printf '%s\\n' "$rows" | while IFS='|' read -r name version sum file place url; do
  [ -n "$name" ] || continue
  deb="$folder/debs/$file"
  is_good "$name" "$version" "$sum" && continue
  [ -z "$place" ] || tar -xzOf "$folder/archive.tar.gz" "${place#/}" >"$deb" 2>/dev/null || true
  is_good "$name" "$version" "$sum" && continue
  list_cached "$file" | head -n 1 | while read -r cached; do cp "$cached" "$deb" 2>/dev/null || true; done
  is_good "$name" "$version" "$sum" && continue
  rm -f "$deb"
  [ -z "$url" ] || download "$url" "$deb" || true
  is_good "$name" "$version" "$sum" || {
    rm -f "$deb"
    fail "neither the backup nor ${url:-any source that it knows} has $name $version"
  }
done
say staged
"""

_BEGIN = """\
exec 7>"$folder/lock"
flock 7
is_active() { [ "$(systemctl is-active "$service" 2>/dev/null)" = active ]; }
clear_away() { rm -rf "$folder/debs" "$folder/archive.tar.gz" "$folder/archive.part" "$folder/said"; }
if [ "$(cat "$folder/done" 2>/dev/null)" = "$token" ] && is_active; then
  clear_away
  say already-active
  exit 0
fi
"""

_PUT = """\
set --
for row in $rows; do
  set -- "$@" "$folder/debs/$row"
done
[ $# = 0 ] || put_back "$@"
tar --extract --gzip --file="$folder/archive.tar.gz" --directory="$root/" --preserve-permissions \
  --same-owner --keep-directory-symlink EXCLUDED || fail "the files cannot be put back"
if [ -n "$target" ]; then
  ln -sfn "$target" "$root$link.restore"
  mv -T "$root$link.restore" "$root$link"
fi
systemctl daemon-reload 2>/dev/null || true
""".replace("EXCLUDED", " ".join(f"--exclude='{folder.strip('/')}/*'" for folder in CACHES))

_RESTART = """\
systemctl reset-failed "$service" 2>/dev/null || true
systemctl restart "$service" </dev/null 7>&- || fail "$service does not start"
"""

_END = """\
waited=0
until is_active; do
  [ "$waited" -lt 60 ] || fail "$service does not come up"
  waited=$((waited + 1)); sleep 1
done
rm -f $begun
printf '%s\\n' "$token" >"$folder/done.new"
mv -T "$folder/done.new" "$folder/done"
clear_away
say activated
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Putting:
    """What is put back on a node.

    :ivar folder: of the backup on the node. :ivar token: of the run that puts it back.
    :ivar link: names the environment, empty: there is none; :ivar target: where it led.
    :ivar tool: puts packages back; None: there are none.
    """

    folder: str
    sha256: str
    token: str
    service: str
    packages: tuple[PackageBack, ...] = ()
    link: str = ""
    target: str = ""
    root: str = ""
    tool: PackageTool | None = None


def write_check_script(tool: PackageTool | None) -> str:
    """Write the script that says, as ``kind|message`` lines, what the node lacks to be put back."""
    return CHECK_ROOT + write_check_tools(f"{_TOOLS} {tool.programs}" if tool is not None else _TOOLS)


def write_sums_script(paths: Iterable[str], root: str = "") -> str:
    """Write the script that tells the checksums of files, as ``sha256sum`` does, without the root."""
    named = " ".join(shlex.quote(path.lstrip("/")) for path in paths)
    return f"cd {shlex.quote(root or '/')} && sha256sum -- {named} 2>/dev/null; true\n"


def write_stage_script(putting: Putting) -> str:
    """Write the script that proves the archive, and lays down the packages that are put back."""
    rows = "\n".join(f"{p.name}|{p.version}|{p.sha256}|{p.file}|{p.place}|{p.url}" for p in putting.packages)
    return _write_head(putting, rows) + _STAGE


def write_activate_script(putting: Putting) -> str:
    """Write the script that puts packages, files and link back and restarts the service.

    A second run of one that was proved to its end changes nothing; one that was killed begins anew.
    """
    return _write_activate_head(putting) + _BEGIN + _PUT + _RESTART + _END


def write_files_script(putting: Putting) -> str:
    """Write the first part of that, where somebody else's command or playbook restarts the service."""
    return _write_activate_head(putting) + _BEGIN + _PUT + "say staged\n"


def write_end_script(putting: Putting) -> str:
    """Write the last part of that: the service runs, and nothing is left to do."""
    return _write_activate_head(putting) + _BEGIN + _END


def _write_activate_head(putting: Putting) -> str:
    return _write_head(putting, " ".join(p.file for p in putting.packages))


def _write_head(putting: Putting, rows: str) -> str:
    given = {
        "folder": putting.folder,
        "sha256": putting.sha256,
        "token": putting.token,
        "service": putting.service,
        "link": putting.link,
        "target": putting.target,
        "root": putting.root,
        "rows": rows,
        "begun": putting.tool.begun if putting.tool is not None else "",
    }
    lines = "".join(f"{name}={shlex.quote(text)}\n" for name, text in given.items())
    functions = putting.tool.functions if putting.tool is not None else ""
    return "set -euf\numask 077\nexport LC_ALL=C DEBIAN_FRONTEND=noninteractive\n" + WORDS + lines + functions
