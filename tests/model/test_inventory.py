from tests.builders import NOW

from escalator.model.inventory import Inventory, InventoryNode


def test_domains_and_hosts_of_an_inventory_are_sorted() -> None:
    nodes = tuple(
        InventoryNode(host=host, domain=domain, address="127.0.0.1")
        for host, domain in (("c", "d2"), ("b", "d1"), ("a", "d1"))
    )
    inventory = Inventory(cloud="lab", taken_at=NOW, nodes=nodes)
    assert inventory.domains() == ("d1", "d2")
    assert inventory.hosts("d1") == ("a", "b")
    assert inventory.hosts("d3") == ()
