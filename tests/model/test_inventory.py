import pytest
from tests.builders import NOW

from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory, InventoryNode, split_address


def test_domains_and_hosts_of_an_inventory_are_sorted() -> None:
    nodes = tuple(
        InventoryNode(host=host, domain=domain, address="127.0.0.1")
        for host, domain in (("c", "d2"), ("b", "d1"), ("a", "d1"))
    )
    inventory = Inventory(cloud="lab", taken_at=NOW, nodes=nodes)
    assert inventory.domains() == ("d1", "d2")
    assert inventory.hosts("d1") == ("a", "b")
    assert inventory.hosts("d3") == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("192.0.2.7", (None, "192.0.2.7", None)),
        ("node-07.example.com", (None, "node-07.example.com", None)),
        ("ops@192.0.2.7", ("ops", "192.0.2.7", None)),
        ("ops@node-07:2222", ("ops", "node-07", 2222)),
        ("2001:db8::7", (None, "2001:db8::7", None)),
        ("[2001:db8::7]", (None, "2001:db8::7", None)),
        ("ops@[2001:db8::7]:65535", ("ops", "2001:db8::7", 65535)),
    ],
)
def test_an_address_may_name_user_and_port(text: str, parts: tuple[str | None, str, int | None]) -> None:
    assert split_address(text) == parts
    assert InventoryNode(host="h", domain="d", address=text).place == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@node",
        "ops@",
        "node:",
        "node:ssh",
        "node:0",
        "node:65536",
        "node:" + "9" * 5000,
        "node:²",
        "[::1",
        "[::1]22",
        "a b",
        "ssh://node",
    ],
)
def test_an_address_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        split_address(text)
