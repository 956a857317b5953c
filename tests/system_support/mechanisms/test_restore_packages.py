"""RPM packages are put back by rpm: from the backup, the cache, or from where the backup says they came from.

What the tiny rpm does was tried on rpm 4.18: ``--oldpackage`` goes back, ``--replacepkgs`` lets a second run
do the same again, and what does not fit together changes nothing.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.dnf_node import AGENT
from tests.system_support.mechanisms.jobs import make_job
from tests.system_support.mechanisms.saved_node import Saved

from escalator.model.bundle import Bundle, Component
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import Effect, JobFailedError, Restoring, make_restoring
from escalator.system_support.mechanisms.restore_packages import RPM
from escalator.system_support.mechanisms.restore_plan import PackageBack, find_packages

if TYPE_CHECKING:
    from tests.system_support.mechanisms.dnf_node import DnfNode

TINY_RPM = """\
#!/bin/sh
# The file of a package is a line "name version"; one with "foreign" after it has a signature of nobody.
cd @STATE@
case $1 in
  -ql) for name; do :; done; echo "/usr/lib/systemd/system/$name.service" ;;
  -qa) awk '{ print "package|" $1 ".noarch|" $2 "|ii" }' installed ;;
  -qp) for file; do :; done; printf %s "$(cut -d' ' -f1,2 "$file")" ;;
  --checksig) ! grep -q foreign "$2" ;;
  --upgrade)
    [ "$2 $3" = "--oldpackage --replacepkgs" ] || exit 9
    shift 3
    echo "rpm $#" >>dnf.calls
    if [ -e stuck ]; then echo "error: Failed dependencies:"; echo "  lib is needed by it"; exit 1; fi
    cat "$@" | while read -r name version _; do
      grep -v "^$name " installed >installed.new
      echo "$name $version $(date +%s)" >>installed.new
      mv installed.new installed
    done ;;
  -q) for name; do :; done; awk -v name="$name" '$1 == name { print $2 "|noarch|" $3 }' installed ;;
  *) exit 2 ;;
esac
"""
TINY_CURL = """\
#!/bin/sh
for url; do :; done
while [ "$1" != --output ]; do shift; done
cp @STATE@/net/"${url##*/}" "$2"
"""
AGENT_FILE, LIBRARY_FILE = f"{AGENT}-1.0.0.noarch.rpm", "library-1-1.noarch.rpm"
CACHED = f"/var/cache/dnf/lab-1/packages/{AGENT_FILE}"


def make_package(name: str, version: str, source: str = "") -> dict[str, str]:
    return {"name": name, "version": version, "arch": "noarch", "source": source}


@pytest.fixture
def restoring(dnf_node: DnfNode, tmp_path: Path) -> Restoring:
    """A node that had 1.0.0 as its backup was taken, and was upgraded since; a library came along."""
    for name, text in (("rpm", TINY_RPM), ("curl", TINY_CURL)):
        program = dnf_node.sshd.home / "bin" / name
        program.write_text(text.replace("@STATE@", shlex.quote(str(dnf_node.folder))))
        program.chmod(0o755)
    dnf_node.bring("1.0.0")
    dnf_node.put("more", "Upgrading library 2-1\n")
    dnf_node.bring("2.0.0")
    (dnf_node.folder / "more").unlink()
    dnf_node.put("repository", f"{AGENT} 2.0.0\n")
    saved = Saved(
        files={"/etc/nova/nova.conf": b"of before\n", CACHED: f"{AGENT} 1.0.0\n".encode()},
        links={},
        packages=[
            make_package(AGENT, "1.0.0"),
            make_package("library", "1-1", f"http://mirror/{LIBRARY_FILE}"),
            make_package("stranger", "1-1"),
        ],
    )
    root = tmp_path / "the root"
    (root / "etc/nova").mkdir(parents=True)
    bundle = Bundle(name="b", components=(), mechanism=dnf_node.mechanism())
    made = make_restoring(dnf_node.on_node(), bundle, saved, "run-1")
    noted = shlex.quote(str(dnf_node.folder / "state of ours-back"))
    tool = replace(RPM, look=RPM.look.replace("/var/lib/escalator/dnf-back", noted))
    base, state = str(dnf_node.folder / "jobs"), str(tmp_path / "restore state")
    return replace(made, base=base, state=state, root=str(root), tool=tool)


def offer(node: DnfNode, text: str) -> None:
    (node.folder / "net").mkdir(exist_ok=True)
    node.put(f"net/{LIBRARY_FILE}", text)


def test_packages_come_back_with_those_that_came_along(dnf_node: DnfNode, restoring: Restoring) -> None:
    offer(dnf_node, "library 1-1\n")
    dnf_node.put("installed", (dnf_node.folder / "installed").read_text() + "stranger 9-1 1\n")
    with dnf_node.sshd.shell() as shell:
        assert restoring.check(shell) == ()
        (told,) = restoring.check_source(shell, "1.0.0")
    lost = f"{AGENT} 2.0.0 -> 1.0.0, library 2-1 -> 1-1"
    assert told.message.endswith(f"lost: /etc/nova/nova.conf, {lost}")
    job = make_job(dnf_node.sshd.shell, "restore", "1.0.0")
    assert restoring.stage(job) is Effect.STAGED
    assert dnf_node.installed()[AGENT] == "2.0.0"
    assert restoring.activate(job) is Effect.ACTIVATED
    assert dnf_node.installed() == {AGENT: "1.0.0", "library": "1-1", "stranger": "9-1"}
    assert Path(restoring.root, "etc/nova/nova.conf").read_bytes() == b"of before\n"
    assert restoring.activate(job) is Effect.ALREADY_ACTIVE
    assert [call for call in dnf_node.calls() if call.startswith("rpm")] == ["rpm 2"]
    with dnf_node.sshd.shell() as shell:
        found = restoring.installed(shell)
    assert found is not None
    assert found.find_behind((Component(name="nova-compute", to="1.0.0", scheme="rpm"),)) == ()


@pytest.mark.parametrize("offered", [None, "library 1-1 foreign\n", "library 2-1\n"])
def test_a_package_that_is_nowhere_or_not_to_be_trusted_is_said_before_anything_is_touched(
    dnf_node: DnfNode, restoring: Restoring, offered: str | None
) -> None:
    if offered is not None:
        offer(dnf_node, offered)
    with pytest.raises(JobFailedError, match=r"neither the backup nor http://mirror/.* has library 1-1"):
        restoring.stage(make_job(dnf_node.sshd.shell, "restore", "1.0.0"))
    assert dnf_node.installed()[AGENT] == "2.0.0"


def test_what_rpm_refuses_is_said_and_goes_on_once_it_is_mended(
    dnf_node: DnfNode, restoring: Restoring
) -> None:
    offer(dnf_node, "library 1-1\n")
    job = make_job(dnf_node.sshd.shell, "restore", "1.0.0")
    restoring.stage(job)
    dnf_node.put("stuck")
    with pytest.raises(NodeFaultError, match=r"rpm cannot put back the packages: .*lib is needed by it"):
        restoring.activate(job)
    assert dnf_node.restarts() == 2
    (dnf_node.folder / "stuck").unlink()
    assert restoring.activate(job) is Effect.ACTIVATED
    assert (dnf_node.installed()[AGENT], dnf_node.restarts()) == ("1.0.0", 3)


def test_a_package_without_a_place_is_refused_by_the_check(dnf_node: DnfNode, restoring: Restoring) -> None:
    saved = Saved(files={}, links={}, packages=[make_package(AGENT, "1.0.0")])
    with dnf_node.sshd.shell() as shell:
        found = replace(restoring, saved=saved).check_source(shell, "1.0.0")
    assert (found[-1].code, found[-1].blocks) == (Code.BACKUP_FAILED, True)


def test_packages_of_one_name_are_told_apart_and_kernels_stay() -> None:
    def row(name: str, version: str, arch: str) -> dict[str, str]:
        return {"name": name, "version": version, "arch": arch}

    manifest = {
        "packages": [
            row("glib", "2:1-1.el9", "x86_64"),
            row("glib", "2:1-1.el9", "i686"),
            row("cut-off", "1-1", "noarch"),
            row("kernel-core", "5.14-1", "x86_64"),
        ],
        "files": [{"path": "/var/cache/libdnf5/x/glib-1-1.el9.i686.rpm", "type": "file", "sha256": "a"}],
    }
    now = RPM.read_now(
        [
            ["glib.x86_64", "2:1-1.el9", "ii"],
            ["glib.i686", "2:2-1.el9", "ii"],
            ["cut-off.noarch", "1-1", "ii"],
            ["cut-off.noarch", "2-1", "ii"],
            ["kernel-core.x86_64", "6.1-1", "ii"],
        ]
    )
    found = find_packages(manifest, ("glib", "cut-off", "kernel-core"), now, RPM)
    assert found == (
        PackageBack(
            name="glib",
            version="2:1-1.el9",
            now="2:2-1.el9",
            file="glib-1-1.el9.i686.rpm",
            place="/var/cache/libdnf5/x/glib-1-1.el9.i686.rpm",
        ),
        PackageBack(name="cut-off", version="1-1", now="2-1", file="cut-off-1-1.noarch.rpm"),
    )
