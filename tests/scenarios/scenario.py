"""Golden scenarios: a small cloud in YAML, and what a check and a simulated campaign must say of it.

Nodes and servers have the keys of ``escalator.snapshot/1``. A node may give its inventory as ``memory``
(MiB), ``vcpus`` and ``disk`` (GiB); a server its resources likewise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.documents.bundles import parse_bundle
from escalator.model.bundle import Bundle
from escalator.model.campaign import UpgradeMode
from escalator.model.check_report import CheckReport
from escalator.model.cloud import CloudSnapshot
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.state.targets import mark_targets

FOLDER = Path(__file__).parent
DOMAIN = "cell1/az1/general"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario: the cloud, what is asked, and what is expected of it."""

    name: str
    snapshot: CloudSnapshot
    bundle: Bundle | None
    mode: UpgradeMode
    max_parallel: int
    rollback: bool
    check: dict[str, Any]
    plan: dict[str, Any] | None = field(default=None)

    def report(self) -> CheckReport:
        """Check it."""
        hosts = tuple(n.host for n in self.snapshot.nodes if n.target or (self.rollback and n.upgraded))
        plan = plan_of_check(
            self.snapshot, hosts, bundle=self.bundle, max_parallel=self.max_parallel, mode=self.mode
        )
        question = ask(plan, self.snapshot, bundle=self.bundle)
        return check_rollback(question) if self.rollback else check_upgrade(question)


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Scenario:
    """Read a scenario."""
    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    asked = document.get("ask", {})
    bundle = parse_bundle(_bundle(asked["bundle"])) if "bundle" in asked else None
    snapshot = snapshot_from_document(
        {
            "schema": "escalator.snapshot/1",
            "cloud": name,
            "taken_at": "2026-11-22T08:00:00Z",
            "nodes": [_node(host, words or {}) for host, words in document["nodes"].items()],
            "servers": [_server(server, words) for server, words in document.get("servers", {}).items()],
            "server_groups": document.get("server_groups", []),
            "ha_groups": document.get("ha_groups", []),
            "migrations": document.get("migrations", []),
        }
    )
    return Scenario(
        name=name,
        snapshot=mark_targets(snapshot, bundle, asked.get("hosts", ())),
        bundle=bundle,
        mode=UpgradeMode(asked.get("mode", "smooth")),
        max_parallel=asked.get("max_parallel", 1),
        rollback=asked.get("rollback", False),
        check=document["expect"]["check"],
        plan=document["expect"].get("plan"),
    )


def _bundle(words: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "escalator.bundle/1", "name": "next", "mechanism": {"type": "none"}, **words}


def _node(host: str, words: dict[str, Any]) -> dict[str, Any]:
    sizes = {"MEMORY_MB": ("memory", 16384), "VCPU": ("vcpus", 16), "DISK_GB": ("disk", 1000)}
    inventory = {name: {"total": words.pop(key, total)} for name, (key, total) in sizes.items()}
    return {"host": host, "domain": DOMAIN, "zone": "az1", "inventory": inventory, **words}


def _server(name: str, words: dict[str, Any]) -> dict[str, Any]:
    sizes = {"MEMORY_MB": ("memory", 2048), "VCPU": ("vcpus", 1), "DISK_GB": ("disk", 10)}
    resources = {resource: words.pop(key, amount) for resource, (key, amount) in sizes.items()}
    vm_state = words.pop("vm_state", "active")
    return {
        "id": name,
        "name": name,
        "host": words.pop("host"),
        "vm_state": vm_state,
        "power_state": "running" if vm_state == "active" else "shutdown",
        "resources": resources,
        **words,
    }
