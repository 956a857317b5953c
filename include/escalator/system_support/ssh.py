"""A shell on a node over SSH: all commands as root, all waits bounded, errors by what the caller must do."""

from __future__ import annotations

import secrets
import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import paramiko

from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.command_line import ROOT, FramedOutput, FramedStream, write_command_line
from escalator.system_support.connecting import JumpHost, connect, describe_loss, find_words
from escalator.system_support.shell import PRIVILEGE, CommandResult
from escalator.system_support.target import SshTarget

_CHUNK = 1 << 15


class NodeShell:
    """One SSH connection to a node, as a context manager.

    :param through: the jump host that the node is behind; None: it is reached straight.
    """

    def __init__(self, target: SshTarget, *, through: JumpHost | None = None) -> None:
        self._target = target
        self._through = through
        self._client: paramiko.SSHClient | None = None

    @property
    def host(self) -> str:
        """Return the nova-compute service host of the node."""
        return self._target.host

    def __enter__(self) -> Self:
        """Connect.

        :raises TransientError: when the node cannot be reached now.
        :raises LoginRefusedError: when it refuses the log-in; that may be over in some minutes.
        :raises NodeFaultError: when its host key is unknown or changed, or no log-in can be tried.
        :raises InvalidRequestError: when the key cannot be read.
        """
        self._client = connect(self._target, through=self._through)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection; never fails."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a POSIX sh command as root, without input, and wait for its end.

        :param timeout_seconds: longest wait for the whole command; None means the target's own.
        :raises TransientError: when the connection is lost or the time is up; the command may still run.
        :raises NodeFaultError: when it does not begin: sudo refuses, or the login runs something else.
        """
        mark = secrets.token_hex(8)
        return self._run(command, mark, FramedOutput(mark), timeout_seconds)

    def stream_as_root(
        self, command: str, take: Callable[[bytes], None], timeout_seconds: float | None = None
    ) -> CommandResult:
        """Run a command as :meth:`run_as_root` does, and give its output piece by piece; the result has none.

        :param take: gets the bytes of stdout; what it raises ends the connection of the command. An OSError
            would be taken for one of the connection's.
        """
        mark = secrets.token_hex(8)
        return self._run(command, mark, FramedStream(mark, take), timeout_seconds)

    def _run(
        self, command: str, mark: str, stdout: FramedOutput | FramedStream, timeout_seconds: float | None
    ) -> CommandResult:
        limit = self._target.command_timeout_seconds if timeout_seconds is None else timeout_seconds
        target, stderr = self._target, FramedOutput(mark)
        line = write_command_line(command, user=target.user, password=target.password, mark=mark)
        try:
            with self._transport().open_session(timeout=limit) as channel:
                channel.exec_command(line.text)
                with suppress(OSError):  # a command that has ended already needed no password
                    channel.sendall(line.stdin.encode())
                channel.shutdown_write()
                code = _collect(channel, limit, target, (stdout, stderr))
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise describe_loss(target, f"connection lost: {find_words(exc)}") from exc
        result = CommandResult(exit_code=code, stdout=stdout.text, stderr=stderr.text)
        if not stdout.begun:
            raise _not_begun(target, result)
        return result

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport() if self._client is not None else None
        if transport is None or not transport.is_active():
            raise describe_loss(self._target, "not connected")
        return transport


def _not_begun(target: SshTarget, result: CommandResult) -> NodeFaultError:
    sudo = "" if target.user == ROOT else ", with sudo"
    lines = [line for line in result.stderr.splitlines() if "sudo" in line]  # among what the login prints
    said = lines[-1] if lines else result.last_words
    if target.password:  # a login that runs something else may give back what sudo was told
        said = said.replace(target.password, "***")
    return NodeFaultError(
        f"{target.name}: user {target.user} cannot run commands as root{sudo}: {said}",
        remedy=PRIVILEGE,
        code=Code.NODE_NO_PRIVILEGE,
    )


_Stream = FramedOutput | FramedStream


def _collect(
    channel: paramiko.Channel, limit: float, target: SshTarget, streams: tuple[_Stream, FramedOutput]
) -> int:
    """Read both streams until the command has ended; return its exit code."""
    deadline = time.monotonic() + limit
    channel.setblocking(0)
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while not _drain(channel, *streams):
            left = deadline - time.monotonic()
            if left <= 0:
                raise describe_loss(target, f"the command did not end within {limit:g} s")
            selector.select(left)
    channel.status_event.wait(max(0.0, deadline - time.monotonic()))
    code: int = channel.exit_status
    if code < 0:
        raise describe_loss(target, "the connection was lost before the command ended")
    return code


def _drain(channel: paramiko.Channel, stdout: _Stream, stderr: FramedOutput) -> bool:
    """Take what has arrived; tell whether the stream has ended and all of it was taken."""
    ended = bool(channel.eof_received or channel.closed)
    while channel.recv_ready():
        stdout.take(channel.recv(_CHUNK))
    while channel.recv_stderr_ready():
        stderr.take(channel.recv_stderr(_CHUNK))
    return ended
