"""Images of servers over HTTP: what is asked of Nova, Glance and Cinder, and how their answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.errors import NotFoundError
from escalator.model.server_image import ImageState

IMAGES = "/image/v2/images"
SNAPSHOT = "/block-storage/v3/p/snapshots/snap-1"
MAPPING = json.dumps([{"snapshot_id": "snap-1", "source_type": "snapshot"}, {"source_type": "blank"}])
Eventually = Callable[..., Any]


def image(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "status": status, "size": 5, **more}


def tell(fake: Any, *images: dict[str, Any]) -> None:
    fake.tell("GET", IMAGES, {"images": list(images)})


def test_an_image_is_ordered_with_what_it_is_found_by(fake: Any, cloud: Cloud) -> None:
    fake.tell("POST", "/compute/v2.1/servers/s-1/action", (202, {"image_id": "i-1"}))
    cloud.server_images.order("s-1", name="web-b1", tag="b1")
    (asked,) = fake.requests_of("POST", "/compute/v2.1/servers/s-1/action")
    metadata = {"escalator_backup": "b1", "escalator_server": "s-1"}
    assert asked.body == {"createImage": {"name": "web-b1", "metadata": metadata}}


def test_the_image_of_a_server_is_found_by_its_properties(fake: Any, cloud: Cloud) -> None:
    tell(fake, image("i-1", "saving", size=None))
    assert cloud.server_images.find("s-1", tag="b1") == ImageState(id="i-1", status="saving")
    (asked,) = fake.requests_of("GET", IMAGES)
    assert (asked.query["escalator_backup"], asked.query["escalator_server"]) == (["b1"], ["s-1"])


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ((), None),
        (("killed", "queued"), "i-1"),
        (("saving", "active"), "i-1"),
        (("active", "killed"), "i-0"),
        (("killed", "deleted"), "i-0"),
    ],
)
def test_of_several_the_best_counts(
    fake: Any, cloud: Cloud, statuses: tuple[str, ...], chosen: str | None
) -> None:
    tell(fake, *(image(f"i-{n}", status) for n, status in enumerate(statuses)))
    found = cloud.server_images.find("s-1", tag="b1")
    assert (None if found is None else found.id) == chosen


@pytest.mark.parametrize(
    ("cinders", "status"),
    [
        ({"snapshot": {"status": "creating"}}, "saving"),
        ({"snapshot": {"status": "available"}}, "active"),
        ({"snapshot": {"status": "error"}}, "killed"),
        ((404, {"itemNotFound": {"message": "no"}}), "killed"),
    ],
)
def test_an_image_of_a_volume_is_as_far_as_its_snapshot(
    fake: Any, cloud: Cloud, cinders: Any, status: str
) -> None:
    fake.services["block-storage"] = "/v3/p"
    fake.tell("GET", SNAPSHOT, cinders)
    tell(fake, image("i-1", "active", size=0, block_device_mapping=MAPPING))
    found = cloud.server_images.find("s-1", tag="b1")
    assert found == ImageState(id="i-1", status=status, snapshots=("snap-1",))


def test_a_mapping_that_is_no_json_names_no_snapshot(fake: Any, cloud: Cloud) -> None:
    tell(fake, image("i-1", "active", block_device_mapping="<html>"))
    assert cloud.server_images.find("s-1", tag="b1") == ImageState(id="i-1", status="active", size_bytes=5)


@pytest.mark.lab
def test_the_real_nova_takes_it_and_the_real_glance_finds_it(
    empty_lab: Lab, real_cloud: Cloud, eventually: Eventually
) -> None:
    server_id = empty_lab.servers.boot([ServerSpec(name="pictured", host="node-01")])["pictured"]
    images = real_cloud.server_images
    assert images.find(server_id, tag="b1") is None
    images.order(server_id, name="pictured-b1", tag="b1")

    def whole() -> ImageState | None:
        state = images.find(server_id, tag="b1")
        return state if state is not None and state.status == "active" else None

    found = eventually(whole)
    assert images.find(server_id, tag="b2") is None
    empty_lab.cloud.delete("glance", f"/v2/images/{found.id}")
    assert images.find(server_id, tag="b1") is None
    empty_lab.servers.delete({server_id})
    with pytest.raises(NotFoundError):
        images.order(server_id, name="gone", tag="b1")
