"""A node whose packages come by dnf: tiny ones of dnf, rpm and systemctl, that speak as the real ones do.

What dnf 4.14 prints was recorded; what dnf 5 prints is that of its published sources and reports.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import DnfMechanism, Impact, Package
from escalator.system_support.mechanisms import Effect, InstalledVersion
from escalator.system_support.mechanisms.dnf import DnfOnNode

if TYPE_CHECKING:
    from tests.system_support.conftest import Sshd

AGENT = "demo-agent"
DNF = """\
#!/bin/sh
# Packages are lines "name version" of the file repository; "known" is the cache of its index.
cd @STATE@
echo "$*" >>dnf.calls
cached= ask= only= verb= specs=
for word in "$@"; do
  case $word in
    -C) cached=yes ;; --assumeno) ask=yes ;; --downloadonly) only=yes ;; -*|%*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else specs="$specs $word"; fi ;;
  esac
done
if [ -e locked ] && [ "$(cat locked)" -gt 0 ]; then
  echo $(($(cat locked) - 1)) >locked
  echo "metadata already locked by 4711"; exit 200
fi
if [ -z "$cached" ]; then
  [ ! -e unreachable ] || { echo "Error: Failed to download metadata for repo 'lab': no route"; exit 1; }
  cp repository known
fi
case $verb in
  makecache) exit 0 ;;
  history) echo "Transaction ID : $(wc -l <history)"; exit 0 ;;
  needs-restarting) cat old-services 2>/dev/null; exit 0 ;;
  repoquery) awk -v name="${specs# }" '$1 == name { print $2 }' known; exit 0 ;;
  install) ;;
  *) exit 2 ;;
esac
[ -e known ] || { echo "Error: Cache-only enabled but no cache for 'lab'"; exit 1; }
: >table
for spec in $specs; do
  found=$(awk -v spec="$spec" '$1 "-" $2 == spec' known)
  if [ -z "$found" ]; then
    printf 'No match for argument: %s\\nError: Unable to find a match: %s\\n' "$spec" "$spec"; exit 1
  fi
  name=${found% *} version=${found#* }
  old=$(awk -v name="$name" '$1 == name { print $2 }' installed)
  kind=Upgrading
  [ -n "$old" ] || kind=Installing
  older=$(printf '%s\\n' "$old" "$version" | sort -V | head -n 1)
  [ -z "$old" ] || [ "$older" = "$old" ] || kind=Downgrading
  [ "$old" = "$version" ] || echo "$kind $name $version" >>table
done
if [ -s table ] && [ -e more ]; then cat more >>table; fi
if [ ! -s table ]; then printf 'Dependencies resolved.\\nNothing to do.\\nComplete!\\n'; exit 0; fi
echo "Dependencies resolved."
line=================================================================================
printf '%s\\n Package      Architecture Version      Repository   Size\\n%s\\n' $line $line
for kind in Installing Upgrading Downgrading Removing; do
  grep -q "^$kind " table || continue
  echo "$kind:"
  awk -v kind=$kind '$1 == kind { print " " $2 " noarch " $3 " lab 6.4 k" }' table
done
printf '\\nTransaction Summary\\n%s\\n' $line
for kind in Installing:Install Upgrading:Upgrade Downgrading:Downgrade Removing:Remove; do
  count=$(grep -c "^${kind%:*} " table) || continue
  echo "${kind#*:}  $count Packages"
done
if [ -n "$ask" ]; then echo "Operation aborted." >&2; exit 1; fi
mkdir -p packages
grep -v '^Removing' table >changes
while read -r _ name version; do
  [ -e "packages/$name-$version" ] && continue
  if [ -n "$cached" ]; then
    echo 'Error: Some packages have invalid cache, but cannot be downloaded due to "--cacheonly" option'
    exit 1
  fi
  touch "packages/$name-$version"
done <changes
if [ -n "$only" ]; then echo "Complete!"; exit 0; fi
cat script 2>/dev/null
while read -r kind name version; do
  grep -v "^$name " installed >installed.new
  [ "$kind" = Removing ] || echo "$name $version $(date +%s)" >>installed.new
  mv installed.new installed
done <table
echo done >>history
echo "Complete!"
"""
RPM = """\
#!/bin/sh
cd @STATE@
for name; do :; done
case $1 in
  -ql) echo "/usr/lib/systemd/system/$name.service" ;;
  *) awk -v name="$name" '$1 == name { print $2 "|noarch|" $3 }' installed ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
# A service is a process that sleeps.
cd @STATE@
verb=$1
for unit; do :; done
unit=${unit%.service}
alive() {
  pid=$(cat "$unit.pid" 2>/dev/null) && [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status
}
case $verb in
restart)
  alive && kill -9 $pid
  echo restart >>$unit.log
  [ ! -e $unit.broken ] || exit 1
  setsid sleep 600 </dev/null >/dev/null 2>&1 &
  echo $! >$unit.pid ;;
show) alive && echo MainPID=$pid || echo MainPID=0 ;;
is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
list-units)
  for file in *.pid; do
    unit=${file%.pid}
    alive && echo "$unit.service loaded active running of the tests"
  done
  true ;;
*) exit 2 ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class DnfNode:
    """The node; its folder has the repository, and what is installed."""

    sshd: Sshd
    folder: Path

    def mechanism(self, **changes: Any) -> DnfMechanism:
        package = Package(name=AGENT, version="2.0.0", component="nova-compute", service=AGENT)
        return replace(DnfMechanism(packages=(package,), downgrade=True), **changes)

    def on_node(self, impact: Impact = Impact.CONTROL, **changes: Any) -> DnfOnNode:
        """What works on the node, with folders of the test's own."""
        base, state = str(self.folder / "jobs"), str(self.folder / "state of ours")
        return DnfOnNode(self.mechanism(**changes), impact, base=base, state=state)

    def stage(self, version: str = "2.0.0", **changes: Any) -> Effect:
        return self.on_node(**changes).stage(make_job(self.sshd.shell, "stage", version))

    def activate(self, version: str = "2.0.0", *, seconds: float = 60, **changes: Any) -> Effect:
        job = make_job(self.sshd.shell, "activate", version, seconds=seconds)
        return self.on_node(**changes).activate(job)

    def bring(self, version: str, **changes: Any) -> None:
        self.stage(version, **changes)
        self.activate(version, **changes)

    def read(self, **changes: Any) -> InstalledVersion:
        with self.sshd.shell() as shell:
            return self.on_node(**changes).installed(shell)

    def check(self, **changes: Any) -> list[tuple[str, str]]:
        with self.sshd.shell() as shell:
            return [(str(v.code), v.message) for v in self.on_node(**changes).check(shell)]

    def check_source(self, version: str = "2.0.0", **changes: Any) -> list[tuple[str, str]]:
        with self.sshd.shell() as shell:
            found = self.on_node(**changes).check_source(shell, version)
        return [(str(v.code), f"{v.message}; {v.remedy}") for v in found]

    def put(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text)

    def installed(self) -> dict[str, str]:
        rows = [line.split() for line in (self.folder / "installed").read_text().splitlines()]
        return {row[0]: row[1] for row in rows}

    def calls(self) -> list[str]:
        return (self.folder / "dnf.calls").read_text().splitlines()

    def restarts(self, unit: str = AGENT) -> int:
        log = self.folder / f"{unit}.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def break_service(self) -> None:
        """From now on the service does not start."""
        self.put(f"{AGENT}.broken")

    def mend_service(self) -> None:
        (self.folder / f"{AGENT}.broken").unlink()

    def lose_previous(self) -> None:
        """Take away what was noted of the packages of before."""
        shutil.rmtree(self.folder / "state of ours-back")

    def end(self) -> None:
        """End the processes of all services."""
        for file in self.folder.glob("*.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                continue


def make_dnf_node(sshd: Sshd, folder: Path) -> DnfNode:
    folder.mkdir()
    node = DnfNode(sshd=sshd, folder=folder)
    node.put("repository", "".join(f"{AGENT} {version}\n" for version in ("1.0.0", "2.0.0")))
    node.put("installed")
    node.put("history")
    for name, text in (("dnf", DNF), ("rpm", RPM), ("systemctl", SYSTEMCTL)):
        program = sshd.home / "bin" / name
        program.write_text(text.replace("@STATE@", shlex.quote(str(folder))))
        program.chmod(0o755)
    return node
