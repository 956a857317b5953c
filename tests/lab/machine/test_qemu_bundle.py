from __future__ import annotations

import json
from typing import TYPE_CHECKING

from escalator.documents.bundles import parse_bundle
from escalator.lab.machine.qemu_bundle import make_bundle
from escalator.lab.machine.repository import Repository
from escalator.lab.machine.signing import SigningKey

if TYPE_CHECKING:
    from pathlib import Path

NEWER = {
    "qemu-system-x86": "1:10.0.2+ds-2~bpo12+1",
    "qemu-utils": "1:10.0.2+ds-2~bpo12+1",
    "libvirt-daemon-system": "11.3.0-2~bpo12+1",
    "libvirt-clients": "11.3.0-2~bpo12+1",
    "udev": "252.39-1",
}


def test_the_bundle_brings_nova_and_the_hypervisor_and_reboots() -> None:
    bundle = parse_bundle(json.loads(json.dumps(make_bundle("34.0.0", NEWER))))
    assert {each.name: each.to for each in bundle.components} == {
        "nova-compute": "3:34.0.0-0lab1",
        "qemu": NEWER["qemu-system-x86"],
        "libvirt": NEWER["libvirt-daemon-system"],
    }
    assert (bundle.impact, bundle.reboot) == ("reboot", "always")
    assert bundle.expected_changes == ("COMPUTE_GRAPHICS_MODEL_QXL",)


def test_a_repository_tells_the_versions_that_it_has(tmp_path: Path) -> None:
    repository = Repository(folder=tmp_path, key=SigningKey(folder=tmp_path))
    (tmp_path / "Packages").write_text(
        "Package: udev\nSource: systemd\nDescription: a\n b\nVersion: 252.39-1\nFilename: ./udev.deb\n\n"
        "Package: qemu-utils\nVersion: 1:10.0.2+ds-2~bpo12+1\nDepends: libc6\n"
    )
    assert repository.read_versions() == {}
    (tmp_path / "InRelease").touch()
    assert repository.read_versions() == {name: NEWER[name] for name in ("udev", "qemu-utils")}
