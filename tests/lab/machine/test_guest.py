from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from escalator.lab.machine.bridge import Bridge
from escalator.lab.machine.guest import ensure_guest_resources, guest_set, spec_of

if TYPE_CHECKING:
    from pathlib import Path

BRIDGE = Bridge(instance=4)


class FakeCloud:
    """Glance, Nova and Neutron as far as the resources of guests need them."""

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.flavors: list[dict[str, Any]] = []
        self.networks: list[dict[str, Any]] = []
        self.subnets: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def get(self, service: str, path: str) -> Any:
        name = path.partition("name=")[2]
        if service == "nova":
            return {"flavors": self.flavors}
        found = self.images if service == "glance" else self.networks
        return {path.split("/")[2].partition("?")[0]: [each for each in found if each["name"] == name]}

    def post(self, service: str, _path: str, body: dict[str, Any]) -> Any:
        if service == "glance":
            self.images.append(body | {"id": f"id-{next(self._numbers)}", "status": "queued"})
            return self.images[-1]
        kind, content = next(iter(body.items()))
        if kind == "subnet":
            self.networks[0]["subnets"] = ["one"]
            self.subnets.append(content)
        elif kind == "network":
            self.networks.append(content | {"id": "net", "subnets": []})
            return {"network": self.networks[-1]}
        else:
            self.flavors.append(content)
        return body

    def call(self, _method: str, _service: str, path: str, *, raw: bytes) -> None:
        image = next(each for each in self.images if each["id"] == path.split("/")[3])
        image |= {"status": "active", "content": raw}

    def delete(self, _service: str, path: str) -> None:
        self.images = [each for each in self.images if each["id"] != path.split("/")[3]]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "initrd.gz").write_bytes(b"ramdisk")
    return tmp_path


def test_the_image_names_its_kernel_and_its_initial_file_system(files: Path) -> None:
    cloud = FakeCloud()
    ensure_guest_resources(cloud, files, BRIDGE)  # type: ignore[arg-type]
    images = {image["name"]: image for image in cloud.images}
    assert images["guest-kernel"]["content"] == b"kernel"
    assert images["guest"]["kernel_id"] == images["guest-kernel"]["id"]
    assert images["guest"]["ramdisk_id"] == images["guest-ramdisk"]["id"]
    assert cloud.subnets[0]["cidr"] == "10.213.4.0/24"
    assert cloud.subnets[0]["allocation_pools"] == [{"start": "10.213.4.110", "end": "10.213.4.250"}]


def test_what_is_there_stays_and_an_upload_that_was_cut_off_is_made_anew(files: Path) -> None:
    cloud = FakeCloud()
    ensure_guest_resources(cloud, files, BRIDGE)  # type: ignore[arg-type]
    before = {image["name"]: image["id"] for image in cloud.images}
    next(image for image in cloud.images if image["name"] == "guest-ramdisk")["status"] = "saving"
    ensure_guest_resources(cloud, files, BRIDGE)  # type: ignore[arg-type]
    after = {image["name"]: image["id"] for image in cloud.images}
    assert len(cloud.images) == 3
    assert {name for name in after if after[name] != before[name]} == {"guest-ramdisk"}
    assert (len(cloud.flavors), len(cloud.networks), len(cloud.subnets)) == (1, 1, 1)


def test_the_guests_of_a_new_lab_are_spread_over_its_nodes() -> None:
    specs = guest_set(("node-01", "node-02"), 3)
    assert [(spec.name, spec.host, spec.state) for spec in specs] == [
        ("guest-01", "node-01", "ACTIVE"),
        ("guest-02", "node-02", "ACTIVE"),
        ("guest-03", "node-01", "ACTIVE"),
    ]


def test_a_guest_is_booted_with_all_that_is_its_own() -> None:
    spec = spec_of("vnf-a", "node-01")
    assert (spec.image, spec.flavor, spec.network, spec.host) == ("guest", "m1.guest", "guest-net", "node-01")
