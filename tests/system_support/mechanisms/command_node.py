"""A node whose operator brings versions by commands of their own, under a tiny systemctl."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.model.bundle import CommandMechanism
from escalator.system_support.mechanisms.command import CommandOnNode

if TYPE_CHECKING:
    from tests.system_support.conftest import Sshd

SYSTEMCTL = """\
#!/bin/sh
# Three verbs for one service: a process that has the version that was installed when it began.
verb=$1; cd @STATE@
alive() { pid=$(cat unit.pid 2>/dev/null) && [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; }
case $verb in
restart)
  alive && kill -9 $pid
  echo restart >>unit.log
  [ ! -e unit.broken ] || exit 1
  cp installed running
  setsid sleep 600 </dev/null >/dev/null 2>&1 &
  echo $! >unit.pid ;;
show) alive && echo MainPID=$pid || echo MainPID=0 ;;
is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
*) exit 2 ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class CommandNode:
    """The node; its folder has ``releases/<version>``, which is where versions come from."""

    sshd: Sshd
    folder: Path

    def commands(self, **changes: object) -> CommandMechanism:
        folder = shlex.quote(str(self.folder))
        mechanism = CommandMechanism(
            version=f"cat {folder}/running 2>/dev/null || true",
            source=f'test -e {folder}/releases/"$ESCALATOR_VERSION"',
            stage=f'cd {folder}\ncp releases/"$ESCALATOR_VERSION" staged/\necho stage >>calls',
            activate=f'cd {folder}\necho activate >>calls\ncp staged/"$ESCALATOR_VERSION" installed\n'
            'systemctl restart "$ESCALATOR_SERVICE"',
            rollback=f'cd {folder}\necho rollback >>calls\ncp staged/"$ESCALATOR_PREVIOUS" installed\n'
            'systemctl restart "$ESCALATOR_SERVICE"',
            service="demo",
            stage_seconds=20.0,
            activate_seconds=20.0,
            version_seconds=20.0,
        )
        return replace(mechanism, **changes)  # type: ignore[arg-type]

    def on_node(self, **changes: object) -> CommandOnNode:
        """What works on the node, with folders of the test's own."""
        base, state = str(self.folder / "jobs"), str(self.folder / "state")
        return CommandOnNode(self.commands(**changes), base=base, state=state)

    def calls(self) -> list[str]:
        log = self.folder / "calls"
        return log.read_text().split() if log.exists() else []

    def restarts(self) -> int:
        log = self.folder / "unit.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def break_service(self) -> None:
        """From now on the service does not start."""
        (self.folder / "unit.broken").touch()

    def mend_service(self) -> None:
        (self.folder / "unit.broken").unlink()

    def lose_previous(self) -> None:
        """Take away the records of what was brought."""
        shutil.rmtree(self.folder / "state")

    def end(self) -> None:
        """End the service's process."""
        done = subprocess.run(
            [str(self.sshd.home / "bin/systemctl"), "show", "demo"],
            capture_output=True,
            text=True,
            check=False,
        )
        pid = done.stdout.strip().removeprefix("MainPID=")
        if pid not in {"", "0"}:
            os.kill(int(pid), signal.SIGKILL)


def make_command_node(sshd: Sshd, tmp_path: Path) -> CommandNode:
    folder = tmp_path / "it's a node"
    for name in ("releases", "staged"):
        (folder / name).mkdir(parents=True)
    for version in ("1.0.0", "2.0.0"):
        (folder / "releases" / version).write_text(f"{version}\n")
    program = sshd.home / "bin" / "systemctl"
    program.write_text(SYSTEMCTL.replace("@STATE@", shlex.quote(str(folder))))
    program.chmod(0o755)
    return CommandNode(sshd=sshd, folder=folder)
