"""The shell scripts that put a node back to its backup: pure text, everything quoted.

In ``STATE/<backup>`` on the node lie: ``archive.tar.gz``; ``debs``, the packages that are put back; ``lock``;
``done``, which run put it back last, once the service ran again: the rest is deleted then, it holds secrets.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from escalator.system_support.mechanisms.restore_plan import CACHES, PackageBack
from escalator.system_support.mechanisms.shared_scripts import CHECK_ROOT, WORDS, write_check_tools

STATE = "/var/lib/escalator/restore"
"""Folder of the backups that are put back, on a node."""
_NOTED = "/var/lib/escalator/apt-back"
_TOOLS = "tar gzip sha256sum base64 flock setsid timeout systemctl"

_STAGE = """\
[ "$(sha256sum <"$folder/archive.tar.gz" | cut -d' ' -f1)" = "$sha256" ] ||
  fail "the archive on the node is not what was sent"
if [ -n "$target" ]; then
  (cd "$(dirname "$root$link")" && [ -d "$target" ]) || fail "the environment of before, $target, is gone"
fi
mkdir -p "$folder/debs"
is_good() {
  [ -s "$1" ] || return 1
  if [ -n "$4" ]; then [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$4" ]
  else [ "$(dpkg-deb -f "$1" Package 2>/dev/null) $(dpkg-deb -f "$1" Version 2>/dev/null)" = "$2 $3" ]; fi
}
printf '%s\\n' "$rows" | while IFS='|' read -r name version sum file url; do
  [ -n "$name" ] || continue
  deb="$folder/debs/$file"
  is_good "$deb" "$name" "$version" "$sum" && continue
  tar -xzOf "$folder/archive.tar.gz" "var/cache/apt/archives/$file" >"$deb" 2>/dev/null || true
  is_good "$deb" "$name" "$version" "$sum" && continue
  cp "/var/cache/apt/archives/$file" "$deb" 2>/dev/null || true
  is_good "$deb" "$name" "$version" "$sum" && continue
  rm -f "$deb"
  [ -z "$url" ] || timeout 300 /usr/lib/apt/apt-helper download-file "$url" "$deb" </dev/null || true
  is_good "$deb" "$name" "$version" "$sum" || {
    rm -f "$deb"
    fail "neither the backup nor ${url:-any source that it knows} has $name $version"
  }
done
say staged
"""

_ACTIVATE = """\
exec 7>"$folder/lock"
flock 7
is_active() { [ "$(systemctl is-active "$service" 2>/dev/null)" = active ]; }
if [ "$(cat "$folder/done" 2>/dev/null)" = "$token" ] && is_active; then say already-active; exit 0; fi
set --
for row in $rows; do
  set -- "$@" "$folder/debs/$row"
done
if [ $# -gt 0 ]; then
  tries=120
  until dpkg --force-confold --force-downgrade --install "$@" 7>&- </dev/null >"$folder/said" 2>&1; do
    cat "$folder/said"
    grep -q 'lock' "$folder/said" && [ "$tries" -gt 0 ] || fail "dpkg cannot put back the packages"
    tries=$((tries - 1)); sleep 5
  done
  cat "$folder/said"
fi
tar --extract --gzip --file="$folder/archive.tar.gz" --directory="$root/" --preserve-permissions \
  --same-owner --unlink-first --keep-directory-symlink EXCLUDED || fail "the files cannot be put back"
if [ -n "$target" ]; then
  ln -sfn "$target" "$root$link.restore"
  mv -T "$root$link.restore" "$root$link"
fi
systemctl daemon-reload 2>/dev/null || true
systemctl reset-failed "$service" 2>/dev/null || true
systemctl restart "$service" </dev/null 7>&- || fail "$service does not start"
waited=0
until is_active; do
  [ "$waited" -lt 60 ] || fail "$service does not come up"
  waited=$((waited + 1)); sleep 1
done
rm -f $begun
printf '%s\\n' "$token" >"$folder/done.new"
mv -T "$folder/done.new" "$folder/done"
rm -rf "$folder/debs" "$folder/archive.tar.gz" "$folder/said"
say activated
""".replace("EXCLUDED", " ".join(f"--exclude='{folder.strip('/')}/*'" for folder in CACHES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Putting:
    """What is put back on a node.

    :ivar folder: of the backup on the node. :ivar token: of the run that puts it back.
    :ivar link: names the environment, empty: there is none; :ivar target: where it led.
    :ivar begun: records of the mechanism that say that something was begun: nothing is any more.
    """

    folder: str
    sha256: str
    token: str
    service: str
    packages: tuple[PackageBack, ...] = ()
    link: str = ""
    target: str = ""
    root: str = ""
    begun: tuple[str, ...] = field(default=())


def write_check_script(*, packages: bool) -> str:
    """Write the script that says, as ``kind|message`` lines, what the node lacks to be put back."""
    return CHECK_ROOT + write_check_tools(f"{_TOOLS} dpkg dpkg-deb dpkg-query" if packages else _TOOLS)


def write_look_script() -> str:
    """Write the script that tells of packages: ``package|name|version|status``, and ``noted|name``."""
    return (
        "dpkg-query -W -f='package|${Package}|${Version}|${db:Status-Abbrev}\\n' 2>/dev/null\n"
        f"cat {_NOTED}/* 2>/dev/null | sed -n 's/^back|\\([^|]*\\)|[^|]*|.*/noted|\\1/p'\n"
        "true\n"
    )


def write_sums_script(paths: Iterable[str], root: str = "") -> str:
    """Write the script that tells the checksums of files, as ``sha256sum`` does, without the root."""
    named = " ".join(shlex.quote(path.lstrip("/")) for path in paths)
    return f"cd {shlex.quote(root or '/')} && sha256sum -- {named} 2>/dev/null; true\n"


def write_stage_script(putting: Putting) -> str:
    """Write the script that proves the archive, and lays down the packages that are put back."""
    rows = "\n".join(f"{p.name}|{p.version}|{p.sha256}|{p.file}|{p.url}" for p in putting.packages)
    return _write_head(putting, rows) + _STAGE


def write_activate_script(putting: Putting) -> str:
    """Write the script that puts packages, files and link back and restarts the service.

    A second run of one that was proved to its end changes nothing; one that was killed begins anew.
    """
    return _write_head(putting, " ".join(p.file for p in putting.packages)) + _ACTIVATE


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
        "begun": " ".join(putting.begun),
    }
    lines = "".join(f"{name}={shlex.quote(text)}\n" for name, text in given.items())
    return "set -euf\numask 077\nexport LC_ALL=C DEBIAN_FRONTEND=noninteractive\n" + WORDS + lines
