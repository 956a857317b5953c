from escalator.model.no_return import SERVERS_STUCK, NoReturn


def test_a_node_that_is_one_way_by_itself_says_why() -> None:
    found = NoReturn(reasons={"a": "its environment is gone"})
    assert found.is_any
    assert found.find_reason("a", 0) == "its environment is gone"
    assert found.find_reason("b", 9) == ""


def test_from_some_node_on_whichever_it_is_there_is_no_return() -> None:
    found = NoReturn(after=1)
    assert found.is_any
    assert [found.find_reason("a", changed) for changed in range(3)] == ["", SERVERS_STUCK, SERVERS_STUCK]
    assert NoReturn(after=0).find_reason("a", 0) == SERVERS_STUCK


def test_where_nothing_was_found_there_is_always_a_return() -> None:
    assert not NoReturn().is_any
    assert NoReturn().find_reason("a", 99) == ""
