"""The contract of NodeShell, against a real sshd."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.conftest import FIND_SSHD

from escalator.model.errors import EscalatorError, InvalidRequestError, NodeFaultError, TransientError
from escalator.model.verdict import Code
from escalator.system_support.command_line import MAX_OUTPUT_BYTES
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget

if TYPE_CHECKING:
    from tests.system_support.conftest import Sshd


def failure(target: SshTarget) -> EscalatorError:
    with pytest.raises(EscalatorError) as caught, NodeShell(target):
        pytest.fail("connected")
    return caught.value


def test_a_command_gives_code_and_both_streams(sshd: Sshd) -> None:
    with sshd.shell() as shell:
        result = shell.run_as_root("echo out; echo err >&2; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert not result.ok
    assert result.last_words == "err"


def test_much_output_on_both_streams_does_not_block_and_is_bounded(sshd: Sshd) -> None:
    command = "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2"
    with sshd.shell() as shell:
        result = shell.run_as_root(command)
    assert result.ok
    assert len(result.stdout) == len(result.stderr) == MAX_OUTPUT_BYTES


def test_a_command_that_takes_too_long_is_transient_and_the_connection_stays(sshd: Sshd) -> None:
    with sshd.shell() as shell:
        began = time.monotonic()
        with pytest.raises(TransientError, match=r"did not end within 0\.3 s"):
            shell.run_as_root("sleep 20", 0.3)
        assert time.monotonic() - began < 3
        assert shell.run_as_root("echo still").stdout == "still\n"


def test_a_command_reads_no_input(sshd: Sshd) -> None:
    with sshd.shell() as shell:
        assert shell.run_as_root("cat; echo end", 5).stdout == "end\n"


def test_a_connection_killed_in_mid_command_is_transient(sshd: Sshd) -> None:
    with sshd.shell() as shell, pytest.raises(TransientError, match="lost"):
        shell.run_as_root(f"{FIND_SSHD}; kill -9 $sshd; sleep 5", 10)


def test_a_connection_killed_between_commands_is_transient(
    sshd: Sshd, cut: Callable[[NodeShell], None]
) -> None:
    with sshd.shell() as shell:
        cut(shell)
        with pytest.raises(TransientError):
            shell.run_as_root("true", 5)


def test_a_closed_shell_is_not_connected(sshd: Sshd) -> None:
    shell = sshd.shell()
    with shell:
        assert shell.run_as_root("true").ok
    with pytest.raises(TransientError, match="not connected"):
        shell.run_as_root("true")


def test_nobody_listening_is_transient(own_sshd: Sshd) -> None:
    target = own_sshd.target()
    own_sshd.stop()
    error = failure(target)
    assert isinstance(error, TransientError)
    assert "node-01" in error.message


def test_a_host_key_that_changed_is_the_nodes_fault(own_sshd: Sshd, tmp_path: Path) -> None:
    own_sshd.stop()
    for name in ("host_key", "host_key.pub"):
        (tmp_path / name).unlink()
    known = (tmp_path / "known_hosts").read_text()
    for name in ("user_key", "user_key.pub"):
        (tmp_path / name).rename(tmp_path / name.replace("user", "host"))
    own_sshd.start()
    error = failure(own_sshd.target(key_file=None, private_key=None, password="unused"))
    assert isinstance(error, NodeFaultError)
    assert "is not the known one" in error.message
    assert error.remedy is not None
    assert (tmp_path / "known_hosts").read_text() == known


def test_an_unknown_host_key_is_refused_and_not_recorded(sshd: Sshd, tmp_path: Path) -> None:
    error = failure(sshd.target(known_hosts=tmp_path / "none"))
    assert isinstance(error, NodeFaultError)
    assert "no host key is known" in error.message
    assert "SHA256:" in error.message
    assert not (tmp_path / "none").exists()


def test_known_hosts_may_name_the_host_instead_of_the_address(sshd: Sshd, tmp_path: Path) -> None:
    text = (sshd.home / "known_hosts").read_text().replace("[127.0.0.1]", "[node-01]")
    (tmp_path / "by_name").write_text(text)
    with NodeShell(sshd.target(known_hosts=tmp_path / "by_name")) as shell:
        assert shell.run_as_root("true").ok


def test_a_node_installed_anew_may_have_the_line_of_its_old_key_too(sshd: Sshd, tmp_path: Path) -> None:
    """As with OpenSSH, any of the keys that stand there proves it: a scan adds the new one at the end."""
    good = (sshd.home / "known_hosts").read_text()
    old = (sshd.home / "user_key.pub").read_text().split()[:2]
    (tmp_path / "both").write_text(f"{good.split()[0]} {' '.join(old)}\n{good}")
    with NodeShell(sshd.target(known_hosts=tmp_path / "both")) as shell:
        assert shell.run_as_root("true").ok


def test_a_login_that_gives_its_input_back_tells_no_password(own_sshd: Sshd) -> None:
    own_sshd.stop()
    own_sshd.options["ForceCommand"] = "cat; exit 1"
    own_sshd.start()
    password = "a test's"
    with NodeShell(own_sshd.target(password=password)) as shell:
        shell._target = replace(shell._target, user="ops")  # once logged in, what sudo is told is written
        with pytest.raises(NodeFaultError) as caught:
            shell.run_as_root("true")
    assert caught.value.code is Code.NODE_NO_PRIVILEGE
    assert password not in str(caught.value)


@pytest.mark.parametrize("words", [slice(0, 2), slice(1, 2)], ids=["type and key", "key alone"])
def test_a_host_key_of_the_connection_is_enough(sshd: Sshd, tmp_path: Path, words: slice) -> None:
    text = " ".join((sshd.home / "host_key.pub").read_text().split()[words])
    with NodeShell(sshd.target(known_hosts=tmp_path / "none", host_key=text)) as shell:
        assert shell.run_as_root("true").ok


def test_another_host_key_of_the_connection_wins_over_known_hosts(sshd: Sshd) -> None:
    other = (sshd.home / "user_key.pub").read_text()
    error = failure(sshd.target(host_key=other))
    assert isinstance(error, NodeFaultError)
    assert "is not the known one" in error.message


@pytest.mark.parametrize("text", ["ssh-ed25519", "ssh-ed25519 ????", "AAAA"])
def test_a_host_key_that_is_none_is_refused(sshd: Sshd, text: str) -> None:
    assert isinstance(failure(sshd.target(host_key=text)), InvalidRequestError)


def test_a_private_key_as_text_works(sshd: Sshd) -> None:
    key = (sshd.home / "user_key").read_text()
    with NodeShell(sshd.target(key_file=None, private_key=key)) as shell:
        assert shell.run_as_root("true").ok


def test_a_key_that_the_node_does_not_know_is_the_nodes_fault(sshd: Sshd) -> None:
    error = failure(sshd.target(key_file=sshd.home / "host_key"))
    assert isinstance(error, NodeFaultError)
    assert "authorized_keys" in str(error.remedy)


def test_no_key_at_all_is_the_nodes_fault(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    error = failure(sshd.target(key_file=None))
    assert isinstance(error, NodeFaultError)
    assert error.remedy is not None


@pytest.mark.parametrize("changes", [{"key_file": Path("/nonexistent/key")}, {"private_key": "no key"}])
def test_an_unreadable_key_is_refused_without_showing_it(sshd: Sshd, changes: dict[str, object]) -> None:
    error = failure(sshd.target(**({"key_file": None} | changes)))
    assert isinstance(error, InvalidRequestError)
    assert "no key" not in str(error)
