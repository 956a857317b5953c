from __future__ import annotations

from tests.builders import DOMAIN, make_cloud, make_node

from escalator.model.check_report import CheckReport
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check

OLD, NEW = {"qemu": "7.1", "os": "Debian 12"}, {"qemu": "7.2", "os": "Debian 12"}


def checked(**versions: dict[str, str]) -> CheckReport:
    cloud = make_cloud([make_node(host, versions=found) for host, found in versions.items()])
    return check_upgrade(ask(plan_of_check(cloud, ["a"]), cloud))


def test_nodes_that_differ_are_a_warning_of_their_domain_and_block_nothing() -> None:
    report = checked(a=NEW, b=NEW, c=OLD)
    (found,) = [c for c in report.conditions if c.code is Code.VERSIONS_DIFFER]
    assert (found.subject.id, found.severity, found.blocks) == (DOMAIN, Severity.WARNING, False)
    assert found.message == "its nodes differ in qemu: 7.2 on 2; 7.1 on c"
    assert Code.VERSIONS_ALIKE not in {c.code for c in report.conditions}


def test_nodes_that_run_the_same_are_said_with_what_they_run() -> None:
    (found,) = [c for c in checked(a=NEW, b=NEW, c={}).conditions if c.code is Code.VERSIONS_ALIKE]
    assert found.message == "2 nodes told the same: os Debian 12, qemu 7.2"


def test_where_nobody_read_the_nodes_nothing_is_said() -> None:
    codes = {c.code for c in checked(a={}, b={"nova-compute": "33.0.2", "hypervisor": "7.2"}).conditions}
    assert codes.isdisjoint({Code.VERSIONS_ALIKE, Code.VERSIONS_DIFFER})
