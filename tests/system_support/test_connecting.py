"""Jump hosts, host certificates and refusals, against real sshds."""

from __future__ import annotations

import logging
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.conftest import Sshd, make_key

from escalator.model.errors import EscalatorError, LoginRefusedError, NodeFaultError, TransientError
from escalator.system_support import connecting
from escalator.system_support.connecting import JumpHost
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget

if TYPE_CHECKING:
    from collections.abc import Callable


def failure(target: SshTarget, through: JumpHost | None = None) -> EscalatorError:
    with pytest.raises(EscalatorError) as caught, NodeShell(target, through=through):
        pytest.fail("connected")
    return caught.value


def jump_of(sshd: Sshd, **changes: object) -> JumpHost:
    return JumpHost(sshd.target(host="bastion", role="jump host", **changes))


def count_logins(server: Sshd) -> int:
    return (server.home / "sshd.log").read_text().count("Accepted publickey")


def test_many_nodes_are_reached_through_one_login_at_the_jump_host(sshd: Sshd, own_sshd: Sshd) -> None:
    jump, before, said = jump_of(sshd), count_logins(sshd), []

    def ask() -> None:
        with NodeShell(own_sshd.target(), through=jump) as shell:
            said.append(shell.run_as_root("echo here").stdout)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["here\n"] * 4
    assert (count_logins(sshd) - before, count_logins(own_sshd)) == (1, 4)


def test_a_jump_host_that_was_away_is_connected_to_anew(
    sshd: Sshd, own_sshd: Sshd, cut: Callable[[NodeShell], None]
) -> None:
    jump = jump_of(own_sshd)
    with NodeShell(sshd.target(), through=jump) as shell:
        assert shell.run_as_root("true").ok
        found = jump._client
        assert found is not None
        found.close()
        with pytest.raises(TransientError):
            shell.run_as_root("true", 5)
    with NodeShell(sshd.target(), through=jump) as shell:
        cut(shell)


def test_a_node_that_the_jump_host_does_not_reach_is_transient(sshd: Sshd, own_sshd: Sshd) -> None:
    target = own_sshd.target()
    own_sshd.stop()
    error = failure(target, jump_of(sshd))
    assert isinstance(error, TransientError)
    assert "node node-01: the jump host bastion does not get to 127.0.0.1 port" in error.message


def test_a_jump_host_that_forwards_nothing_is_named(sshd: Sshd, own_sshd: Sshd) -> None:
    own_sshd.stop()
    own_sshd.options["AllowTcpForwarding"] = "no"
    own_sshd.start()
    error = failure(sshd.target(), jump_of(own_sshd))
    assert isinstance(error, NodeFaultError)
    assert "the jump host bastion lets nobody through" in error.message
    assert "TCP forwarding" in str(error.remedy)


def test_many_nodes_behind_a_jump_host_that_is_away_do_not_wait_one_after_the_other(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[SshTarget] = []

    def refuse(target: SshTarget) -> None:
        tried.append(target)
        raise LoginRefusedError("jump host bastion: SSH refuses user ops", remedy="correct it")

    monkeypatch.setattr(connecting, "connect", refuse)
    jump = jump_of(sshd)
    for _ in range(100):
        with pytest.raises(LoginRefusedError, match="SSH refuses user ops -> correct it"):
            jump.open_channel(sshd.target())
    assert len(tried) == 1
    monkeypatch.setattr(connecting, "_SAME_FAILURE_SECONDS", 0)
    with pytest.raises(LoginRefusedError):
        jump.open_channel(sshd.target())
    assert len(tried) == 2


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"known_hosts": Path("/nonexistent")}, NodeFaultError, "jump host bastion: no host key is known"),
        ({"key_file": "host_key"}, LoginRefusedError, "jump host bastion: SSH refuses user"),
        ({"port": 1}, TransientError, "jump host bastion: no SSH connection"),
    ],
)
def test_a_jump_host_is_judged_like_a_node(
    sshd: Sshd, own_sshd: Sshd, changes: dict[str, object], kind: type[EscalatorError], said: str
) -> None:
    if "key_file" in changes:
        changes = {"key_file": sshd.home / str(changes["key_file"])}
    error = failure(own_sshd.target(), jump_of(sshd, **changes))
    assert isinstance(error, kind)
    assert said in error.message


def test_a_node_behind_a_jump_host_proves_itself(sshd: Sshd, own_sshd: Sshd) -> None:
    error = failure(own_sshd.target(known_hosts=sshd.home / "known_hosts"), jump_of(sshd))
    assert "node node-01: no host key is known" in error.message


def test_a_log_in_that_is_refused_may_be_tried_again_and_one_that_cannot_be_tried_may_not(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = failure(sshd.target(key_file=sshd.home / "host_key"))
    assert isinstance(refused, LoginRefusedError)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for hopeless in (sshd.target(key_file=None), sshd.target(key_file=None, password="not taken there")):
        error = failure(hopeless)
        assert isinstance(error, NodeFaultError)
        assert not isinstance(error, LoginRefusedError)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_ssh_is_one_line_and_no_traceback(
    sshd: Sshd, caplog: pytest.LogCaptureFixture, greeting: bytes
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def answer() -> None:
            with closing(server.accept()[0]) as connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        logging.getLogger("escalator.system_support.connecting.paramiko").disabled = False
        with caplog.at_level(logging.DEBUG):
            error = failure(sshd.target(port=server.getsockname()[1]))
        thread.join()
    assert isinstance(error, TransientError)
    assert "\n" not in error.message
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """An sshd whose host key is signed by an authority ``ca``, for a name and a time."""
    server = Sshd(home=tmp_path)
    server.prepare()
    authority = make_key(tmp_path / "ca")

    def start(*, principals: str = "127.0.0.1,node-01", valid: str = "always:forever") -> Sshd:
        subprocess.run(
            [
                "ssh-keygen",
                "-q",
                "-s",
                authority,
                "-hI",
                "node",
                "-n",
                principals,
                "-V",
                valid,
                "host_key.pub",
            ],
            check=True,
            cwd=tmp_path,
        )
        server.options = {"HostCertificate": str(tmp_path / "host_key-cert.pub")}
        server.start()
        return server

    yield start
    server.stop()


def trust(server: Sshd, patterns: str, key: str = "ca", *, more: str = "") -> SshTarget:
    public = " ".join((server.home / f"{key}.pub").read_text().split()[:2])
    path = server.home / "authorities"
    path.write_text(f"# ours\n@cert-authority {patterns} {public} comment\n{more}")
    return server.target(known_hosts=path)


@pytest.mark.parametrize("patterns", ["node-*", "10.0.0.1,127.0.0.?", "[127.0.0.1]:*", "*,!node-02"])
def test_a_certificate_of_a_known_authority_proves_a_node(
    certified: Callable[..., Sshd], patterns: str
) -> None:
    with NodeShell(trust(certified(), patterns)) as shell:
        assert shell.run_as_root("true").ok


def test_an_authority_is_for_its_names_and_does_not_stand_for_a_key(certified: Callable[..., Sshd]) -> None:
    server = certified()
    assert "is signed by another authority" in failure(trust(server, "*", "user_key")).message
    assert "no host key is known" in failure(trust(server, "*.example.com")).message
    assert "no host key is known" in failure(trust(server, "*,!node-01")).message
    revoked = " ".join((server.home / "host_key.pub").read_text().split()[:2])
    assert "is revoked" in failure(trust(server, "*", more=f"@revoked * {revoked}\n")).message


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"principals": "node-02,node-03"}, "it is for node-02, node-03, not for 127.0.0.1 or node-01"),
        ({"valid": "20200101:20200102"}, "it is valid from 2020-01-01"),
    ],
)
def test_a_certificate_for_another_host_or_time_proves_nothing(
    certified: Callable[..., Sshd], limits: dict[str, str], said: str
) -> None:
    error = failure(trust(certified(**limits), "*"))
    assert isinstance(error, NodeFaultError)
    assert said in error.message


def test_a_known_key_is_enough_where_the_certificate_is_not(certified: Callable[..., Sshd]) -> None:
    server = certified(valid="20200101:20200102")
    known = (server.home / "known_hosts").read_text()
    with NodeShell(trust(server, "*", more=known)) as shell:
        assert shell.run_as_root("true").ok
