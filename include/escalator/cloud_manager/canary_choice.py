"""What a canary is made of: the operator's flavor, image and network, or the smallest that will do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from escalator.cloud_manager.api import Query, Record, ServiceApi
from escalator.cloud_manager.server_needs import read_resources, read_traits
from escalator.model.canary import AUTO_NETWORK, NO_NETWORK
from escalator.model.cloud import ResourceInventory
from escalator.model.errors import InvalidRequestError, NotFoundError

_GIB = 1024**3
_IMAGES = 1000
"""Images that are looked through, the smallest first: one page, as large as Glance gives it."""
_PARTS = frozenset({"aki", "ari", "ova", "docker"})
"""Container formats of what is only a part of a system, or no disk: kernels, ramdisks, bundles."""
_NO_DISKS = frozenset({"aki", "ari", "iso"})
"""Disk formats from which no server boots to its own disk."""
_PICKY = ("trait:", "hw_tpm_", "hw_mem_", "hw_cpu_policy", "hw_cpu_thread_policy", "hw_numa_")
"""How properties of images begin that let them boot on some nodes only, or with some flavors."""
_HARMLESS = ("hw:cpu_policy", "hw:cpu_thread_policy")
"""Extra specs that only say which CPUs: a node of dedicated CPUs takes no other flavors."""
_SHARED = "DISK_GB"
_SOMEBODYS = frozenset({"private", "shared"})


def fetch_flavors(compute: ServiceApi) -> list[Record]:
    """Read all flavors, the smallest first. One call for each thousand."""
    query = {"sort_key": "memory_mb", "sort_dir": "asc", "is_public": "None"}
    return list(compute.pages("/flavors/detail", "flavors", query))


def fetch_images(image: ServiceApi, name: str | None = None) -> list[Record]:
    """Read the images of a name or id; without one all, the smallest first. One call, two for an id.

    A snapshot of a server on a volume is an image without bytes: a cloud may have more of them than a page.
    """
    query: Query = {"status": "active", "sort": "size:asc", "limit": _IMAGES}
    if name is None:
        return list(image.get("/images", {**query, "size_min": 1})["images"])
    found: list[Record] = image.get("/images", {**query, "name": name})["images"]
    if found:
        return found
    try:
        record = image.get(f"/images/{quote(name, safe='')}")
    except NotFoundError:
        return []
    return [record] if record.get("status") == "active" else []


def choose_flavor(
    flavors: Sequence[Record], name: str | None, inventory: Mapping[str, ResourceInventory] | None
) -> Record:
    """Choose the flavor of a name or id; without one the smallest that a node can take.

    :param inventory: what the node has; None: not known.
    :raises InvalidRequestError: there is none.
    """
    if name is not None:
        return _named(flavors, name, "flavor")
    plain = [f for f in flavors if all(key in _HARMLESS for key in f.get("extra_specs") or ())]
    fitting = [f for f in plain if inventory is None or not list(find_lacks(f, inventory))]
    if inventory is None:
        fitting = [f for f in plain if not f.get("extra_specs")]
    if not fitting:
        raise InvalidRequestError(
            "no flavor without extra specs to boot a canary with that the node can take",
            remedy="make one, such as 1 VCPU, 512 MiB (hw:cpu_policy=dedicated for nodes of dedicated CPUs), "
            "or name one: canary_flavor in the connection, or canary in the bundle",
        )
    return min(fitting, key=lambda f: (bool(f.get("extra_specs")), f["ram"], f["vcpus"], f["disk"]))


def find_lacks(flavor: Record, inventory: Mapping[str, ResourceInventory]) -> Iterator[str]:
    """Say what a node has too little of for a flavor, were it empty.

    Disks may stand on a provider that many nodes share: of a node that has none nothing is said.
    """
    for name, amount in read_resources(flavor, {}, volume_backed=False).items():
        item = inventory.get(name)
        if item is None and name == _SHARED:
            continue
        most = 0 if item is None else min(item.capacity, item.max_unit or item.capacity)
        if amount > most:
            yield f"{amount} {name}"


def read_wanted_traits(flavor: Record) -> frozenset[str]:
    """Return the traits that a flavor requires."""
    return read_traits(flavor.get("extra_specs") or {}, {})


def choose_image(
    images: Sequence[Record], name: str | None, flavor: Record, project_id: str | None
) -> Record:
    """Choose the image of a name or id; without one the smallest that boots with the flavor.

    Kernels, ramdisks and ISO images are none, nor are images of servers and those of other projects.
    One that asks for more than a plain node has is chosen when there is no other.

    :param images: the smallest first.
    :raises InvalidRequestError: there is none, or it does not fit the flavor.
    """
    if name is not None:
        image = _named(images, name, "image")
        if not fits(image, flavor):
            raise InvalidRequestError(
                f"image {name} does not fit flavor {flavor['name']}, for canaries",
                remedy="name another image or flavor for canaries",
            )
        return image
    fitting = list(_list_fitting(images, flavor, project_id))
    found = next((i for i in fitting if not _is_picky(i)), fitting[0] if fitting else None)
    if found is None:
        raise InvalidRequestError(
            f"no active image fits flavor {flavor['name']}",
            remedy="upload a tiny image for canaries, or name one: canary_image in the connection, or canary "
            "in the bundle",
        )
    return found


def find_other_architectures(
    images: Sequence[Record], chosen: Record, flavor: Record, project_id: str | None
) -> frozenset[str]:
    """Return the other architectures of images that might have been chosen; none of one that says none."""
    own = read_architecture(chosen)
    found = {read_architecture(image) for image in _list_fitting(images, flavor, project_id)}
    return frozenset(found) - {own, ""} if own else frozenset()


def read_architecture(image: Record) -> str:
    """Return for which CPUs an image is, as its properties say: ``x86_64``; empty when they do not."""
    return str(image.get("hw_architecture") or image.get("architecture") or "").strip().lower()


def _list_fitting(images: Iterable[Record], flavor: Record, project_id: str | None) -> Iterator[Record]:
    return (i for i in images if is_bootable(i) and _is_ours(i, project_id) and fits(i, flavor))


def _is_picky(image: Record) -> bool:
    return any(key.startswith(_PICKY) for key in image)


def is_bootable(image: Record) -> bool:
    """Tell whether an image is the disk of a system, and no copy of a server: that would run twice."""
    is_disk = image.get("container_format") not in _PARTS and image.get("disk_format") not in _NO_DISKS
    return is_disk and image.get("image_type") != "snapshot"


def fits(image: Record, flavor: Record) -> bool:
    """Tell whether an image boots with a flavor: memory, disk, and really there."""
    room = flavor["disk"] * _GIB or float("inf")
    size = image.get("size") or 0
    return (
        size > 0
        and max(size, image.get("virtual_size") or 0) <= room  # a node unpacks what is compressed
        and image.get("min_ram", 0) <= flavor["ram"]
        and image.get("min_disk", 0) <= (flavor["disk"] or float("inf"))
    )


def find_network(network: ServiceApi, name: str | None) -> str:
    """Return the id of a network; Nova's words ``none`` and ``auto`` as they are. Up to two calls.

    :raises InvalidRequestError: there is none of that name or id, or more than one.
    """
    if name in (None, NO_NETWORK, AUTO_NETWORK):
        return name or NO_NETWORK
    for key in ("id", "name"):
        found = network.get("/networks", {key: name, "fields": ("id", "name")})["networks"]
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            raise InvalidRequestError(
                f"{len(found)} networks are named {name}", remedy="give the id of the network for canaries"
            )
    raise InvalidRequestError(
        f"there is no network {name} for canaries", remedy="give its name or id, or none"
    )


def fetch_port_room(network: ServiceApi, project_id: str) -> int | None:
    """Return how many ports a project may still make; None: as many as it likes, or Neutron does not say."""
    try:
        ports = network.get(f"/quotas/{project_id}/details")["quota"]["ports"]
    except (NotFoundError, InvalidRequestError, KeyError):
        return None
    limit = int(ports["limit"])
    return None if limit < 0 else max(0, limit - int(ports["used"]) - int(ports["reserved"]))


def _is_ours(image: Record, project_id: str | None) -> bool:
    return image.get("visibility") not in _SOMEBODYS or image.get("owner") == project_id


def _named(records: Iterable[Record], name: str, kind: str) -> Record:
    found = [r for r in records if r["id"] == name] or [r for r in records if r.get("name") == name]
    if len(found) == 1:
        return found[0]
    many = f"{len(found)} {kind}s are named {name}" if found else f"there is no {kind} {name}"
    raise InvalidRequestError(f"{many}, for canaries", remedy=f"give the name or the id of one {kind}")
