"""Build the Debian package of nova-compute from a virtual environment of the lab's."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError
from escalator.lab.install import PACKAGE as LAB
from escalator.lab.machine import package_files
from escalator.lab.machine.layers import BASE_RECIPE, ROOT_KEY, Layers, make_draft, run_inside
from escalator.lab.pins import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from escalator.lab.progress import Progress

_VENV_SCRIPT = f"""
uv venv -q --system-site-packages --python /usr/bin/python3 {package_files.VENV}
install="uv pip install -q --no-deps --link-mode copy -p {package_files.VENV} -r /opt/nova/pins"
$install --offline 2>/dev/null || $install
cd {package_files.VENV}
rm -f .lock
find lib -type d -name tests -prune -exec rm -rf {{}} +
python3 -m compileall -q -j2 --invalidation-mode unchecked-hash lib || true
"""
"""Tests are 18,000 of the files, and dpkg's time goes by files; some packages hold code for other Pythons."""


CERTIFICATES = Path("/etc/ssl/certs")
"""Whom this computer trusts is trusted in the layer, too: a proxy may have a certificate of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageBuilder:
    """Build ``lab-nova-compute``, for the Python of the machines.

    :param folder: of the environments and trees that packages are built from.
    :param layers: of the machines' disks.
    :param uv: the program that installs into environments, statically linked.
    :param uv_cache: its cache.
    :param progress: told about each step that takes time.
    """

    folder: Path
    layers: Layers
    uv: Path
    uv_cache: Path
    progress: Progress

    def ensure(self, release: str, *, packages: Path, into: Path, revision: int = 1) -> Path:
        """Build the package of a release, unless that very package is there.

        :param packages: the ``site-packages`` of the virtual environment whose versions it has.
        :param into: folder that receives the package.
        :return: the package.
        :raises LabError: when it cannot be built.
        """
        pins = fetch_pins(packages)
        venv_key = digest(ROOT_KEY, _VENV_SCRIPT, *pins)
        texts = package_files.texts_of(release, revision)
        driver = [path.read_text() for path in sorted((LAB / "virt").glob("*.py"))]
        key = digest(venv_key, *texts, *texts.values(), *driver)
        package = into / package_files.file_name(release, revision)
        mark = self.folder / f"{package.name}.{key}"
        if package.exists() and mark.exists():
            return package
        venv = self._ensure_venv(release, venv_key, pins)
        self.progress.say(f"building {package.name}")
        self._build(venv, texts, package)
        for old in self.folder.glob(f"{package.name}.*"):
            old.unlink()
        mark.touch()
        return package

    def _ensure_venv(self, release: str, key: str, pins: Sequence[str]) -> Path:
        """Install Nova by the machines' own Python, under the path that it has there."""
        venv = self.folder / f"venv-{release}-{key}"
        if venv.exists():
            return venv
        self.progress.say(f"installing Nova {release} for the machines")
        layers = self.layers.ensure(BASE_RECIPE)
        draft, upper = make_draft(venv), venv.with_name(f"{venv.name}.upper")
        shutil.rmtree(upper, ignore_errors=True)
        (upper / "opt" / "nova").mkdir(parents=True)
        (upper / "opt" / "nova" / "pins").write_text("\n".join(pins))
        (upper / "usr" / "bin").mkdir(parents=True)
        shutil.copy2(self.uv, upper / "usr" / "bin" / "uv")
        self.uv_cache.mkdir(parents=True, exist_ok=True)
        binds = {draft: package_files.VENV, self.uv_cache: "/opt/uv-cache", CERTIFICATES: str(CERTIFICATES)}
        script = f"export UV_CACHE_DIR=/opt/uv-cache UV_PYTHON_DOWNLOADS=never\n{_VENV_SCRIPT}"
        try:
            run_inside(layers, upper=upper, script=script, binds=binds)
        finally:
            shutil.rmtree(upper, ignore_errors=True)
        draft.rename(venv)
        return venv

    def _build(self, venv: Path, texts: Mapping[str, str], package: Path) -> None:
        tree = self.folder / f"{package.stem}.tree"
        shutil.rmtree(tree, ignore_errors=True)
        for name, text in texts.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(package_files.MODES.get(name, 0o644))
        inside = tree / package_files.VENV.lstrip("/")
        shutil.copytree(venv, inside, symlinks=True, copy_function=os.link)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(LAB / "virt", tree / package_files.DRIVER.lstrip("/"), ignore=ignored)
        helper = tree / "usr" / "bin" / "privsep-helper"
        helper.parent.mkdir(parents=True)
        helper.symlink_to(f"{package_files.VENV}/bin/privsep-helper")
        package.parent.mkdir(parents=True, exist_ok=True)
        draft = package.with_suffix(".part")
        build = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z3", "--build", str(tree), str(draft)]
        done = subprocess.run(build, capture_output=True, text=True, check=False)
        shutil.rmtree(tree)
        if done.returncode != 0:
            raise LabError(f"dpkg-deb failed with {done.returncode}: {done.stderr.strip()[-1500:]}")
        draft.replace(package)


def fetch_pins(packages: Path) -> tuple[str, ...]:
    """Return name and version of all that is installed in a ``site-packages``, sorted.

    :raises LabError: when nothing is.
    """
    found = importlib.metadata.distributions(path=[str(packages)])
    pins = sorted(f"{each.metadata['Name']}=={each.version}" for each in found)
    if not pins:
        raise LabError(f"no package is installed in {packages}", "escalator lab install")
    return tuple(pins)
