from escalator.model.wording import name_some


def test_some_are_named_and_the_rest_is_counted() -> None:
    assert name_some(["a"]) == "a"
    assert name_some(list("abcde")) == "a, b, c, d, e"
    assert name_some(list("abcdefg")) == "a, b, c, d, e and 2 more"
