from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.canary_choice import choose_flavor, choose_image, find_lacks
from escalator.model.cloud import ResourceInventory
from escalator.model.errors import InvalidRequestError


def flavor(name: str, ram: int, *, vcpus: int = 1, disk: int = 1, **specs: str) -> dict[str, Any]:
    known = {key.replace("__", ":"): value for key, value in specs.items()}
    return {"id": f"id-{name}", "name": name, "ram": ram, "vcpus": vcpus, "disk": disk, "extra_specs": known}


def image(name: str, size: int = 10, **fields: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "size": size, **fields}


def has(**totals: int) -> dict[str, ResourceInventory]:
    return {name: ResourceInventory(total=total) for name, total in totals.items()}


PLAIN, PINNED = flavor("plain", 512), flavor("pinned", 256, hw__cpu_policy="dedicated")
ODD = flavor("odd", 64, hw__mem_page_size="large")
SHARED_CPUS = has(VCPU=8, MEMORY_MB=4096, DISK_GB=10)
DEDICATED_CPUS = has(PCPU=8, MEMORY_MB=4096, DISK_GB=10)


@pytest.mark.parametrize(
    ("inventory", "name"),
    [
        (SHARED_CPUS, "plain"),
        (DEDICATED_CPUS, "pinned"),
        (SHARED_CPUS | DEDICATED_CPUS, "plain"),
        (has(VCPU=8, MEMORY_MB=4096), "plain"),
        (None, "plain"),
    ],
)
def test_the_default_is_the_smallest_that_the_node_can_take(inventory: Any, name: str) -> None:
    assert choose_flavor([ODD, PINNED, PLAIN, flavor("large", 2048)], None, inventory)["name"] == name


def test_a_flavor_that_cannot_land_is_none() -> None:
    with pytest.raises(InvalidRequestError, match="no flavor") as caught:
        choose_flavor([PLAIN], None, DEDICATED_CPUS)
    assert "hw:cpu_policy=dedicated" in str(caught.value.remedy)
    assert list(find_lacks(PLAIN, DEDICATED_CPUS)) == ["1 VCPU"]
    assert list(find_lacks(flavor("big", 8192), SHARED_CPUS)) == ["8192 MEMORY_MB"]


def test_a_flavor_is_found_by_name_or_id() -> None:
    assert choose_flavor([PLAIN, PINNED], "pinned", SHARED_CPUS) is PINNED
    assert choose_flavor([PLAIN, PINNED], "id-plain", None) is PLAIN
    with pytest.raises(InvalidRequestError, match="there is no flavor gone"):
        choose_flavor([PLAIN], "gone", None)
    with pytest.raises(InvalidRequestError, match="2 flavors are named plain"):
        choose_flavor([PLAIN, {**PLAIN, "id": "other"}], "plain", None)


@pytest.mark.parametrize(
    "skipped",
    [
        image("kernel", container_format="aki", disk_format="aki"),
        image("ramdisk", container_format="ari", disk_format="ari"),
        image("installer", container_format="bare", disk_format="iso"),
        image("appliance", container_format="ova", disk_format="vmdk"),
        image("tenant", visibility="private", owner="somebody"),
        image("copy of a server", image_type="snapshot"),
        image("huge", size=2 * 1024**3),
        image("compressed", virtual_size=2 * 1024**3),
        image("empty", size=0),
        image("hungry", min_ram=1024),
    ],
)
def test_what_is_no_image_for_a_canary_is_skipped(skipped: dict[str, Any]) -> None:
    good = image("cirros", size=20, container_format="bare", disk_format="qcow2", visibility="public")
    assert choose_image([skipped, good], None, PLAIN, "ours") is good
    with pytest.raises(InvalidRequestError, match="no active image fits flavor plain"):
        choose_image([skipped], None, PLAIN, "ours")


@pytest.mark.parametrize(
    "asks", [{"trait:CUSTOM_FAST": "required"}, {"hw_tpm_version": "2.0"}, {"hw_cpu_policy": "dedicated"}]
)
def test_an_image_that_asks_for_more_than_a_plain_node_is_chosen_last(asks: dict[str, str]) -> None:
    picky, plain = image("picky", size=10, **asks), image("plain", size=20)
    assert choose_image([picky, plain], None, PLAIN, "ours") is plain
    assert choose_image([picky], None, PLAIN, "ours") is picky


def test_an_image_of_our_own_or_by_name_will_do() -> None:
    own = image("own", visibility="private", owner="ours")
    assert choose_image([own], None, PLAIN, "ours") is own
    installer = image("installer", disk_format="iso")
    assert choose_image([own, installer], "installer", PLAIN, "ours") is installer
    with pytest.raises(InvalidRequestError, match="image hungry does not fit flavor plain"):
        choose_image([image("hungry", min_ram=1024)], "hungry", PLAIN, "ours")
