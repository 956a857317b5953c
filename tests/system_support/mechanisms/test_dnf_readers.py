"""The readers of what dnf prints: recorded of dnf 4.14, and after the sources and reports of dnf 5."""

from __future__ import annotations

from functools import partial

import pytest
from tests import sh

from escalator.system_support.mechanisms.dnf_functions import FUNCTIONS
from escalator.system_support.mechanisms.dnf_readers import READERS

DNF_4 = """\
Last metadata expiration check: 0:00:01 ago on Sun Nov 29 15:17:02 2026.
Dependencies resolved.
=============================================================================================
 Package                                                    Arch    Version        Repo
                                                                                         Size
=============================================================================================
Upgrading:
 openstack-nova-common                                      noarch  1:34.0.0-1.el9 lab  6.4 k
 openstack-nova-compute                                     noarch  1:34.0.0-1.el9 lab  6.5 k
     replacing  openstack-nova-old.noarch 1.0-1.el9
 plain                                                      noarch  2.0-1.el9      lab  6.2 k
Installing dependencies:
 python3-a-very-long-named-dependency-of-openstack-nova-compute
                                                            noarch  1.0-1.el9      lab  6.5 k

Transaction Summary
=============================================================================================
Install  1 Package
Upgrade  3 Packages

Total size: 26 k
Operation aborted.
"""
BACK = """\
Dependencies resolved.
================================================================================
 Package          Architecture      Version                Repository      Size
================================================================================
Downgrading:
 plain            noarch            1.0-1.el9              web            6.2 k
Removing dependent packages:
 extra            x86_64            3-1                    @web           6.2 k
Skipping packages with conflicts:
(add '--best --allowerasing' to command line to force their upgrade):
 openstack-nova-compute       noarch       1:34.0.0-1.el9       lab       6.5 k

Transaction Summary
================================================================================
Remove     1 Package
Downgrade  1 Package
Skip       1 Package

Total download size: 6.2 k
Operation aborted.
"""
DNF_5 = """\
Updating and loading repositories:
Repositories loaded.
Package                            Arch   Version          Repository       Size
Upgrading:
 openstack-nova-compute            noarch 1:34.0.0-1.el10  openstack    14.0 KiB
   replacing openstack-nova-compute noarch 1:33.0.2-1.el10 openstack    13.0 KiB
   replacing openstack-nova-old    noarch 1.0-1.el10       openstack    10.0   B
Installing weak dependencies:
 python3-etcd3gw                   noarch 2.4.1-1.el10     openstack    14.0 KiB
Removing unused dependencies:
 foo                               x86_64 2.0-1            openstack    14.0 KiB

Transaction Summary:
 Installing:        1 package
 Upgrading:         1 package
 Replacing:         2 packages
 Removing:          1 package

Total size of inbound packages is 28 KiB. Need to download 28 KiB.
Operation aborted by the user.
"""
DNF_5_WIDE = """\
Package                 Arch             Version                                Repository       Size
Upgrading:
 openstack-nova-compute noarch           1:34.0.0-1.el10      <- 1:33.0.2-1.el10 new <- old  14.0 KiB
 qemu-kvm-core          x86_64 <- noarch 17:10.0.0-9.el10     <- 17:9.1.0-1.el10 new         14.0 MiB

Transaction Summary:
 Upgrading:         2 packages
 Replacing:         2 packages

Operation aborted by the user.
"""
LOCKS_4 = """\
# Added lock on Sun Nov 29 15:17:23 2026
openstack-nova-compute-1:33.0.2-1.el9.*
!bad-release-1:2-3.*
"""
LOCKS_5 = """\
version = "1.0"

[[packages]]
name = "openstack-nova-compute"
comment = "Added by 'versionlock add' command on 2026-11-29"
[[packages.conditions]]
key = "evr"
comparator = "="
value = "1:33.0.2-1.el10"

[[packages]]
name = "libvirt*"
[[packages.conditions]]
key = "evr"
comparator = "<"
value = "11"
"""


read = partial(sh.call, READERS)


def test_what_dnf_4_would_do() -> None:
    assert read("read_transaction", DNF_4) == [
        "Inst|openstack-nova-common|1:34.0.0-1.el9|noarch",
        "Inst|openstack-nova-compute|1:34.0.0-1.el9|noarch",
        "Remv|openstack-nova-old|1.0-1.el9",
        "Inst|plain|2.0-1.el9|noarch",
        "Inst|python3-a-very-long-named-dependency-of-openstack-nova-compute|1.0-1.el9|noarch",
    ]
    assert read("read_transaction", BACK) == ["Down|plain|1.0-1.el9|noarch", "Remv|extra|3-1"]
    assert read("read_transaction", "Dependencies resolved.\nNothing to do.\nComplete!\n") == []


def test_what_dnf_5_would_do() -> None:
    assert read("read_transaction", DNF_5) == [
        "Inst|openstack-nova-compute|1:34.0.0-1.el10|noarch",
        "Remv|openstack-nova-old|1.0-1.el10",
        "Inst|python3-etcd3gw|2.4.1-1.el10|noarch",
        "Remv|foo|2.0-1",
    ]
    assert read("read_transaction", DNF_5_WIDE) == [
        "Inst|openstack-nova-compute|1:34.0.0-1.el10|noarch",
        "Inst|qemu-kvm-core|17:10.0.0-9.el10|x86_64",
    ]


def test_a_table_that_is_not_read_whole_is_not_taken() -> None:
    lost = DNF_5.replace(
        " foo                               x86_64", " foo                               m68k"
    )
    assert read("read_transaction", lost)[-1] == "unread|3 packages are announced, and 2 are shown"
    strange = DNF_4.replace("Installing dependencies:", "Enabling module streams:")
    assert "unread|Enabling module streams:" in read("read_transaction", strange)


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (
            "Error: \n Problem: conflicting requests\n  - nothing provides x needed by plain-5.0-1.el9\n(try",
            "Problem: conflicting requests: nothing provides x needed by plain-5.0-1.el9",
        ),
        (
            "All matches were filtered out by exclude filtering for argument: nova-34\nError: Unable to\n",
            "All matches were filtered out by exclude filtering for argument: nova-34",
        ),
        (
            "No match for argument: nova-35\nError: Unable to find a match: nova-35\n",
            "No match for argument: nova-35",
        ),
        (
            "Failed to resolve the transaction:\nNo match for argument: nova-35\nYou can try to add\n",
            "No match for argument: nova-35",
        ),
        (
            "metadata already locked by 13234\n  The application with PID 13234 is: dnf\n    State: S\n",
            "metadata already locked by 13234",
        ),
        ("Error: Failed to download metadata for repo 'web'\n", "Failed to download metadata for repo 'web'"),
        ("one\ntwo\n\n", "two"),
    ],
)
def test_the_reason(printed: str, reason: str) -> None:
    assert read("read_reason", printed) == [reason]


def test_locks_of_both() -> None:
    assert read("read_locks", LOCKS_4) == ["openstack-nova-compute", "bad-release"]
    assert read("read_locks", LOCKS_5) == ["openstack-nova-compute", "libvirt*"]


def test_a_lock_is_dropped_with_all_that_belongs_to_it() -> None:
    left = read("drop_locks openstack-nova-compute other", LOCKS_4)
    assert left == ["# Added lock on Sun Nov 29 15:17:23 2026", "!bad-release-1:2-3.*"]
    left = read("drop_locks openstack-nova-compute", LOCKS_5)
    assert [line for line in left if line.startswith("name")] == ['name = "libvirt*"']
    assert not any("33.0.2" in line for line in left)
    assert read("drop_locks", LOCKS_5) == LOCKS_5.splitlines()


def test_the_number_of_a_transaction() -> None:
    assert read("read_transaction_id", "Transaction ID : 57\nBegin time     : Sun\n") == ["57"]
    assert read("read_transaction_id", "No transaction\n") == []


def test_the_functions_are_good_sh() -> None:
    assert sh.parse(FUNCTIONS) == sh.WHOLE
