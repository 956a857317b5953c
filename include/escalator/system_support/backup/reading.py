"""Reads a node for its backup: one command, whose text is understood and whose archive is passed on."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.backup.contents import BackupWish
from escalator.system_support.backup.script import ARCHIVE, write_backup_script
from escalator.system_support.backup.told import NodeTold, parse_told
from escalator.system_support.shell import StreamingShell

SECONDS = 300.0
"""How long the whole command may take; it is given up then."""
MOST_BYTES = 1 << 30
"""An archive that is larger holds what nobody meant."""
_MOST_TEXT = 1 << 24
_CHANGED = 1
"""tar's exit code where a file changed, or went, while it was read."""


@dataclass(slots=True)
class _Parts:
    """Parts the stream of a node: the text is kept, the archive is passed on."""

    mark: bytes
    host: str
    pass_on: Callable[[bytes], None]
    text: bytearray = field(default_factory=bytearray)
    in_archive: bool = False
    size: int = 0

    def take(self, chunk: bytes) -> None:
        if not self.in_archive:
            self.text += chunk
            at = self.text.find(self.mark)
            if at < 0:
                if len(self.text) > _MOST_TEXT:
                    raise _make_fault(self.host, "it tells more than a backup can hold")
                return
            chunk = bytes(self.text[at + len(self.mark) :])
            del self.text[at:]
            self.in_archive = True
        self.size += len(chunk)
        if self.size > MOST_BYTES:
            raise _make_fault(self.host, f"its archive has more than {MOST_BYTES >> 20} MiB")
        if chunk:
            self.pass_on(chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGave:
    """What a node told, and what tar said of files that changed while they were read."""

    told: NodeTold
    warnings: tuple[str, ...] = ()


def read_node(
    shell: StreamingShell, wish: BackupWish, pass_on: Callable[[bytes], None], *, root: str = ""
) -> NodeGave:
    """Read what a node has, and pass its files on as a ``tar.gz``. Nothing is written on the node.

    :param pass_on: gets the archive piece by piece.
    :param root: where files are looked for, in place of ``/``.
    :raises TransientError: the node cannot be reached, or the connection is lost.
    :raises NodeFaultError: it cannot give them.
    """
    mark = secrets.token_hex(8)
    parts = _Parts(f"{ARCHIVE}\t{mark}\n".encode(), shell.host, pass_on)
    ended = shell.stream_as_root(write_backup_script(wish, mark, root=root), parts.take, SECONDS)
    if ended.exit_code not in {0, _CHANGED} or not parts.in_archive:
        raise _make_fault(shell.host, f"tar ended with exit code {ended.exit_code}: {ended.last_words}")
    lines = ended.stderr.splitlines() if ended.exit_code == _CHANGED else []
    told = parse_told(parts.text.decode(errors="replace"))
    return NodeGave(told=told, warnings=tuple(line for line in lines if line.startswith("tar:")))


def _make_fault(host: str, why: str) -> NodeFaultError:
    return NodeFaultError(
        f"node {host} cannot be saved: {why}",
        remedy="see ESCALATOR_BACKUP_PATHS, and whether the node has GNU tar and gzip; "
        "then clear the node's admit with downstream",
        code=Code.BACKUP_FAILED,
    )
