"""What puts packages back from a backup: dpkg or rpm, each asked by functions of sh under the same names.

apt and dnf are not asked: that no source lists these packages any more, or that a transaction was cut off,
is why the rollback failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_DPKG_LOOK = """\
dpkg-query -W -f='package|${Package}|${Version}|${db:Status-Abbrev}\\n' 2>/dev/null
cat /var/lib/escalator/apt-back/* 2>/dev/null | sed -n 's/^back|\\([^|]*\\)|[^|]*|.*/noted|\\1/p'
true
"""
_RPM_LOOK = """\
rpm -qa --qf 'package|%{NAME}.%{ARCH}|%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}|ii\\n' 2>/dev/null
cat /var/lib/escalator/dnf-back/* 2>/dev/null | sed -n 's/^back|\\([^|]*\\)|[^|]*|.*/noted|\\1/p'
true
"""
_DPKG = """\
is_package() {
  [ "$(dpkg-deb -f "$3" Package 2>/dev/null) $(dpkg-deb -f "$3" Version 2>/dev/null)" = "$1 $2" ]
}
list_cached() { echo "$root/var/cache/apt/archives/$1"; }
download() { timeout 300 /usr/lib/apt/apt-helper download-file "$1" "$2" </dev/null; }
put_back() {
  tries=120
  until dpkg --force-confold --force-downgrade --install "$@" 7>&- </dev/null >"$folder/said" 2>&1; do
    cat "$folder/said"
    grep -q 'lock' "$folder/said" && [ "$tries" -gt 0 ] || fail "dpkg cannot put back the packages"
    tries=$((tries - 1)); sleep 5
  done
  cat "$folder/said"
}
"""
_RPM = """\
is_package() {
  [ "$(rpm -qp --nosignature --qf '%{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}' "$3" 2>/dev/null)" = \\
    "$1 $2" ]
}
list_cached() { find "$root/var/cache/dnf" "$root/var/cache/libdnf5" -type f -name "$1" 2>/dev/null; }
# What comes over the network is taken where its signature is one that rpm knows; rpm knows no other checksum.
download() {
  timeout 300 curl --fail --silent --show-error --location --output "$2" "$1" </dev/null || return 1
  rpm --checksig "$2" >/dev/null 2>&1 && return 0
  echo "the digests and signatures of $1 are not all right: rpm --checksig says so"
  rm -f "$2"
}
# rpm waits for whoever has its transaction lock.
put_back() {
  code=0
  rpm --upgrade --oldpackage --replacepkgs "$@" 7>&- </dev/null >"$folder/said" 2>&1 || code=$?
  cat "$folder/said"
  [ "$code" = 0 ] || fail "rpm cannot put back the packages: $(grep . "$folder/said" | tail -n 1)"
  ! grep -q 'scriptlet failed' "$folder/said" || fail "rpm ended well, but a script of a package failed"
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageTool:
    """What puts packages back.

    :ivar programs: of the node, with blanks between. :ivar begun: the mechanism's record of what was begun.
    :ivar look: the script that tells of packages, ``package|key|version|status`` and ``noted|name``.
    :ivar functions: of sh: ``is_package``, ``list_cached``, ``download``, ``put_back``.
    :ivar caches: where the files of packages lie. :ivar suffix: of these files.
    :ivar with_arch: packages of one name are told apart by their architecture.
    :ivar stays: the names of packages that stay as they are, as a whole.
    """

    programs: str
    begun: str
    look: str
    functions: str
    caches: tuple[str, ...]
    suffix: str
    with_arch: bool = False
    stays: re.Pattern[str] | None = None

    def make_key(self, name: str, arch: str) -> str:
        """Return what tells a package from all others on a node."""
        return f"{name}.{arch}" if self.with_arch else name

    def name_file(self, name: str, version: str, arch: str) -> str:
        """Return what the file of a package is called: rpm leaves the epoch out."""
        if self.suffix == "rpm":
            return f"{name}-{version.rpartition(':')[2]}.{arch}.rpm"
        return f"{name}_{version.replace(':', '%3a')}_{arch}.deb"

    def is_left(self, name: str) -> bool:
        """Tell whether a package stays as it is."""
        return self.stays is not None and self.stays.fullmatch(name) is not None

    def read_now(self, rows: Iterable[list[str]]) -> dict[str, tuple[str, str]]:
        """Read which packages there are; one in two versions, after a cut-off transaction, is not whole."""
        now: dict[str, tuple[str, str]] = {}
        for key, version, status in rows:
            now[key] = (version, "twice" if key in now and self.with_arch else status)
        return now


DPKG = PackageTool(
    programs="dpkg dpkg-deb dpkg-query",
    begun="/var/lib/escalator/apt/begun",
    look=_DPKG_LOOK,
    functions=_DPKG,
    caches=("/var/cache/apt/archives/",),
    suffix="deb",
)
RPM = PackageTool(
    programs="rpm find curl",
    begun="/var/lib/escalator/dnf/begun",
    look=_RPM_LOOK,
    functions=_RPM,
    caches=("/var/cache/dnf/", "/var/cache/libdnf5/"),
    suffix="rpm",
    with_arch=True,
    stays=re.compile(r"kernel(-.*)?"),
)
"""Kernels lie beside each other: that of before is there still, and the one that runs is not taken away."""
