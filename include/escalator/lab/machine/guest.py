"""What real guests are booted with: their image, their flavor, their network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from escalator.lab.bootstrap import make_flavor, make_image, make_network
from escalator.lab.servers import ServerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from escalator.lab.api import Cloud
    from escalator.lab.machine.bridge import Bridge

IMAGE, KERNEL, RAMDISK = "guest", "guest-kernel", "guest-ramdisk"
FLAVOR = "m1.guest"
NETWORK = "guest-net"
MEMORY_MIB = 128
_DISK_BYTES = 1024 * 1024
_PROPERTIES = {
    "os_command_line": "console=ttyS0 quiet panic=1",
    "os_shutdown_timeout": "2",  # it does not listen to the button
    "hw_machine_type": "pc",
    "hw_video_model": "none",
}


def spec_of(name: str, host: str | None = None) -> ServerSpec:
    """Return a real guest to boot."""
    return ServerSpec(name=name, host=host, flavor=FLAVOR, network=NETWORK, image=IMAGE)


def guest_set(hosts: tuple[str, ...], count: int) -> tuple[ServerSpec, ...]:
    """Return the servers of a new lab with real guests, spread over the nodes; all of them run."""
    return tuple(spec_of(f"guest-{number + 1:02d}", hosts[number % len(hosts)]) for number in range(count))


def ensure_guest_resources(cloud: Cloud, files: Path, bridge: Bridge) -> None:
    """Make the image, the flavor and the network of real guests; what is there stays.

    :param files: folder of the guest's kernel and initial file system.
    :param bridge: that their addresses are of.
    """
    kernel = _ensure_image(cloud, KERNEL, "aki", (files / "vmlinuz").read_bytes())
    ramdisk = _ensure_image(cloud, RAMDISK, "ari", (files / "initrd.gz").read_bytes())
    parts = {"kernel_id": kernel, "ramdisk_id": ramdisk}
    _ensure_image(cloud, IMAGE, "raw", bytes(_DISK_BYTES), {**_PROPERTIES, **parts})
    if FLAVOR not in {flavor["id"] for flavor in cloud.get("nova", "/flavors")["flavors"]}:
        make_flavor(cloud, FLAVOR, 1, MEMORY_MIB, 0)
    _ensure_network(cloud, bridge)


def _ensure_image(
    cloud: Cloud, name: str, kind: str, content: bytes, properties: Mapping[str, str] | None = None
) -> str:
    """Return the id of an image; one whose upload was cut off is made anew."""
    for image in cloud.get("glance", f"/v2/images?name={name}")["images"]:
        if image["status"] == "active":
            return str(image["id"])
        cloud.delete("glance", f"/v2/images/{image['id']}")
    return make_image(cloud, name, kind, content, properties)


def _ensure_network(cloud: Cloud, bridge: Bridge) -> None:
    found = cloud.get("neutron", f"/v2.0/networks?name={NETWORK}")["networks"]
    network = found[0] if found else make_network(cloud, NETWORK)
    if network["subnets"]:
        return
    first, last = bridge.guests
    subnet: dict[str, Any] = {
        "network_id": network["id"],
        "name": "guest-subnet",
        "cidr": str(bridge.network),
        "ip_version": 4,
        "enable_dhcp": False,
        "gateway_ip": bridge.address,
        "allocation_pools": [{"start": first, "end": last}],
    }
    cloud.post("neutron", "/v2.0/subnets", {"subnet": subnet})
