"""Packages on a real Debian machine: what apt may do, what it may not, and what is mended after a kill."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.system_support.mechanisms.apt_packages import (
    AGENT,
    CONFFILE,
    FAIL_POSTINST,
    SLOW_POSTINST,
    WITHOUT_RESTART,
)
from tests.system_support.mechanisms.jobs import make_job

from escalator.lab.machine.machine_files import KEYRING, REPOSITORY_MOUNT
from escalator.lab.machine.signing import SigningKey
from escalator.lab.processes import wait_until
from escalator.model.bundle import ConffilePolicy, Impact, Package
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Severity, Verdict
from escalator.system_support.mechanisms import Effect, JobFailedError
from escalator.system_support.mechanisms.apt_scripts import STATE, write_activate_script

if TYPE_CHECKING:
    from tests.system_support.mechanisms.apt_node import AptNode

pytestmark = pytest.mark.lab

ARCHIVES = "/var/cache/apt/archives"


def check(node: AptNode, impact: Impact = Impact.CONTROL, **changes: Any) -> list[Verdict]:
    with node.shell() as shell:
        return list(node.on_node(impact, **changes).check(shell))


def codes(verdicts: list[Verdict]) -> list[Code]:
    return [verdict.code for verdict in verdicts]


def install(node: AptNode, *packages: str) -> None:
    node.run(f"apt-get -qq update && apt-get -qq -y install {' '.join(packages)} >/dev/null 2>&1")


def to(version: str, **changes: Any) -> dict[str, Any]:
    package = Package(name=AGENT, version=version, component="nova-compute", service=AGENT)
    return {"packages": (package,), **changes}


def test_a_held_package_is_refused_or_lifted_by_name_and_held_again(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.run(f"apt-mark hold {AGENT}")
    apt_node.stage()
    assert codes(check(apt_node)) == [Code.NODE_PACKAGE_HELD]
    with pytest.raises(NodeFaultError, match="demo-agent is held on the node") as caught:
        apt_node.activate()
    assert caught.value.code is Code.NODE_PACKAGE_HELD
    assert apt_node.status() == "installed 1.0.0"
    lift = {"lift_holds": (AGENT,)}
    assert check(apt_node, **lift) == []
    assert apt_node.activate(**lift) is Effect.ACTIVATED
    assert apt_node.status() == "installed 2.0.0"
    assert apt_node.run("apt-mark showhold") == AGENT


def test_a_hold_is_put_back_also_when_the_installation_fails(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.run(f"apt-mark hold {AGENT}; touch {FAIL_POSTINST}")
    apt_node.stage()
    with pytest.raises(JobFailedError):
        apt_node.activate(lift_holds=(AGENT,))
    assert apt_node.run("apt-mark showhold") == AGENT
    apt_node.run(f"rm {FAIL_POSTINST}")
    assert apt_node.activate(lift_holds=(AGENT,)) is Effect.ACTIVATED
    assert apt_node.run(f"apt-mark showhold; ls {STATE}") == f"{AGENT}\nlock"


def test_a_broken_state_of_others_is_left_alone_and_named(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.run(
        f"touch {FAIL_POSTINST}-demo-old; apt-get -qq -y install demo-old >/dev/null 2>&1", check=False
    )
    (verdict,) = check(apt_node)
    assert verdict.code is Code.NODE_PACKAGES_BROKEN
    assert verdict.message.endswith(": demo-old")
    apt_node.stage()
    with pytest.raises(NodeFaultError, match="broken state: demo-old"):
        apt_node.activate()
    script = write_activate_script(apt_node.mechanism(), "2.0.0", ["plan|Inst|demo-old|-|1.0|all"])
    with pytest.raises(JobFailedError, match="broken state that no bundle left: demo-old"):
        make_job(apt_node.shell, "direct", "2.0.0").run(script, trouble="t")
    assert apt_node.status() == "installed 1.0.0"
    assert apt_node.status("demo-old").startswith("half-configured")


def test_a_script_of_the_package_that_fails_is_no_success_and_is_mended_by_the_next_run(
    apt_node: AptNode,
) -> None:
    """It leaves the old process on the new files, active."""
    apt_node.bring("1.0.0")
    before = apt_node.main_pid()
    apt_node.run(f"touch {FAIL_POSTINST}")
    apt_node.stage()
    for _ in range(2):
        with pytest.raises(JobFailedError, match="dpkg: error processing package demo-agent"):
            apt_node.activate()
    assert apt_node.main_pid() == before
    assert apt_node.status() == "half-configured 2.0.0"
    found = apt_node.read()
    assert (found.version, found.running, found.active) == ("1.0.0", "1.0.0", True)
    assert check(apt_node) == []
    apt_node.run(f"rm {FAIL_POSTINST}")
    assert apt_node.stage() is Effect.ALREADY_STAGED
    assert apt_node.activate() is Effect.ACTIVATED
    assert apt_node.read().running == "2.0.0"
    assert apt_node.run("dpkg --audit") == ""


def test_what_an_older_revision_left_half_configured_is_mended_by_a_newer_one(apt_node: AptNode) -> None:
    """Its script fails for good: the version that comes is what mends it."""
    apt_node.bring("1.0.0")
    apt_node.run(f"touch {FAIL_POSTINST}")
    apt_node.stage()
    with pytest.raises(JobFailedError, match="dpkg: error processing package demo-agent"):
        apt_node.activate()
    newer = to("4.0.0", restarts=("demo-switch",))
    assert codes(check(apt_node, **newer)) == []
    apt_node.stage("4.0.0", **newer)
    with pytest.raises(JobFailedError, match="dpkg: error processing package demo-agent"):
        apt_node.activate("4.0.0", **newer)
    assert apt_node.status() == "half-configured 4.0.0"
    apt_node.run(
        f"touch {FAIL_POSTINST}-demo-old; apt-get -qq -y install demo-old >/dev/null 2>&1", check=False
    )
    assert codes(check(apt_node, **newer)) == [Code.NODE_PACKAGES_BROKEN]  # one among them is a person's
    apt_node.run(f"rm {FAIL_POSTINST}*; dpkg --configure demo-old >/dev/null")
    back = to("1.0.0", removes=("demo-switch",))
    assert codes(check(apt_node, **back)) == []
    apt_node.bring("1.0.0", **back)
    assert apt_node.read().running == "1.0.0"
    assert apt_node.run(f"dpkg --audit; ls {STATE}") == "lock"


def test_a_full_disk_is_found_before_and_named(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.run(f"mount -t tmpfs -o size=12k,nr_inodes=9 tmpfs {ARCHIVES}")
    (verdict,) = check(apt_node)
    assert verdict.code is Code.NODE_DISK_FULL
    assert ARCHIVES in verdict.message
    with pytest.raises(JobFailedError, match=r"cannot download demo-agent=2\.0\.0: .*(space|device)"):
        apt_node.stage()
    apt_node.run(f"umount {ARCHIVES}")
    assert check(apt_node) == []
    assert apt_node.stage() is Effect.STAGED


@pytest.mark.parametrize(
    ("policy", "lines", "other"),
    [
        (ConffilePolicy.KEEP, "# of 1.0.0\n# edited", "dpkg-dist"),
        (ConffilePolicy.REPLACE, "# of 2.0.0", "dpkg-old"),
    ],
)
def test_an_edited_configuration_file(
    apt_node: AptNode, caplog: pytest.LogCaptureFixture, policy: ConffilePolicy, lines: str, other: str
) -> None:
    caplog.set_level(logging.INFO)
    apt_node.bring("1.0.0", conffiles=policy)
    apt_node.run(f"echo '# edited' >>{CONFFILE}")
    apt_node.bring("2.0.0", conffiles=policy)
    assert apt_node.run(f"cat {CONFFILE}; ls {CONFFILE}.*") == f"{lines}\n{CONFFILE}.{other}"
    assert f"{CONFFILE} was edited" in caplog.text
    assert f"{CONFFILE}.{other}" in caplog.text


def test_an_index_that_another_key_signed_is_refused(apt_node: AptNode, tmp_path: Path) -> None:
    foreign = SigningKey(folder=tmp_path / "foreign")
    foreign.ensure()
    trusted = apt_node.repository.key.public.read_text()
    apt_node.run(f"cat >{KEYRING} <<'END'\n{foreign.public.read_text()}\nEND")
    try:
        with apt_node.shell() as shell:
            (verdict,) = apt_node.on_node().check_source(shell, "2.0.0")
        assert verdict.code is Code.STAGE_FAILED
        with pytest.raises(JobFailedError, match=r"cannot read its sources: .*(not signed|NO_PUBKEY)"):
            apt_node.stage()
    finally:
        apt_node.run(f"cat >{KEYRING} <<'END'\n{trusted}\nEND")
    assert apt_node.run(f"ls {ARCHIVES}/*.deb", check=False) == ""


def test_a_version_that_is_nowhere_names_those_that_are_there(apt_node: AptNode) -> None:
    with apt_node.shell() as shell:
        (verdict,) = apt_node.on_node().check_source(shell, "9.9.9")
    assert "Version '9.9.9' for 'demo-agent' was not found" in verdict.message
    assert "1.0.0 2.0.0" in (verdict.remedy or "")


def test_what_would_be_done_is_told_before_anything_is_staged(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    with apt_node.shell() as shell:
        (told,) = apt_node.on_node().check_source(shell, "2.0.0")
        assert apt_node.on_node().check_source(shell, "1.0.0") == ()
    assert (told.code, told.severity) == (Code.WOULD_CHANGE, Severity.INFO)
    assert told.message == "apt would do: demo-agent 1.0.0 -> 2.0.0, restart demo-agent.service"


def test_a_removal_that_nobody_named_is_refused(apt_node: AptNode) -> None:
    install(apt_node, "demo-old")
    (verdict,) = check(apt_node, **to("3.0.0"))
    assert verdict.code is Code.NODE_PACKAGES_REFUSED
    assert "would remove demo-old" in verdict.message
    apt_node.stage("3.0.0", **to("3.0.0"))
    with pytest.raises(NodeFaultError, match="would remove demo-old"):
        apt_node.activate("3.0.0", **to("3.0.0"))
    assert apt_node.status("demo-old") == "installed 2.0"
    apt_node.bring("3.0.0", **to("3.0.0", removes=("demo-old",)))
    assert apt_node.status("demo-old").split()[0] in {"", "config-files", "not-installed"}


def test_a_restart_that_nobody_named_is_refused(apt_node: AptNode) -> None:
    install(apt_node, "demo-switch=1.0")
    apt_node.run("systemctl start demo-switch")
    apt_node.stage("4.0.0")
    with pytest.raises(NodeFaultError, match=r"demo-switch under the running demo-switch\.service"):
        apt_node.activate("4.0.0")
    assert apt_node.activate("4.0.0", restarts=("demo-switch",)) is Effect.ACTIVATED
    assert apt_node.status("demo-switch") == "installed 2.0"


def test_what_guests_run_on_is_not_touched_under_impact_control(apt_node: AptNode) -> None:
    install(apt_node, "openvswitch-switch=1.0")
    apt_node.run("systemctl start openvswitch-switch")
    named = to("5.0.0", restarts=("openvswitch-switch",))
    assert codes(check(apt_node, **named)) == [Code.IMPACT_CONTRADICTED]
    apt_node.stage("5.0.0", **named)
    with pytest.raises(NodeFaultError) as caught:
        apt_node.activate("5.0.0", **named)
    assert caught.value.code is Code.IMPACT_CONTRADICTED
    assert apt_node.status("openvswitch-switch") == "installed 1.0"
    assert check(apt_node, Impact.DATA, **named) == []
    assert apt_node.activate("5.0.0", Impact.DATA, **named) is Effect.ACTIVATED


def test_what_apt_would_do_only_since_it_was_judged_is_not_done(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.stage()
    script = write_activate_script(apt_node.mechanism(), "2.0.0", ["plan|Inst|other|-|1.0|all"])
    with pytest.raises(JobFailedError, match="apt would do what it would not when it was looked at: plan"):
        make_job(apt_node.shell, "direct", "2.0.0").run(script, trouble="t")
    assert apt_node.status() == "installed 1.0.0"


def test_going_back_has_to_be_allowed(apt_node: AptNode) -> None:
    apt_node.bring("2.0.0")
    apt_node.stage("1.0.0", downgrade=False)
    with pytest.raises(NodeFaultError, match="go back to an older version of demo-agent"):
        apt_node.activate("1.0.0", downgrade=False)
    assert apt_node.activate("1.0.0") is Effect.ACTIVATED
    assert apt_node.read().running == "1.0.0"


@pytest.mark.parametrize("cut", ["apt-get", "dpkg", "power", "unpacking"])
def test_an_installation_that_is_killed_is_mended_and_goes_on(apt_node: AptNode, cut: str) -> None:
    apt_node.bring("1.0.0")
    apt_node.stage()
    apt_node.run(f"touch {SLOW_POSTINST}; rm -f /var/lib/demo-starts; sync")
    job = make_job(apt_node.shell, "activate", "2.0.0")
    with apt_node.shell() as shell:
        outlook = apt_node.on_node()._look(shell, "2.0.0")
        script = write_activate_script(apt_node.mechanism(), "2.0.0", outlook.lines)
        apt_node.begin(shell, job.job_id, script)
    assert wait_until(lambda: apt_node.status() == "half-configured 2.0.0", timeout_seconds=60)
    if cut == "power":
        apt_node.machine.ensure_cut()
        apt_node.machine.ensure_on()
    else:
        victim = "dpkg" if cut == "unpacking" else cut
        apt_node.run(f"pkill -9 -x {victim}; pkill -9 -f demo-agent.postinst", check=False)
    if cut == "unpacking":
        status = "/Package: demo-agent$/,/^Status/s/^Status.*/Status: install reinstreq half-installed/"
        apt_node.run(
            f"dpkg-query -W >/dev/null; rm -f /var/lib/dpkg/updates/*; sed -i '{status}' /var/lib/dpkg/status"
        )
        assert "in a mess" in apt_node.run("dpkg --audit")
    apt_node.run(f"rm {SLOW_POSTINST}")
    assert apt_node.stage() is Effect.ALREADY_STAGED
    assert apt_node.activate() is Effect.ACTIVATED
    found = apt_node.read()
    assert (found.version, found.running) == ("2.0.0", "2.0.0")
    assert apt_node.run(f"dpkg --audit; ls {STATE}") == "lock"
    assert apt_node.activate() is Effect.ALREADY_ACTIVE


def test_a_file_in_the_cache_of_the_right_size_and_other_content_is_found(apt_node: AptNode) -> None:
    """Apt itself looks at the size only."""
    apt_node.stage()
    assert apt_node.stage() is Effect.ALREADY_STAGED
    file = f"{ARCHIVES}/demo-agent_2.0.0_all.deb"
    apt_node.run(f"printf X | dd of={file} bs=1 seek=200 conv=notrunc 2>/dev/null")
    with pytest.raises(JobFailedError, match=r"is not staged: demo-agent_2\.0\.0_all\.deb"):
        apt_node.activate()
    assert apt_node.stage() is Effect.STAGED
    assert apt_node.activate() is Effect.ACTIVATED


def test_the_lock_of_another_program_is_told_and_waited_for(apt_node: AptNode) -> None:
    apt_node.stage()
    hold = (
        "import fcntl, os, time; f = open('/var/lib/dpkg/lock-frontend', 'w');"
        " fcntl.lockf(f, fcntl.LOCK_EX); open('/run/held', 'w');"
        " [time.sleep(0.1) for _ in iter(lambda: os.path.exists('/run/let-go'), True)]"
    )
    apt_node.run(f'rm -f /run/held /run/let-go; systemd-run -q --collect python3 -c "{hold}"')
    assert wait_until(lambda: apt_node.run("ls /run/held", check=False) != "", timeout_seconds=60)
    (verdict,) = check(apt_node)
    assert (verdict.code, verdict.severity) == (Code.NODE_PACKAGES_LOCKED, Severity.WARNING)
    apt_node.run("systemd-run -q --collect sh -c 'sleep 3; touch /run/let-go'")
    assert apt_node.activate() is Effect.ACTIVATED


def test_a_package_that_restarts_nothing_is_restarted_for(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    apt_node.run(f"touch {WITHOUT_RESTART}")
    starts = apt_node.starts()
    apt_node.bring("2.0.0")
    assert apt_node.starts() == starts + 1
    assert apt_node.read().running == "2.0.0"


def test_a_process_from_before_an_installation_by_hand_runs_the_version_of_before(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    # The log of dpkg has whole seconds, and tells nothing of the second in which a process began.
    apt_node.run(f"touch {WITHOUT_RESTART}; sleep 1")
    install(apt_node, f"{AGENT}=2.0.0")
    found = apt_node.read()
    assert (found.version, found.running) == ("2.0.0", "1.0.0")
    assert found.components == {"nova-compute": "1.0.0"}
    apt_node.run("mv /var/log/dpkg.log /var/log/dpkg.gone")
    found = apt_node.read()
    assert (found.version, found.running) == (None, None)
    apt_node.run("mv /var/log/dpkg.gone /var/log/dpkg.log; systemctl restart demo-agent")
    assert apt_node.read().running == "2.0.0"


def test_sources_of_the_bundles_own_are_the_only_ones(apt_node: AptNode) -> None:
    own = "/root/own.list"
    apt_node.run(f"echo 'deb [signed-by={KEYRING}] copy:{REPOSITORY_MOUNT} ./' >{own}")
    apt_node.run("echo 'deb http://127.0.0.1:9/ x y' >/etc/apt/sources.list.d/dead.list")
    try:
        with pytest.raises(JobFailedError, match="cannot read its sources"):
            apt_node.stage()
        assert apt_node.stage(sources=own) is Effect.STAGED
        assert apt_node.activate(sources=own) is Effect.ACTIVATED
    finally:
        apt_node.run("rm /etc/apt/sources.list.d/dead.list")


def test_a_keyring_of_the_bundles_own_counts_for_sources_that_name_none(apt_node: AptNode) -> None:
    deb822 = f"Types: deb\\nURIs: copy:{REPOSITORY_MOUNT}\\nSuites: ./\\n"
    apt_node.run(f"printf '{deb822}' >/root/own.sources; cp {KEYRING} /root/own.asc; echo >/root/empty.asc")
    own = {"sources": "/root/own.sources", "keyring": "/root/empty.asc"}
    with pytest.raises(JobFailedError, match="cannot read its sources"):
        apt_node.stage(**own)
    assert apt_node.stage(**{**own, "keyring": "/root/own.asc"}) is Effect.STAGED
    assert codes(check(apt_node, **{**own, "keyring": "/root/gone.asc"})) == [Code.NODE_PATH_UNUSABLE]


def test_several_components_each_count_as_what_runs_or_is_whole(apt_node: AptNode) -> None:
    install(apt_node, "demo-switch=1.0", "demo-lib=1.0")
    apt_node.run("systemctl start demo-switch")
    switch = Package(name="demo-switch", version="2.0", component="switch", service="demo-switch")
    both = {
        "packages": (
            *to("2.0.0")["packages"],
            switch,
            Package(name="demo-lib", version="2.0", component="lib"),
        )
    }
    assert apt_node.read(**both).components == {"nova-compute": None, "switch": "1.0", "lib": "1.0"}
    apt_node.bring("2.0.0", **both)
    assert apt_node.read(**both).components == {"nova-compute": "2.0.0", "switch": "2.0", "lib": "2.0"}
