from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.system_support.mechanisms.apt_node import AptNode
from tests.system_support.mechanisms.apt_packages import AGENT, FAIL_POSTINST
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import AptMechanism, Bundle, Component, Package
from escalator.model.campaign import RunOf
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms import Effect, JobFailedError, find_brought, turn_around
from escalator.system_support.mechanisms.apt import AptOnNode
from escalator.system_support.mechanisms.packages_back import (
    Before,
    decide_way_back,
    find_unnamed,
    read_before,
    turn_back,
)

DEMO = Package(name=AGENT, version="2.0.0", component="nova-compute", service=AGENT)
NOVA = Package(name="nova", version="34", component="nova-compute", service="nova-compute")
APT = AptMechanism(
    packages=(NOVA, Package(name="qemu", version="10", component="hypervisor")), removes=("x",)
)
NOTED = """\
now|34
noted|yes
back|nova|33|34
back|python3-nova|33|34
back|nova-extra|-|34
back|gone|1|-
have|nova
have|python3-nova
have|gone
"""


def test_what_was_noted_is_what_the_node_goes_back_to() -> None:
    before = read_before(NOTED)
    assert before == Before(
        now="34",
        noted=True,
        versions={"nova": "33", "python3-nova": "33", "gone": "1"},
        came=("nova-extra",),
        had=frozenset({"nova", "python3-nova", "gone"}),
    )
    assert decide_way_back(before, APT, "34") == WayBack.to_previous({"nova-compute": "33"})
    back = turn_back(APT, before)
    assert [(p.name, p.version, p.service) for p in back.packages] == [
        ("nova", "33", "nova-compute"),
        ("python3-nova", "33", None),
        ("gone", "1", None),
    ]
    assert (back.removes, back.downgrade, back.compute.version) == (("x", "nova-extra"), True, "33")
    assert find_unnamed(("nova", "python3-nova:amd64", "libc6"), back) == ("libc6",)


def test_what_the_installation_left_as_it_was_stays_and_needs_no_source() -> None:
    before = read_before("now|34\nnoted|yes\nback|qemu|7|10\nback|nova|34|34\nhave|qemu\n")
    assert before.stayed == {"nova"}
    way = WayBack.to_previous({"nova-compute": "34", "hypervisor": "7"})
    assert decide_way_back(before, APT, "34") == way
    pending = read_before("now|34\nback|nova|34|34\nback|qemu|7|10\nhave|qemu\n")
    assert decide_way_back(pending, APT, "34") == way
    assert [p.version for p in turn_back(APT, before).packages] == ["7", "34"]


def test_a_version_that_no_source_has_is_no_way_back() -> None:
    before = read_before(NOTED.replace("have|python3-nova\n", ""))
    assert decide_way_back(before, APT, "34") == WayBack.one_way(
        "no source that the node knows has python3-nova 33"
    )


def test_what_was_not_there_or_not_noted_is_no_way_back() -> None:
    came = read_before("now|34\nnoted|yes\nback|nova|-|34\n")
    assert decide_way_back(came, APT, "34").reason == "nova was not there before"
    found = read_before("now|34\nback|nova|34|34\n")
    assert decide_way_back(found, APT, "34").reason == (
        "it has nova 34, and nothing is noted of what was there before"
    )
    assert decide_way_back(read_before("now|\n"), APT, "34").is_one_way


@pytest.mark.lab
def test_going_back_takes_along_what_came_along_and_begins_where_an_older_revision_did(
    apt_node: AptNode,
) -> None:
    apt_node.run("apt-get -qq -y update; apt-get -qq -y install demo-switch=1.0")
    apt_node.bring("1.0.0")
    apt_node.run(f"touch {FAIL_POSTINST}")
    apt_node.stage()
    with pytest.raises(JobFailedError, match="dpkg: error processing package demo-agent"):
        apt_node.activate()
    apt_node.run(f"rm {FAIL_POSTINST}")
    newer: dict[str, Any] = {"packages": (replace(DEMO, version="4.0.0"),), "restarts": ("demo-switch",)}
    apt_node.bring("4.0.0", **newer)
    assert apt_node.status("demo-switch") == "installed 2.0"
    job = make_job(apt_node.shell, "roll_back", "4.0.0")
    assert apt_node.on_node(**newer).roll_back(job) is Effect.ROLLED_BACK
    assert (apt_node.status(), apt_node.status("demo-switch")) == ("installed 1.0.0", "installed 1.0")
    assert apt_node.on_node(**newer).roll_back(job) is Effect.ALREADY_BACK
    apt_node.bring("2.0.0")  # a person's, or another bundle's
    assert apt_node.on_node(**newer).roll_back(job) is Effect.ALREADY_BACK
    assert apt_node.status() == "installed 2.0.0"


@pytest.mark.lab
def test_a_version_of_before_that_no_source_has_is_said_before_the_start(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.run("sed -i '/^Version: 1.0.0$/,/^$/d' /var/lib/apt/lists/*_Packages")
    with apt_node.shell() as shell:
        way = apt_node.on_node().way_back(shell, "2.0.0")
    assert way.reason == "no source that the node knows has demo-agent 1.0.0"


@pytest.mark.lab
def test_a_rollback_of_two_components_finds_what_the_upgrade_noted(apt_node: AptNode) -> None:
    both: dict[str, Any] = {
        "packages": (DEMO, Package(name="demo-switch", version="2.0", component="switch")),
        "restarts": ("demo-switch",),
    }
    apt_node.run("apt-get -qq -y update; apt-get -qq -y install demo-switch=1.0")
    apt_node.bring("1.0.0")
    apt_node.bring("2.0.0", downgrade=False, **both)
    assert (apt_node.status(), apt_node.status("demo-switch")) == ("installed 2.0.0", "installed 2.0")
    old = tuple(
        replace(package, version=version)
        for package, version in zip(both["packages"], ("1.0.0", "1.0"), strict=True)
    )
    components = (Component(name="nova-compute", to="1.0.0"), Component(name="switch", to="1.0"))
    mechanism = apt_node.mechanism(downgrade=False, **{**both, "packages": old})
    bundle = Bundle(name="b-back", components=components, mechanism=mechanism)
    run = RunOf(campaign="c", run_id="r", version="2.0.0", components={"switch": "2.0"})
    brought = find_brought(bundle, run)
    assert isinstance(brought, AptMechanism)
    back = turn_around(AptOnNode(brought), bundle, run)
    with apt_node.shell() as shell:
        assert back.check(shell) == back.check_source(shell, "1.0.0") == ()
        found = back.installed(shell)
        assert found is not None
        assert found.find_behind(components) == ("switch 2.0",)
    job = make_job(apt_node.shell, "activate", "1.0.0")
    assert back.stage(job) is Effect.ALREADY_STAGED
    assert back.activate(job) is Effect.ACTIVATED
    assert (apt_node.status(), apt_node.status("demo-switch")) == ("installed 1.0.0", "installed 1.0")
    with apt_node.shell() as shell:
        found = back.installed(shell)
    assert found is not None
    assert found.find_behind(components) == ()
    assert back.activate(job) is Effect.ALREADY_ACTIVE
