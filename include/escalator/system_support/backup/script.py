"""The script that tells what a node has, and gives the files to save: lines of text, then one ``tar.gz``.

It writes nothing on the node. What a tool does not tell is left out; only the archive may fail.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from escalator.system_support.backup.contents import BackupWish
from escalator.system_support.node_software import SCRIPT as VERSIONS

ARCHIVE = "archive"
_SCRIPT = """\
root={root}
tell() {{ printf '%s' "$1"; shift; printf '\\t%s' "$@"; printf '\\n'; }}
tell boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
if command -v dpkg-query >/dev/null 2>&1; then
  dpkg-query -W -f='package\\t${{Package}}\\t${{Version}}\\t${{Architecture}}\\t${{db:Status-Abbrev}}\\n' \\
    2>/dev/null
  dpkg-query -W -f='${{binary:Package}}=${{Version}}\\n' 2>/dev/null |
    timeout 60 xargs apt-get download --print-uris 2>/dev/null |
    while read -r url file size sum; do tell origin "$url" "$file" "$size" "$sum"; done
elif command -v rpm >/dev/null 2>&1; then
  rpm -qa --qf \\
    'package\\t%{{NAME}}\\t%|EPOCH?{{%{{EPOCH}}:}}|%{{VERSION}}-%{{RELEASE}}\\t%{{ARCH}}\\tii\\n' \\
    2>/dev/null
  rpm -qa --qf '%{{NAME}}-%{{VERSION}}-%{{RELEASE}}.%{{ARCH}}\\n' 2>/dev/null |
    timeout 60 xargs dnf --quiet --cacheonly repoquery --location 2>/dev/null |
    while read -r url; do tell origin "$url" "${{url##*/}}" '' ''; done
fi
for unit in {units}; do
  systemctl show --property=FragmentPath,DropInPaths,UnitFileState,ActiveState "$unit" 2>/dev/null |
    while IFS= read -r line; do tell unit "$unit" "$line"; done
done
for link in {link}; do
  tell link "$link" "$(readlink "$root$link")"
  for folder in "$root$link"/lib/python*/site-packages/*.dist-info; do
    if [ -d "$folder" ]; then folder=${{folder##*/}}; tell python "${{folder%.dist-info}}"; fi
  done
done
give() {{
  for path in {paths}; do printf '%s\\n' "$path"; done
  for unit in {units}; do
    systemctl show --property=FragmentPath,DropInPaths "$unit" 2>/dev/null |
      sed 's/^[A-Za-z]*=//' | tr ' ' '\\n'
  done
  for name in {packages}; do
    if command -v dpkg-query >/dev/null 2>&1; then
      file=$(dpkg-query -W -f='${{Package}}_${{Version}}_${{Architecture}}.deb' "$name" 2>/dev/null)
      printf '/var/cache/apt/archives/%s\\n' "$(printf '%s' "$file" | sed 's/:/%3a/g')"
    elif command -v rpm >/dev/null 2>&1; then
      find "$root/var/cache/dnf" "$root/var/cache/libdnf5" -name "$(rpm -q "$name").rpm" -type f \\
        2>/dev/null | sed "s:^$root::"
    fi
  done
}}
tell {archive} {mark}
give | sort -u | while IFS= read -r path; do
  case "$path" in /?*) ;; *) continue ;; esac
  if [ -f "$root$path" ] || [ -d "$root$path" ]; then printf '%s\\n' "${{path#/}}"; fi
  if [ -L "$root$path" ] && path=$(readlink -e "$root$path"); then
    case "$path" in "$root"/?*) path=${{path#"$root"}}; printf '%s\\n' "${{path#/}}" ;; esac
  fi
done | tar --create --gzip --file=- --directory="$root/" --hard-dereference --no-unquote --files-from=-
"""


def write_backup_script(wish: BackupWish, mark: str, *, root: str = "") -> str:
    """Write the script. Its exit code is tar's: 1 says that a file changed while it was read.

    :param mark: a word that nothing else prints; the archive begins after the line that has it.
    :param root: where files are looked for, in place of ``/``.
    """
    return VERSIONS + _SCRIPT.format(
        root=shlex.quote(root),
        packages=_quote(wish.packages),
        units=_quote(wish.units),
        link=_quote((wish.link,) if wish.link else ()),
        paths=_quote(path.rstrip("/") for path in wish.paths),
        archive=ARCHIVE,
        mark=shlex.quote(mark),
    )


def _quote(words: Iterable[str]) -> str:
    """Quote words for a ``for`` loop; with none of them it does not run."""
    return " ".join(map(shlex.quote, words))
