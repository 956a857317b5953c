"""The wheel in a virtual environment that sees the packages of this one, but for the checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.conftest import ROOT

BUNDLES = [
    {"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}},
    {"name": "escalator", "classpath": "escalator_airflow.dag_bundle.EscalatorDags", "kwargs": {}},
]
"""Airflow's DAG bundles, as docs/install.md has them written."""


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder."""
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


class Environment:
    """A virtual environment with what is installed beside the checkout, and nothing of Escalator's yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "venv"
        venv.create(self.folder, with_pip=False)
        (self.site,) = self.folder.glob("lib/python*/site-packages")
        others = folder / "others"
        others.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if path.suffix != ".pth" and not path.name.startswith("escalator"):
                (others / path.name).symlink_to(path)
        (self.site / "others.pth").write_text(str(others))

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, wheel: Path) -> None:
        """Install the wheel alone, as pip does where all that it needs is there."""
        uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", "--offline", "--no-deps"]
        subprocess.run([*uv, "--python", str(self.python), str(wheel)], check=True)
