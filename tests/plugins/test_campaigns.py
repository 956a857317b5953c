from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.ledger.ledger import Ledger
from escalator.model.bundle import NoMechanism
from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.errors import InvalidRequestError
from escalator.steps.running.context import CampaignContext

pytestmark = pytest.mark.airflow
VNF = {
    "schema": "escalator.vnf/1",
    "name": "sbc",
    "groups": [
        {
            "id": "sbc-1",
            "mode": "load-balanced",
            "members": [{"id": "a"}, {"id": "b"}],
            "max_number_of_impacted_instances": 1,
        }
    ],
}


@pytest.fixture
def opened(folders: Path, monkeypatch: pytest.MonkeyPatch) -> CampaignContext:
    """What the tasks of a campaign are given, without a cloud."""
    from escalator_airflow import campaigns

    monkeypatch.setenv("ESCALATOR_VNF_DIR", str(folders))
    monkeypatch.setattr(campaigns, "OpenStackCloudHook", lambda _id: SimpleNamespace(get_conn=lambda: None))
    monkeypatch.setattr(campaigns, "NodeShellHook", lambda _inventory: SimpleNamespace(get_conn=lambda: None))
    plan: Any = SimpleNamespace(request=SimpleNamespace(cloud="lab"))
    bundle: Any = SimpleNamespace(mechanism=NoMechanism())
    return campaigns.make_context(plan, bundle, Ledger())


def snapshot() -> CloudSnapshot:
    servers = tuple(Server(id=name, name=name, host="n", vm_state="active", resources={}) for name in "abc")
    return CloudSnapshot(cloud="lab", taken_at=datetime(2026, 11, 22, tzinfo=UTC), nodes=(), servers=servers)


def test_the_tasks_see_the_ha_groups_of_the_vnf_files(opened: CampaignContext, folders: Path) -> None:
    (folders / "sbc.yaml").write_text(json.dumps(VNF))
    seen = opened.add_ha_groups(snapshot())
    assert [group.id for group in seen.ha_groups] == ["sbc-1"]
    assert [server.ha_group for server in seen.servers] == ["sbc-1", "sbc-1", None]


def test_a_vnf_file_with_faults_stops_decisions_but_not_the_opening_of_a_campaign(
    opened: CampaignContext, folders: Path
) -> None:
    (folders / "sbc.yaml").write_text("schema: [")
    with pytest.raises(InvalidRequestError, match=r"sbc\.yaml"):
        opened.add_ha_groups(snapshot())
