"""What apt would do is judged by what the bundle names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from escalator.model.bundle import AptMechanism, Impact, Package
from escalator.model.verdict import Code, Severity, Subject
from escalator.system_support.mechanisms.apt_outlook import Change, judge_outlook, read_outlook

NODE = Subject.of_node("node-01")
APT = AptMechanism(
    packages=(Package(name="nova", version="34", component="nova-compute", service="nova-compute"),)
)
GOOD = """\
plan|Inst|nova|33|34|amd64
plan|Inst|nova-common|33|34|all
unit|nova|nova-compute.service
space|/|1000|2000|downloads
space|/|900|2000|packages
"""


def judge(text: str, impact: Impact = Impact.CONTROL, **changes: Any) -> list[tuple[Code, str]]:
    found = judge_outlook(read_outlook(text), replace(APT, **changes), impact, NODE)
    assert all(v.subject == NODE and v.remedy for v in found)
    return [(v.code, v.message) for v in found]


def test_what_the_bundle_names_is_good() -> None:
    assert judge(GOOD) == []
    assert judge("") == []


def test_it_is_read_and_said() -> None:
    outlook = read_outlook(GOOD + "plan|Remv|old|1\nheld|nova\nnoise\n")
    assert outlook.changes[0] == Change(package="nova", old="33", new="34")
    assert outlook.describe() == (
        "nova 33 -> 34, nova-common 33 -> 34, remove old 1, restart nova-compute.service"
    )
    assert [line.split("|")[0] for line in outlook.lines] == ["plan", "plan", "unit", "plan", "held"]
    assert outlook.space == {"/": (1900, 2000)}
    assert read_outlook("").describe() == "nothing"


def test_a_removal_has_to_be_named() -> None:
    ((code, message),) = judge(GOOD + "plan|Remv|nova-kvm:amd64|33\n")
    assert code is Code.NODE_PACKAGES_REFUSED
    assert "would remove nova-kvm:amd64 33" in message
    assert judge(GOOD + "plan|Remv|nova-kvm:amd64|33\n", removes=("nova-kvm",)) == []


def test_a_restart_has_to_be_named_by_its_package_or_by_itself() -> None:
    text = GOOD + "plan|Inst|cron|1|2|amd64\nunit|cron|cron.service\n"
    ((code, message),) = judge(text)
    assert code is Code.NODE_PACKAGES_REFUSED
    assert "would change cron under the running cron.service" in message
    assert judge(text, restarts=("cron",)) == []
    assert judge(text, packages=(*APT.packages, Package(name="cron", version="2"))) == []


def test_an_older_version_has_to_be_allowed() -> None:
    ((code, message),) = judge(GOOD + "down|nova\n")
    assert code is Code.NODE_PACKAGES_REFUSED
    assert "older version of nova" in message
    assert judge(GOOD + "down|nova\n", downgrade=True) == []


def test_a_hold_is_lifted_by_name() -> None:
    assert judge(GOOD + "held|nova\n")[0][0] is Code.NODE_PACKAGE_HELD
    assert judge(GOOD + "held|nova\n", lift_holds=("nova-common",))[0][0] is Code.NODE_PACKAGE_HELD
    assert judge(GOOD + "held|nova\n", lift_holds=("nova",)) == []


@pytest.mark.parametrize(
    "line",
    [
        "plan|Inst|libvirt-daemon|9|11|amd64",
        "plan|Inst|qemu-system-x86|-|10|amd64",
        "plan|Remv|openvswitch-switch|3",
        "plan|Inst|linux-image-6.1.0-28-amd64|-|6|amd64",
        "unit|whatever|libvirtd.service",
    ],
)
def test_what_guests_run_on_is_no_matter_of_the_agent_alone(line: str) -> None:
    name = line.split("|")[2]
    named: dict[str, Any] = {"removes": (name,), "restarts": (name, "libvirtd")}
    ((code, message),) = judge(f"{GOOD}{line}\n", **named)
    assert code is Code.IMPACT_CONTRADICTED
    assert name in message
    assert judge(f"{GOOD}{line}\n", Impact.DATA, **named) == []


def test_a_broken_state_is_ours_only_when_all_of_it_is() -> None:
    ((code, message),) = judge("broken|man-db\n")
    assert (code, message.endswith(": man-db")) == (Code.NODE_PACKAGES_BROKEN, True)
    assert judge("broken|nova\nbroken|dpkg\nbegun|nova:amd64|33|34|amd64\n") == []
    assert "man-db" in judge("broken|nova\nbroken|man-db\nbegun|nova|33|34|amd64\n")[0][1]
    assert judge("broken|dpkg\n")[0][0] is Code.NODE_PACKAGES_BROKEN


def test_a_lock_is_waited_for_and_what_lies_under_it_is_not_judged() -> None:
    (verdict,) = judge_outlook(
        read_outlook("locked|process 7 holds /var/lib/dpkg/lock\nbroken|man-db\n"), APT, Impact.CONTROL, NODE
    )
    assert (verdict.code, verdict.severity) == (Code.NODE_PACKAGES_LOCKED, Severity.WARNING)
    assert "process 7" in verdict.message


def test_a_version_that_the_lists_lack_is_asked_of_the_sources_and_no_way_is_a_finding() -> None:
    unknown = "trouble|Version '34' for 'nova' was not found\n"
    assert read_outlook(unknown).is_unknown
    assert judge(unknown) == []
    ((code, message),) = judge("trouble|Unable to correct problems, you have held broken packages.\n")
    assert code is Code.NODE_PACKAGES_REFUSED
    assert "held broken packages" in message


def test_what_lies_on_one_file_system_counts_together() -> None:
    ((code, message),) = judge(GOOD.replace("|900|", "|1100|"))
    assert code is Code.NODE_DISK_FULL
    assert message == "/ has 1 MiB free, 3 MiB are needed"
    assert judge(GOOD.replace("/|900|", "/usr|1100|")) == []
