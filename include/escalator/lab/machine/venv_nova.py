"""nova-compute by a link to a virtual environment, for machines that are upgraded by the mechanism ``venv``.

An environment has links into the package cache of the lab, which machines see under its own path: so it is
made in seconds, without a network. Its bytecode is in a cache that machines share, too.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.install import PACKAGE as LAB
from escalator.lab.machine.layers import BASE_RECIPE, Recipe
from escalator.lab.machine.nova_on_disk import UNIT
from escalator.lab.machine.package import CERTIFICATES
from escalator.lab.machine.package_files import CONFIGURATION, DRIVER, HYPERVISORS, VENV

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from escalator.lab.machine.machine import Machine
    from escalator.lab.settings import LabSettings

FOLDER, LINK = VENV.rsplit("/", 1)
_UV = "/mnt/uv"

_UNIT = f"""\
[Unit]
Description=OpenStack Nova compute, of the release that {VENV} points to
StartLimitIntervalSec=0

[Service]
Environment=PYTHONWARNINGS=ignore ESCALATOR_LAB_HYPERVISORS={HYPERVISORS} PYTHONPYCACHEPREFIX=@PYCACHE@
ExecStart=/bin/sh -c 'exec "$$(readlink -f {VENV})/bin/python" {DRIVER}/nova_compute.py \\
  --config-file /etc/nova/nova.conf --config-file {CONFIGURATION}'
TimeoutStopSec=15
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""
"""The link is resolved first, so that every release finds its bytecode under a path of its own."""

_LAYER = f"""\
install -m 755 {_UV}/uv /usr/local/bin/uv
mkdir -p {FOLDER} /var/lib/nova /var/log/nova /etc/nova
uv venv -q {VENV}-@RELEASE@
install="uv pip install -q -p {VENV}-@RELEASE@ nova==@RELEASE@"
UV_OFFLINE=1 $install 2>/dev/null || $install
ln -s {LINK}-@RELEASE@ {VENV}
python3 -m compileall -q -j2 {VENV}-@RELEASE@/lib || true
cat >/etc/systemd/system/{UNIT}.service <<'END'
{_UNIT}END
systemctl --quiet enable {UNIT}
"""
"""Some packages hold code for other Pythons, which cannot be compiled."""

_RESTORE = f"""
cd {FOLDER}
[ -d {LINK}-"$1" ] || exit 0
was=$(readlink {LINK})
for entry in $(ls -A); do
    case $entry in {LINK}-"$1"|{LINK}) ;; *) rm -rf "$entry" ;; esac
done
[ "$was" = {LINK}-"$1" ] || ln -sfn {LINK}-"$1" {LINK}
echo "$was"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvNova:
    """nova-compute of a virtual environment.

    :param settings: of the lab, whose caches the machine uses.
    """

    settings: LabSettings

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the variables that make installing and starting Nova quick: shared, warm caches."""
        return {
            "UV_CACHE_DIR": str(self.settings.uv_cache),
            "UV_LINK_MODE": "symlink",
            "UV_PYTHON": "/usr/bin/python3",
            "PYTHONPYCACHEPREFIX": str(self.settings.pycache),
        }

    @property
    def texts(self) -> Mapping[str, str]:
        """Return the driver's line, and what sessions over SSH have in their environment."""
        words = " ".join(f'"{key}={value}"' for key, value in self._offline.items())
        return {
            CONFIGURATION.lstrip("/"): "[DEFAULT]\ncompute_driver = lab.driver.LabDriver\n",
            "etc/ssh/sshd_config.d/escalator-lab-caches.conf": f"SetEnv {words}\n",
        }

    @property
    def binds(self) -> Mapping[Path, str]:
        """Return the caches, under the very paths that they have on this computer."""
        return {cache: str(cache) for cache in (self.settings.uv_cache, self.settings.pycache)}

    @property
    def shown(self) -> Mapping[Path, str]:
        """Return the driver."""
        return {LAB / "virt": DRIVER}

    def make_recipe(self, release: str) -> Recipe:
        """Return what the layer of a release is made of; the lab's uv is in it."""
        with self.settings.uv.open("rb") as program:
            uv = hashlib.file_digest(program, "sha256").hexdigest()
        script = _LAYER.replace("@RELEASE@", release).replace("@PYCACHE@", str(self.settings.pycache))
        exports = "".join(f"export {key}={value}\n" for key, value in self.environment.items())
        return Recipe(
            name=f"venv-{release}",
            script=exports + script,
            below=BASE_RECIPE,
            binds={**self.binds, self.settings.uv.parent: _UV, CERTIFICATES: str(CERTIFICATES)},
            inputs=(uv,),
        )

    def read_release(self, disks: Sequence[Path]) -> str:
        """Return the release that the link points to."""
        links = (disk / VENV.lstrip("/") for disk in disks)
        link = next((link for link in links if link.is_symlink()), None)
        return link.readlink().name.removeprefix(f"{LINK}-") if link is not None else ""

    def restore(self, machine: Machine) -> bool:
        """Point the link to the first release, and remove the others; the rest of the disk stays."""
        first = self.read_release(machine.layers)
        if machine.is_on:
            told = machine.console("sh", "-euc", _RESTORE, "sh", first).stdout.strip()
            if not told:  # somebody has removed the first release
                machine.renew_disk()
            return told != f"{LINK}-{first}"
        own = machine.upper / FOLDER.lstrip("/")
        was = self.read_release((machine.upper, *machine.layers))
        shutil.rmtree(own, ignore_errors=True)
        return was != first

    @property
    def _offline(self) -> Mapping[str, str]:
        return {"UV_OFFLINE": "1", **self.environment}
