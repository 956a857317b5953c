from __future__ import annotations

import hashlib
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import sh

from escalator.lab.errors import LabError
from escalator.lab.machine.package_files import CONFFILES, MODES, file_name, texts_of, version_of
from escalator.lab.machine.repository import release_of, stanza_of

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")


def write_tree(folder: Path, release: str) -> None:
    for name, text in texts_of(release).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(MODES.get(name, 0o644))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_tree(tmp_path / "tree", "34.0.0")
    built = tmp_path / file_name("34.0.0")
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tmp_path / "tree"), str(built)]
    subprocess.run(command, check=True, capture_output=True)
    return built


@needs_dpkg
def test_the_index_tells_what_apt_must_know_about_a_package(package: Path) -> None:
    fields = dict(line.split(": ", 1) for line in stanza_of(package).splitlines())
    assert fields["Package"] == "lab-nova-compute"
    assert fields["Version"] == "3:34.0.0-0lab1"
    assert fields["Filename"] == "./lab-nova-compute_34.0.0-0lab1_amd64.deb"
    assert fields["Size"] == str(package.stat().st_size)
    assert fields["SHA256"] == hashlib.sha256(package.read_bytes()).hexdigest()


@needs_dpkg
def test_what_is_no_package_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.deb"
    broken.write_text("no archive")
    with pytest.raises(LabError, match=r"broken\.deb cannot be read"):
        stanza_of(broken)


def test_the_release_vouches_for_the_index() -> None:
    index = b"Package: x\n"
    text = release_of({"Packages": index}, NOW)
    assert "Date: Sun, 29 Nov 2026 12:00:00 GMT\n" in text
    assert f" {hashlib.sha256(index).hexdigest()} 11 Packages\n" in text


def test_versions_are_ordered_as_debian_orders_them_and_files_have_no_epoch() -> None:
    assert version_of("34.0.0") == "3:34.0.0-0lab1"
    assert version_of("34.0.0", 2) == "3:34.0.0-0lab2"
    assert file_name("33.0.2") == "lab-nova-compute_33.0.2-0lab1_amd64.deb"


def test_every_conffile_is_in_the_package_and_the_driver_is_a_line_of_one() -> None:
    texts = texts_of("33.0.2")
    assert texts["DEBIAN/conffiles"].split() == list(CONFFILES)
    assert "compute_driver = lab.driver.LabDriver\n" in texts["etc/nova/nova-compute.conf"]
    assert all(path.lstrip("/") in texts for path in CONFFILES)
    assert not any("@" in text.replace("lab@example.org", "").replace('"$@"', "") for text in texts.values())


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_scripts_of_the_package_are_programs_of_sh(script: str) -> None:
    text = texts_of("33.0.2")[f"DEBIAN/{script}"]
    assert sh.parse(text) == sh.WHOLE
    assert MODES[f"DEBIAN/{script}"] == 0o755
