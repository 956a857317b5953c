"""NodeShell where users are not root and logins print, against a real sshd and a real sudo."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import paramiko
import pytest
from tests.system_support.accounts import BARE, FREE, LEAST, OPS, PASSWORD, AccountsSshd, find_lacking
from tests.system_support.conftest import LocalShell
from tests.system_support.mechanisms.jobs import make_job
from tests.system_support.mechanisms.test_venv import MECHANISM

from escalator.model.bundle import AptMechanism, Artefact, CommandMechanism, DnfMechanism, Package
from escalator.model.errors import LoginRefusedError, NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support import remote_job
from escalator.system_support.mechanisms import Effect, NodeMechanism
from escalator.system_support.mechanisms.apt import AptOnNode
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.dnf import DnfOnNode
from escalator.system_support.mechanisms.extras import WithExtras
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.remote_job import JobState
from escalator.system_support.shell import CommandResult
from escalator.system_support.ssh import NodeShell

pytestmark = pytest.mark.skipif(bool(find_lacking()), reason=find_lacking())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsSshd]:
    server = AccountsSshd(home=tmp_path_factory.mktemp("accounts"))
    server.prepare()
    server.start()
    yield server
    server.stop()


def shell_of(machine: AccountsSshd, user: str, password: str | None = None, **changes: object) -> NodeShell:
    return NodeShell(machine.target(user=user, password=password, **changes))


@pytest.mark.parametrize(("user", "password"), [(OPS, PASSWORD), (FREE, None), (FREE, PASSWORD)])
def test_every_command_is_roots_and_only_its_own_words_come_back(
    machine: AccountsSshd, user: str, password: str | None
) -> None:
    with shell_of(machine, user, password) as shell:
        result = shell.run_as_root("id -u; printf 'no end'; echo err >&2; exit 3")
        assert (result.exit_code, result.stdout, result.stderr) == (3, "0\nno end", "err\n")
        again = shell.run_as_root("cat; true")
        assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")


def test_a_command_that_ends_before_the_password_is_sent_has_ended(
    machine: AccountsSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = paramiko.Channel.exec_command

    def execute_to_the_end(channel: paramiko.Channel, command: str) -> None:
        execute(channel, command)
        channel.status_event.wait(10)
        while not channel.closed:
            time.sleep(0.01)

    monkeypatch.setattr(paramiko.Channel, "exec_command", execute_to_the_end)
    with shell_of(machine, FREE, PASSWORD) as shell:
        assert shell.run_as_root("echo done; exit 5").exit_code == 5


def test_much_output_is_bounded_whatever_the_login_prints(machine: AccountsSshd) -> None:
    with shell_of(machine, FREE) as shell:
        result = shell.run_as_root("head -c 2000000 /dev/zero | tr '\\0' x")
    assert result.stdout == "x" * (1 << 20)


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        (OPS, None, "a password is required"),
        (OPS, "wrong", "incorrect password attempt"),
        (BARE, PASSWORD, "bare is not in the sudoers file"),
    ],
)
def test_sudo_that_refuses_is_named(
    machine: AccountsSshd, user: str, password: str | None, said: str
) -> None:
    with shell_of(machine, user, password) as shell:
        with pytest.raises(NodeFaultError, match=said) as caught:
            shell.run_as_root("true")
        found = VenvOnNode(MECHANISM).check(shell)
    assert caught.value.code is Code.NODE_NO_PRIVILEGE
    assert [verdict.code for verdict in found] == [Code.NODE_NO_PRIVILEGE]
    assert said in found[0].message
    assert "wrong" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_the_password_alone_logs_in(machine: AccountsSshd) -> None:
    with shell_of(machine, OPS, PASSWORD, key_file=None) as shell:
        assert shell.run_as_root("id -un").stdout == "root\n"


def test_a_log_in_that_is_refused_may_be_tried_again(machine: AccountsSshd) -> None:
    with pytest.raises(LoginRefusedError, match="SSH refuses user ops") as caught:
        shell_of(machine, OPS, "wrong", key_file=None).__enter__()
    assert "wrong" not in str(caught.value)


def test_a_password_never_stands_in_a_command_line(machine: AccountsSshd) -> None:
    with shell_of(machine, OPS, PASSWORD) as shell:
        seen = shell.run_as_root("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert "sudo -S" in seen
    assert PASSWORD not in seen


def test_a_job_of_a_user_with_sudo_is_roots_and_outlives_the_login(machine: AccountsSshd) -> None:
    base, go = f"{machine.home}/jobs", machine.home / "go"
    with shell_of(machine, OPS, PASSWORD) as shell:
        script = f"id -un; until [ -e '{go}' ]; do sleep 0.05; done; echo end"
        assert remote_job.start(shell, "job", script, base=base)
        assert remote_job.read_state(shell, "job", base=base).state is JobState.RUNNING
    go.touch()
    with shell_of(machine, OPS, PASSWORD) as shell:
        while (status := remote_job.read_state(shell, "job", base=base)).state is JobState.RUNNING:
            pass
        assert status.output == "root\nend\n"


def test_the_documented_line_of_sudo_is_good(machine: AccountsSshd) -> None:
    path = machine.home / "sudoers"
    done = LocalShell().run_as_root(f"LC_ALL=C visudo -cf {path}")
    assert done == CommandResult(exit_code=0, stdout=f"{path}: parsed OK\n", stderr="")


def test_the_account_of_the_documents_may_run_a_shell_and_nothing_else(machine: AccountsSshd) -> None:
    with shell_of(machine, LEAST) as shell:
        assert shell.run_as_root("id -u").stdout == "0\n"
        allowed = shell.run_as_root(f"sudo -l -U {LEAST} | tail -n 1").stdout.split()
        own = f"setpriv --reuid={LEAST} --clear-groups sudo -n"
        assert shell.run_as_root(f"{own} /bin/sh -c true").ok
        assert "password is required" in shell.run_as_root(f"{own} /usr/bin/id").stderr
    assert allowed == ["(root)", "NOPASSWD:", "/bin/sh"]


def test_no_mechanism_lacks_a_privilege_with_it(machine: AccountsSshd) -> None:
    folders = {"base": f"{machine.home}/jobs of least", "state": f"{machine.home}/state of least"}
    nova = Package(name="nova-compute", version="34-1", component="nova-compute", service="nova-compute")
    commands = CommandMechanism(version="true", activate="true", service="nova-compute")
    mechanisms: list[NodeMechanism] = [
        VenvOnNode(MECHANISM, base=folders["base"]),
        CommandOnNode(commands, **folders),
        AptOnNode(AptMechanism(packages=(nova,)), **folders),
        DnfOnNode(DnfMechanism(packages=(nova,)), **folders),
        WithExtras(NothingOnNode(), (), runs_hooks=True, base=folders["base"]),
    ]
    with shell_of(machine, LEAST) as shell:
        found = [verdict.code for mechanism in mechanisms for verdict in mechanism.check(shell)]
    assert Code.NODE_NO_PRIVILEGE not in found


def test_it_stages_by_commands_with_artefacts(machine: AccountsSshd) -> None:
    home = machine.home
    (home / "tool").write_text("of the bundle\n")
    artefact = Artefact(
        name="tool", source=str(home / "tool"), sha256=hashlib.sha256(b"of the bundle\n").hexdigest()
    )
    commands = CommandMechanism(
        version="true",
        activate="false",
        service="demo",
        stage=f'id -un >"{home}/staged by"; cat "$ESCALATOR_ARTEFACTS/tool" >>"{home}/staged by"',
    )
    jobs = f"{home}/jobs of least"
    on_node = WithExtras(
        CommandOnNode(commands, base=jobs, state=f"{home}/state"),
        [artefact],
        base=jobs,
        folder=f"{home}/artefacts",
    )
    job = make_job(lambda: shell_of(machine, LEAST), "stage", "1.0.0")
    assert on_node.stage(job) is Effect.STAGED
    assert (home / "staged by").read_text() == "root\nof the bundle\n"
