from __future__ import annotations

from escalator.model.control_plane import ControlPlane

APART = ControlPlane(lowest="2.1", highest="2.104", apart=(("a", "b", "c"), ("d", "e")))


def test_hosts_that_are_in_different_cells_and_said_to_be_in_one_are_named() -> None:
    assert APART.find_mixed(dict.fromkeys("abcde", "cell1")) == ("a", "b", "c", "d", "e")
    assert APART.find_mixed({"a": "1", "b": "2", "c": "3", "d": "1", "e": "1"}) == ("d", "e")
    assert APART.find_mixed({"a": "1", "b": "2", "c": "3", "d": "1", "e": "2"}) == ()
    assert APART.find_mixed({"a": "1"}) == ()
