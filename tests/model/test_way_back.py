from __future__ import annotations

from escalator.model.way_back import WayBack


def test_a_way_back_is_said_in_words() -> None:
    assert str(WayBack.one_way("it is gone")) == "one-way: it is gone"
    assert str(WayBack.to_previous({"nova-compute": "33.0.2", "qemu": "7.2"})) == (
        "back to nova-compute 33.0.2, qemu 7.2"
    )
    assert str(WayBack.to_previous({})) == "nothing to undo"
    assert WayBack.one_way("x").is_one_way
    assert not WayBack.to_previous({}).is_one_way
