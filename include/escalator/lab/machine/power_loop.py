"""The power supply of one machine: ``power_loop.py MACHINE.json``; standard library only.

Runs as process 1 of its own pid and mount namespaces. It mounts the machine's disk, plugs its cables in,
boots the machine, and boots it again whenever it asks for a reboot. When this process ends, the kernel ends
the machine and takes its mounts, its network and its cables away: nothing is left, however it ended.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

REBOOT = 133
"""What systemd-nspawn ends with when its machine has asked for a reboot."""
PRIVATE = Path("/run/systemd/nspawn")
NETWORK = PRIVATE / "escalator-lab-network"
"""The network of a machine with cables; one without is in the computer's own."""


def main(machine_file: str) -> int:
    """Boot the machine until it is switched off; return what systemd-nspawn ended with."""
    machine = json.loads(Path(machine_file).read_text())
    PRIVATE.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "tmpfs", str(PRIVATE))  # what nspawn leaves there goes with the machine
    _mount("-t", "overlay", "overlay", "-o", machine["overlay"], machine["root"])
    stays_off = Path(machine["stays_off"])
    while True:
        _plug_in(machine["cables"])
        ended = _run(machine["command"])
        if ended != REBOOT:
            return ended
        if stays_off.exists():
            stays_off.unlink()
            return ended


def _plug_in(cables: list[dict[str, str]]) -> None:
    """Make a network for one boot; that of the last one goes, with whatever the machine had made there.

    The kernel takes a network away some time after its last user, and its cables' names are taken until then.
    """
    if not cables:
        return
    for cable in cables:
        subprocess.run(["ip", "link", "delete", cable["outside"]], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["umount", str(NETWORK)], stderr=subprocess.DEVNULL, check=False)
    NETWORK.touch()
    subprocess.run(["unshare", f"--net={NETWORK}", "ip", "link", "set", "lo", "up"], check=True)
    for cable in cables:
        mac = ("address", cable["mac"]) if cable["mac"] else ()
        inside = ("name", cable["inside"], *mac, "netns", str(NETWORK))
        _ip("link", "add", cable["outside"], "type", "veth", "peer", *inside)
        _ip("link", "set", cable["outside"], "master", cable["bridge"], "up")
        if cable["address"]:
            _ip("address", "add", cable["address"], "dev", cable["inside"], inside=True)
        _ip("link", "set", cable["inside"], "up", inside=True)


def _ip(*arguments: str, inside: bool = False) -> None:
    where = ("nsenter", f"--net={NETWORK}") if inside else ()
    subprocess.run([*where, "ip", *arguments], check=True)


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
