import pytest

from escalator.model.digest import canonical, compute_digest


def test_the_canonical_form_is_sorted_and_has_no_spaces() -> None:
    assert canonical({"b": [1, None], "a": {"d": "ü", "c": True}}) == '{"a":{"c":true,"d":"ü"},"b":[1,null]}'


def test_the_digest_is_the_one_that_sha256sum_prints() -> None:
    # printf '{"a":1}' | sha256sum
    expected = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert compute_digest({"a": 1}) == expected


def test_the_order_of_keys_does_not_change_a_digest() -> None:
    assert compute_digest({"a": 1, "b": 2}) == compute_digest({"b": 2, "a": 1})


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"b": 1}, {"a": 1, "b": None}])
def test_another_document_has_another_digest(other: dict[str, object]) -> None:
    assert compute_digest(other) != compute_digest({"a": 1})
