"""The readers of what apt and dpkg print, on what they printed."""

from __future__ import annotations

from functools import partial

from tests import sh

from escalator.system_support.mechanisms.apt_functions import FUNCTIONS, READERS

SIMULATION = """\
Reading package lists...
The following packages will be REMOVED:
  nova-compute-kvm
Remv nova-compute-kvm [3:33.0.2-0lab1]
Inst libvirt0 [9.0.0-4+deb12u2] (11.3.0-3~bpo12+1 Debian Backports:stable-backports [amd64]) []
Inst lab-nova-compute [3:33.0.2-0lab1] (3:34.0.0-0lab1 escalator-lab:lab [amd64])
Inst newcomer (1.0 Debian:12.5/stable, Debian-Security:12/stable-security [all])
Inst libc6:i386 [2.36-9] (2.36-10 Debian:12.5/stable [i386]) [libc6:amd64 ]
Conf lab-nova-compute (3:34.0.0-0lab1 escalator-lab:lab [amd64])
Purg gone [1.0]
"""
AUDIT = """\
Another process has locked the database for writing, and might currently be
modifying it, some of the following problems might just be due to that.

The following packages are in a mess due to serious problems during
installation.  They must be reinstalled for them (and any packages
that depend on them) to function properly:
 half-way             of the tests

The following packages are only half configured, probably due to problems
configuring them the first time.  The configuration should be retried using
dpkg --configure <package> or the configure menu option in dselect:
 lab-nova-compute     nova-compute 34.0.0 in a virtual environment, for a lab
 libc6:amd64          GNU C Library: Shared libraries

The following packages have been triggered, but the trigger processing has
not yet been done.  Trigger processing can be requested using dselect or
dpkg --configure --pending (or dpkg --triggers-only):
 man-db               tools for reading manual pages

The following packages are missing the md5sums control file in the
database, they need to be reinstalled:
 vendor-tool          by hand
"""
SHOWN = """\
Package: lab-nova-compute
Version: 3:34.0.0-0lab1
Architecture: amd64
Size: 86000000
Description: of the lab: with a colon
SHA256: aaaa

Package: demo-lib
Version: 1.0
Architecture: all
Installed-Size: 40
Size: 2048
SHA256: bbbb

Package: installed-only
Version: 1.0
Architecture: all
Installed-Size: 40
"""
LOG = """\
2026-11-28 10:00:00 upgrade demo-agent:all 0.9 1.0
2026-11-28 10:00:01 status installed demo-agent:all 1.0
2026-11-29 11:00:00 upgrade demo-agent-extra:all 7 8
2026-11-29 11:00:00 upgrade demo-agent:all 1.0 2.0
2026-11-29 12:00:00 upgrade demo-agent:all 2.0 3.0
"""


read = partial(sh.call, READERS)


def test_a_simulation() -> None:
    assert read("read_plan", SIMULATION) == [
        "plan|Remv|nova-compute-kvm|3:33.0.2-0lab1",
        "plan|Inst|libvirt0|9.0.0-4+deb12u2|11.3.0-3~bpo12+1|amd64",
        "plan|Inst|lab-nova-compute|3:33.0.2-0lab1|3:34.0.0-0lab1|amd64",
        "plan|Inst|newcomer|-|1.0|all",
        "plan|Inst|libc6:i386|2.36-9|2.36-10|i386",
        "plan|Remv|gone|1.0",
    ]
    assert read("read_plan", "0 upgraded, 0 newly installed, 0 to remove and 3 not upgraded.\n") == []


def test_what_was_approved_is_compared_without_the_versions_of_before() -> None:
    lines = "plan|Inst|nova|33|34|amd64\nplan|Remv|old|1\nunit|nova|nova-compute.service\n"
    assert read(f"{FUNCTIONS[FUNCTIONS.index('strip_old()') :].splitlines()[0]}\nstrip_old", lines) == [
        "plan|Inst|nova|34|amd64",
        "plan|Remv|old|1",
        "unit|nova|nova-compute.service",
    ]


def test_an_audit_names_what_was_not_brought_to_its_end() -> None:
    assert read("read_audit", AUDIT) == ["half-way", "lab-nova-compute", "libc6"]
    assert read("read_audit", "") == []


def test_archives_have_the_names_of_apts_cache() -> None:
    assert read("read_archives", SHOWN) == [
        "lab-nova-compute_3%3a34.0.0-0lab1_amd64.deb 86000000 335937 aaaa",
        "demo-lib_1.0_all.deb 2048 40 bbbb",
    ]


def test_the_reason_is_the_first_error_and_dpkgs_own_goes_before() -> None:
    apt = "W: something\nE: Unable to locate package x\nE: No packages found\n"
    assert read("read_reason", apt) == ["Unable to locate package x"]
    dpkg = "E: no\ndpkg: error processing package x (--configure):\nE: Sub-process returned 1\n"
    assert read("read_reason", dpkg) == ["dpkg: error processing package x (--configure):"]
    assert read("read_reason", "one\ntwo\n\n") == ["two"]


SCRIPT_FAILED = """\
Setting up x (2.0) ...
{said}dpkg: error processing package x (--configure):
 installed x package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 x
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""


def test_of_a_script_that_fails_the_reason_is_which_it_is_and_what_it_said() -> None:
    which = (
        "dpkg: error processing package x (--configure): "
        "installed x package post-installation script subprocess returned error exit status 1"
    )
    assert read("read_reason", SCRIPT_FAILED.format(said="")) == [which]
    said = SCRIPT_FAILED.format(said="no such user\n")
    assert read("read_reason", said) == [f"{which}, it said: no such user"]


def test_the_log_tells_what_was_replaced_since() -> None:
    assert read("read_log demo-agent ''", LOG) == ["0.9", "1.0", "2.0"]
    assert read("read_log demo-agent '2026-11-29 10:59:59'", LOG) == ["1.0", "2.0"]
    assert read("read_log demo-agent '2026-11-28 10:00:00'", LOG) == [
        "1.0",
        "2.0",
    ]  # began by it
    assert read("read_log demo-agent '2026-11-30 00:00:00'", LOG) == []


def test_the_functions_are_good_sh() -> None:
    assert sh.parse(FUNCTIONS) == sh.WHOLE
