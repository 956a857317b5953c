"""The mechanism ``dnf`` on a node whose dnf, rpm and systemctl are tiny."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import Impact, Package
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms import Effect, JobFailedError
from escalator.system_support.mechanisms.dnf_scripts import write_activate_script

if TYPE_CHECKING:
    from tests.system_support.mechanisms.dnf_node import DnfNode

    from escalator.system_support.mechanisms.dnf import DnfOnNode


def test_the_packages_come_in_stage_and_are_installed_without_a_network(dnf_node: DnfNode) -> None:
    assert dnf_node.stage() is Effect.STAGED
    assert dnf_node.installed() == {}
    dnf_node.put("unreachable")
    assert dnf_node.stage() is Effect.ALREADY_STAGED
    assert dnf_node.activate() is Effect.ACTIVATED
    assert dnf_node.installed() == {"demo-agent": "2.0.0"}
    assert dnf_node.activate() is Effect.ALREADY_ACTIVE
    installs = [call for call in dnf_node.calls() if " -y install demo" in call]
    assert len(installs) == 1
    assert not any("--allowerasing" in call for call in dnf_node.calls())


def test_the_number_of_the_transaction_is_kept(dnf_node: DnfNode) -> None:
    dnf_node.bring("1.0.0")
    dnf_node.bring("2.0.0")
    history = (dnf_node.folder / "state of ours" / "history").read_text()
    assert history == "1 demo-agent-1.0.0\n2 demo-agent-2.0.0\n"


def test_a_removal_has_to_be_named(dnf_node: DnfNode) -> None:
    dnf_node.stage()
    dnf_node.put("more", "Removing old-agent 1.0-1\n")
    assert dnf_node.check() == [
        ("node_packages_refused", "dnf would remove old-agent 1.0-1, which the bundle does not name")
    ]
    with pytest.raises(NodeFaultError, match="would remove old-agent") as caught:
        dnf_node.activate()
    assert caught.value.code is Code.NODE_PACKAGES_REFUSED
    assert dnf_node.installed() == {}
    assert dnf_node.check(removes=("old-agent",)) == []
    assert dnf_node.activate(removes=("old-agent",)) is Effect.ACTIVATED


def test_a_step_back_has_to_be_allowed(dnf_node: DnfNode) -> None:
    dnf_node.bring("2.0.0")
    dnf_node.stage("1.0.0")
    with pytest.raises(NodeFaultError, match="would go back to an older version of demo-agent"):
        dnf_node.activate("1.0.0", downgrade=False)
    assert dnf_node.activate("1.0.0") is Effect.ACTIVATED


WITH_LIBRARY = (
    Package(name="demo-agent", version="2.0.0", component="nova-compute", service="demo-agent"),
    Package(name="demo-qemu", version="10-1", component="qemu"),
)
RPMS = "demo-agent 1.0.0\ndemo-agent 2.0.0\ndemo-qemu 7-1\ndemo-qemu 10-1\nlibrary 1-1\nlibrary 2-1\n"


def bring_two(dnf_node: DnfNode) -> DnfOnNode:
    """Bring 1.0.0 with QEMU 7, then 2.0.0 with QEMU 10; return what brought it."""
    dnf_node.put("repository", RPMS)
    dnf_node.put("installed", "demo-qemu 7-1 7\nlibrary 1-1 7\n")
    dnf_node.bring("1.0.0")
    dnf_node.put("more", "Upgrading library 2-1\n")
    dnf_node.bring("2.0.0", packages=WITH_LIBRARY)
    (dnf_node.folder / "more").unlink()
    assert dnf_node.installed() == {"demo-agent": "2.0.0", "demo-qemu": "10-1", "library": "2-1"}
    return dnf_node.on_node(packages=WITH_LIBRARY, downgrade=False)


def test_going_back_takes_every_package_to_the_version_that_it_had(dnf_node: DnfNode) -> None:
    brought = bring_two(dnf_node)
    with dnf_node.sshd.shell() as shell:
        way = brought.way_back(shell, "2.0.0")
    assert way == WayBack.to_previous({"nova-compute": "1.0.0", "qemu": "7-1"})
    job = make_job(dnf_node.sshd.shell, "roll_back", "2.0.0")
    assert brought.roll_back(job) is Effect.ROLLED_BACK
    assert dnf_node.installed() == {"demo-agent": "1.0.0", "demo-qemu": "7-1", "library": "1-1"}
    assert brought.roll_back(job) is Effect.ALREADY_BACK


def test_a_way_back_that_dnf_would_not_go_is_said_before_the_start(dnf_node: DnfNode) -> None:
    brought = bring_two(dnf_node)
    dnf_node.put("known", RPMS.replace("library 1-1\n", ""))
    with dnf_node.sshd.shell() as shell:
        assert brought.way_back(shell, "2.0.0").reason == "no source that the node knows has library 1-1"
        dnf_node.put("known", RPMS)
        dnf_node.put("more", "Downgrading glibc 2-1\n")
        reason = brought.way_back(shell, "2.0.0").reason
        assert reason == ("dnf would go back to an older version of glibc, which the bundle did not bring")
    with pytest.raises(NodeFaultError, match="older version of glibc"):
        brought.roll_back(make_job(dnf_node.sshd.shell, "roll_back", "2.0.0"))
    assert dnf_node.installed()["demo-agent"] == "2.0.0"


def test_what_comes_along_may_not_restart_what_nobody_named(dnf_node: DnfNode) -> None:
    dnf_node.put("more", "Upgrading libvirt-daemon 11-1\nUpgrading cron 2-1\n")
    with dnf_node.sshd.shell() as shell:
        shell.run_as_root("systemctl restart cron; systemctl restart libvirt-daemon")
    dnf_node.stage()
    found = dnf_node.check()
    assert [code for code, _ in found] == ["node_packages_refused"] * 2 + ["impact_contradicted"]
    assert "under the running cron.service" in found[1][1]
    named = (
        *dnf_node.mechanism().packages,
        Package(name="libvirt-daemon", version="11-1"),
        Package(name="cron", version="2-1"),
    )
    dnf_node.put("repository", "demo-agent 2.0.0\nlibvirt-daemon 11-1\ncron 2-1\n")
    (dnf_node.folder / "more").unlink()
    found = dnf_node.check_source(packages=named, impact=Impact.DATA)
    assert [code for code, _ in found] == ["would_change"]
    assert [code for code, _ in dnf_node.check(packages=named)] == ["impact_contradicted"]
    assert dnf_node.check(packages=named, impact=Impact.DATA) == []


def test_what_dnf_would_do_beyond_what_was_judged_ends_it(dnf_node: DnfNode) -> None:
    dnf_node.stage()
    state = str(dnf_node.folder / "state of ours")
    script = write_activate_script(dnf_node.mechanism(), "2.0.0", ("plan|Inst|another|-|1|noarch",), state)
    with dnf_node.sshd.shell() as shell:
        result = shell.run_as_root(script)
    assert not result.ok
    assert result.last_words.endswith(
        "dnf would do what it would not when it was looked at: plan|Inst|demo-agent|-|2.0.0|noarch"
    )
    assert dnf_node.installed() == {}


def test_a_version_that_is_nowhere_is_said_with_those_that_are(dnf_node: DnfNode) -> None:
    assert dnf_node.check() == []  # nothing is known of repositories that were never read
    ((code, said),) = dnf_node.check_source("9.9.9")
    assert code == "stage_failed"
    assert "No match for argument: demo-agent-9.9.9" in said
    assert "there are demo-agent: 1.0.0 2.0.0" in said


def test_what_would_be_done_is_told_where_the_cache_knows_the_version(dnf_node: DnfNode) -> None:
    dnf_node.bring("1.0.0")
    ((code, told),) = dnf_node.check_source()
    assert code == "would_change"
    assert told.startswith("dnf would do: demo-agent 1.0.0 -> 2.0.0, restart demo-agent.service")
    assert dnf_node.check_source("1.0.0") == []


def test_repositories_that_do_not_answer_are_said(dnf_node: DnfNode) -> None:
    dnf_node.put("unreachable")
    ((_, said),) = dnf_node.check_source()
    assert "dnf cannot read its repositories: Failed to download metadata for repo 'lab'" in said
    with pytest.raises(JobFailedError, match=r"dnf cannot download demo-agent-2\.0\.0: Failed to download"):
        dnf_node.stage()


def test_a_lock_is_waited_for(dnf_node: DnfNode) -> None:
    dnf_node.stage()
    dnf_node.put("locked", "1")
    assert dnf_node.activate() is Effect.ACTIVATED


def test_a_failed_script_of_a_package_is_no_success(dnf_node: DnfNode) -> None:
    dnf_node.stage()
    dnf_node.put("script", "warning: %post(demo-agent-2.0.0.noarch) scriptlet failed, exit status 3\n")
    with pytest.raises(JobFailedError, match="a script of a package failed: warning: %post"):
        dnf_node.activate()
    (dnf_node.folder / "script").unlink()
    assert dnf_node.activate() is Effect.ACTIVATED
    assert dnf_node.restarts() == 1


def test_a_process_from_before_runs_the_old_version(dnf_node: DnfNode) -> None:
    dnf_node.bring("1.0.0")
    text = (dnf_node.folder / "installed").read_text().split()
    dnf_node.put("installed", f"demo-agent 2.0.0 {int(text[2]) + 3600}\n")
    found = dnf_node.read()
    assert (found.version, found.running, found.components) == (None, None, {"nova-compute": None})
    note = "key\nplan|Inst|demo-agent|1.0.0|2.0.0|noarch\n"
    (dnf_node.folder / "state of ours" / "begun").write_text(note)
    found = dnf_node.read()
    assert (found.version, found.running, found.components) == ("2.0.0", "1.0.0", {"nova-compute": "1.0.0"})


def test_a_package_in_two_versions_is_left_to_a_person(dnf_node: DnfNode) -> None:
    dnf_node.bring("1.0.0")
    with (dnf_node.folder / "installed").open("a") as file:
        file.write("demo-agent 2.0.0 7\n")
    assert [code for code, _ in dnf_node.check()] == ["node_packages_broken"]
    with pytest.raises(NodeFaultError, match="rpm has packages in a broken state: demo-agent"):
        dnf_node.activate()


def test_services_of_others_that_run_old_files_are_said_and_left_alone(dnf_node: DnfNode) -> None:
    dnf_node.put("old-services", "sshd.service\ncron.service\n")
    dnf_node.bring("2.0.0")
    logs = [path.read_text() for path in (dnf_node.folder / "jobs").glob("*/log")]
    assert all("sshd" not in log for log in logs)  # of a job that ended well nothing is kept
    assert dnf_node.restarts("sshd") == 0


def test_repositories_of_the_bundle_alone(dnf_node: DnfNode) -> None:
    dnf_node.stage(repositories=("nova-34", "base"))
    assert all(call.startswith("--setopt=best=True") for call in dnf_node.calls())
    assert all(" --repo=nova-34,base " in call for call in dnf_node.calls() if " install " in call)


def test_a_node_without_dnf_lacks_it(dnf_node: DnfNode) -> None:
    for name in ("dnf", "rpm"):
        (dnf_node.sshd.home / "bin" / name).unlink()
    if shutil.which("dnf") or shutil.which("rpm"):
        pytest.skip("this computer has dnf or rpm")
    assert [code for code, _ in dnf_node.check()] == ["node_tool_missing"] * 2
