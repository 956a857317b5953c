"""The read-only layers of the machines' disks: Debian, and what is installed on top of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.debian_packages import ServicesHeldBack
from escalator.lab.errors import LabError
from escalator.lab.pins import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from escalator.lab.progress import Progress

SUITE = "bookworm"
ROOT_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "apt", "ca-certificates"),
    *("iproute2", "iputils-ping", "sudo", "rsync", "adduser"),
)
ROOT_KEY = digest(SUITE, *ROOT_PACKAGES)
_ROOT = f"rootfs-{SUITE}-{ROOT_KEY}"
_MASKED = (
    *("getty.target", "console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer"),
    *("dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "systemd-timesyncd.service"),
    *("systemd-networkd-wait-online.service", "systemd-resolved.service"),
)
BASE = f"""
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/escalator-lab
cd /etc/apt/apt.conf.d
printf '%s\\n' 'APT::Install-Recommends "0";' 'Acquire::Languages "none";' >90escalator-lab
systemctl --quiet mask {" ".join(_MASKED)}
rm -f /etc/ssh/ssh_host_* /etc/machine-id
ln -sf /proc/mounts /etc/mtab
useradd --create-home --shell /bin/bash escalator
apt-get clean
rm -rf /var/lib/apt/lists/*
"""
"""What every machine has: dpkg that does not sync, as disks may be lost; nothing runs that no node needs."""

_INSIDE = """
mount -t overlay overlay -o "$1" "$2"; at=$2; shift 2
mount -t proc proc "$at/proc"
mount --rbind /dev "$at/dev"
mount -t tmpfs tmpfs "$at/run"
[ ! -f "$at/etc/resolv.conf" ] || mount --bind /etc/resolv.conf "$at/etc/resolv.conf"
while [ "$1" != -- ]; do mkdir -p "$at$2"; mount --bind "$1" "$at$2"; shift 2; done
shift
exec chroot "$at" "$@"
"""
_ENCLOSED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where Debian has its programs, for whatever runs in a machine or on its disk."""
_ENVIRONMENT = {
    "PATH": PATH,
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
}

_KEPT = timedelta(days=1)
"""How long a layer stays that nobody asks for: another lab may be about to boot on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a layer is made of.

    :param name: of the layer.
    :param script: run as root in it, by sh.
    :param below: the layer under it; None for the one on the root file system.
    :param binds: folder of this computer -> where the script sees it.
    :param inputs: what else the layer depends on; when it changes, the layer is made anew.
    """

    name: str
    script: str
    below: Recipe | None = None
    binds: Mapping[Path, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return a name that changes with whatever the layer is made of."""
        under = self.below.key if self.below is not None else ROOT_KEY
        return f"{self.name}-{digest(under, self.script, *self.inputs)}"


BASE_RECIPE = Recipe(name="base", script=BASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The layers that were made, and the making of those that are lacking.

    :param folder: holds them.
    :param progress: told about each step that takes time.
    """

    folder: Path
    progress: Progress

    def ensure(self, recipe: Recipe) -> tuple[Path, ...]:
        """Make a layer and all below it, where they are lacking.

        :return: the layers, the uppermost first, the root file system last.
        :raises LabError: when one cannot be made.
        """
        below = self.ensure(recipe.below) if recipe.below is not None else (self.ensure_root(),)
        layer = self.folder / recipe.key
        if not layer.exists():
            self.progress.say(f"making the layer {recipe.name} of the machines' disks")
            draft = make_draft(layer)
            policy = draft / "usr" / "sbin" / "policy-rc.d"
            policy.parent.mkdir(parents=True)
            with ServicesHeldBack(policy):
                run_inside(below, upper=draft, script=recipe.script, binds=recipe.binds)
            draft.rename(layer)
        self._mark(layer)
        return (layer, *below)

    def find(self, recipe: Recipe) -> tuple[Path, ...]:
        """Return the layers of a recipe, the uppermost first; none where one of them has to be made."""
        names: list[str] = []
        each: Recipe | None = recipe
        while each is not None:
            names.append(each.key)
            each = each.below
        layers = tuple(self.folder / name for name in (*names, _ROOT))
        if not all(layer.exists() for layer in layers):
            return ()
        for layer in layers:
            self._mark(layer)
        return layers

    def ensure_root(self) -> Path:
        """Make the root file system where it is lacking, and return it.

        :raises LabError: when it cannot be made.
        """
        root = self.folder / _ROOT
        if not root.exists():
            self.progress.say("making the root file system of the machines (about a minute)")
            draft = make_draft(root)
            _run(
                ["mmdebstrap", "--variant=minbase", f"--include={','.join(ROOT_PACKAGES)}", SUITE, str(draft)]
            )
            draft.rename(root)
        self._mark(root)
        return root

    @staticmethod
    def _mark(layer: Path) -> None:
        """Note that a layer was asked for: the layer itself may be under a running machine."""
        _mark_of(layer).touch()


def prune(folder: Path, *, is_used: Callable[[str], bool], now: datetime) -> tuple[str, ...]:
    """Remove from a folder what nobody asked for in a day and no machine has, and what was left half-made.

    Nobody may be making anything there meanwhile.

    :param folder: of layers, or of others that are named by what they are made of.
    :param is_used: tells by a name whether a machine has it.
    :return: the names of those that were removed.
    """
    for left in folder.glob("*.part*"):
        shutil.rmtree(left)
    removed = []
    for each in sorted(path for path in folder.glob("*") if path.is_dir()):
        mark = _mark_of(each)
        asked = datetime.fromtimestamp((mark if mark.exists() else each).stat().st_mtime, UTC)
        if now - asked > _KEPT and not is_used(each.name):
            gone = make_draft(each) / "gone"  # out of the way in one step, whenever this is killed
            each.rename(gone)
            shutil.rmtree(gone.parent)
            mark.unlink(missing_ok=True)
            removed.append(each.name)
    return tuple(removed)


def _mark_of(layer: Path) -> Path:
    return layer.with_name(f"{layer.name}.asked")


def run_inside(
    layers: tuple[Path, ...], *, upper: Path, script: str, binds: Mapping[Path, str] | None = None
) -> None:
    """Run a script as root on a disk of layers; what it writes goes to ``upper``.

    The mounts are in a namespace of its own: they go when it ends, however it ends.

    :param layers: the uppermost first.
    :param binds: folder of this computer -> where the script sees it.
    :raises LabError: when the script fails.
    """
    work, at = upper.with_name(f"{upper.name}.work"), upper.with_name(f"{upper.name}.at")
    for folder in (upper, work, at):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={':'.join(map(str, layers))},upperdir={upper},workdir={work}"
    pairs = [str(side) for pair in (binds or {}).items() for side in pair]
    try:
        _run(["sh", "-euc", _INSIDE, "sh", options, str(at), *pairs, "--", "sh", "-euc", script])
    finally:
        shutil.rmtree(work, ignore_errors=True)
        at.rmdir()


def make_draft(final: Path) -> Path:
    """Return an empty folder beside the final one, to be given its name when it is complete."""
    draft = final.with_name(f"{final.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def _run(command: list[str]) -> None:
    """Run a command in namespaces of its own: when it, or this process, is killed, nothing of it goes on."""
    done = subprocess.run(
        [*_ENCLOSED, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**{key: value for key, value in os.environ.items() if _is_kept(key)}, **_ENVIRONMENT},
    )
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"{command[0]} failed with {done.returncode}: {last}", "see the message above")


def _is_kept(variable: str) -> bool:
    """Tell whether a variable says how the network is reached; all others are of this computer only."""
    return variable.lower().endswith("_proxy") or variable.startswith(("SSL_CERT_", "UV_"))
