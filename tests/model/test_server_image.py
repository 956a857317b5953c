from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.server_image import ImagePolicy, ImageState


def test_a_policy_asks_for_all_of_its_metadata() -> None:
    policy = ImagePolicy(metadata={"a": "1", "b": "2"})
    assert policy.chooses({"a": "1", "b": "2", "c": "3"})
    assert not policy.chooses({"a": "1"})
    assert not replace(policy, metadata={"a": "2"}).chooses({"a": "1"})


@pytest.mark.parametrize(
    ("status", "over"), [("queued", False), ("saving", False), ("active", False), ("killed", True)]
)
def test_an_image_that_was_given_up_is_over(status: str, *, over: bool) -> None:
    assert ImageState(id="i", status=status).is_over is over
