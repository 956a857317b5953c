"""NodeShell where users are not root and logins print, against a real sshd and a real sudo."""

from __future__ import annotations

import time
from collections.abc import Iterator

import paramiko
import pytest
from tests.system_support.accounts import BARE, FREE, OPS, PASSWORD, AccountsSshd, find_lacking
from tests.system_support.mechanisms.test_venv import MECHANISM

from escalator.model.errors import LoginRefusedError, NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.remote_job import JobState
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
    base = f"{machine.home}/jobs"
    with shell_of(machine, OPS, PASSWORD) as shell:
        assert remote_job.start(shell, "job", "id -un; sleep 0.3; echo end", base=base)
        assert remote_job.read_state(shell, "job", base=base).state is JobState.RUNNING
    with shell_of(machine, OPS, PASSWORD) as shell:
        while (status := remote_job.read_state(shell, "job", base=base)).state is JobState.RUNNING:
            pass
        assert status.output == "root\nend\n"
