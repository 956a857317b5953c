"""The power supply of one machine: ``power_loop.py MACHINE.json``; standard library only.

Runs as process 1 of its own pid and mount namespaces. It mounts the machine's disk, boots the machine, and
boots it again whenever it asks for a reboot. When this process ends, the kernel ends the machine and takes
its mounts away: nothing is left behind, however it ended.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

REBOOT = 133
"""What systemd-nspawn ends with when its machine has asked for a reboot."""
PRIVATE = Path("/run/systemd/nspawn")


def main(machine_file: str) -> int:
    """Boot the machine until it is switched off; return what systemd-nspawn ended with."""
    machine = json.loads(Path(machine_file).read_text())
    PRIVATE.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "tmpfs", str(PRIVATE))  # what nspawn leaves there goes with the machine
    _mount("-t", "overlay", "overlay", "-o", machine["overlay"], machine["root"])
    stays_off = Path(machine["stays_off"])
    while (ended := _run(machine["command"])) == REBOOT:
        if stays_off.exists():
            stays_off.unlink()
            return ended
    return ended


def _run(command: list[str]) -> int:
    """Run a command, bury whatever the kernel hands to process 1 meanwhile, and return its exit code."""
    process = subprocess.Popen(command)
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
