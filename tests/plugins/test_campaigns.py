from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import NOW, leased, make_cloud, make_node, make_plan, make_server

from escalator.documents.bundles import parse_bundle
from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import CloudSnapshot
from escalator.model.constraints import InstanceConstraints
from escalator.model.errors import InvalidRequestError
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.notice import Notice, NoticeState
from escalator.model.run_life import RunLife
from escalator.steps.running.context import CampaignContext
from escalator_airflow.records import draft_campaign, read_campaign

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
PLAN = make_plan("n", run_id="read", domain="d", bundle="b")
BUNDLE = {
    "schema": "escalator.bundle/1",
    "name": "b",
    "components": [{"name": "nova-compute", "to": "34.0.0"}],
    "mechanism": {"type": "none"},
}
MOVE = MoveRecord(
    server_id="a",
    server_name="a",
    from_host="n",
    to_host="m",
    method=MoveMethod.LIVE,
    succeeded=True,
    started_at=NOW,
    ended_at=NOW,
)
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
NO_NODES = SimpleNamespace(get_conn=lambda: None, find_route=None, find_password=None)
"""In place of the hook of the nodes: nobody connects."""


@pytest.fixture
def opened(folders: Path, monkeypatch: pytest.MonkeyPatch) -> CampaignContext:
    """What the tasks of a campaign are given, without a cloud."""
    from escalator_airflow import campaigns

    monkeypatch.setenv("ESCALATOR_VNF_DIR", str(folders))
    monkeypatch.setattr(campaigns, "OpenStackCloudHook", lambda _id: SimpleNamespace(get_conn=lambda: None))
    monkeypatch.setattr(campaigns, "NodeShellHook", lambda _inventory: NO_NODES)
    return campaigns.make_context(draft_campaign(PLAN, parse_bundle(BUNDLE)))


def test_the_tasks_have_the_store_of_backups_that_is_set_and_faults_in_it_keep_none_from_opening(
    opened: CampaignContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import campaigns

    assert opened.backups is None
    monkeypatch.setenv("ESCALATOR_BACKUP_URL", "nosuch://me:word@host/x")
    monkeypatch.setenv("ESCALATOR_BACKUP_PATHS", "no/path")
    desk = campaigns.make_context(draft_campaign(PLAN, parse_bundle(BUNDLE))).backups
    assert desk is not None
    assert desk.installation == Ledger().installation()
    assert "word" not in repr(desk)
    with pytest.raises(InvalidRequestError, match="no/path cannot be saved"):
        assert desk.paths
    with pytest.raises(InvalidRequestError, match="nosuch is no protocol"):
        assert desk.keeper


def snapshot() -> CloudSnapshot:
    return make_cloud(servers=[make_server(name, "n", id=name) for name in "abc"])


def test_the_tasks_see_the_ha_groups_of_the_vnf_files(opened: CampaignContext, folders: Path) -> None:
    (folders / "sbc.yaml").write_text(json.dumps(VNF))
    seen = opened.add_ha_groups(snapshot())
    assert [group.id for group in seen.ha_groups] == ["sbc-1"]
    assert [server.ha_group for server in seen.servers] == ["sbc-1", "sbc-1", None]


def test_the_tasks_see_what_managers_of_vnfs_have_put(
    opened: CampaignContext, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{folders / 'own.db'}"
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    book = Ledger.create_or_upgrade(url).constraints()
    cloud = snapshot()
    for server in cloud.servers[1:]:
        asked = InstanceConstraints(
            project_id=server.project_id, instance_id=server.id, group_id="g", lead_seconds=40
        )
        book.put_instance(cloud.cloud, asked, NOW)
    assert [(group.id, group.lead_seconds) for group in opened.add_ha_groups(cloud).ha_groups] == [("g", 40)]
    (folders / "sbc.yaml").write_text(json.dumps(VNF))
    seen = opened.add_ha_groups(cloud)
    assert [server.ha_group for server in seen.servers] == ["sbc-1", "sbc-1", "g"]
    book.delete_instance(cloud.cloud, "c")
    assert [group.id for group in opened.add_ha_groups(cloud).ha_groups] == ["sbc-1"]


def test_a_vnf_file_with_faults_stops_decisions_but_not_the_opening_of_a_campaign(
    opened: CampaignContext, folders: Path
) -> None:
    (folders / "sbc.yaml").write_text("schema: [")
    with pytest.raises(InvalidRequestError, match=r"sbc\.yaml"):
        opened.add_ha_groups(snapshot())


def test_managers_whose_file_is_gone_in_mid_campaign_are_not_taken_for_none(folders: Path) -> None:
    """Somebody writes it anew at this moment, or deleted it."""
    from escalator_airflow.desks import make_desk

    plan = replace(PLAN, run_id="told")
    desk = make_desk(plan)
    assert desk.managers() == {}, "there never were any"
    notice = Notice(
        session_id=desk.session_id, vnfm="m", project_id="p", state=NoticeState.MAINTENANCE, reply_at=NOW
    )
    desk.ask([notice], NOW)
    with pytest.raises(InvalidRequestError, match=r"vnfms.yaml is not there"):
        make_desk(plan)
    (folders / "inventory" / "vnfms.yaml").write_text("{schema: escalator.vnfms/1, vnfms: []}")
    assert make_desk(plan).managers() == {}, "a person says that there are none any more"


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("something beside the ledger was opened")


@pytest.fixture
def closed(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with every way to a cloud, a node, a connection or an inventory closed."""
    from airflow.sdk import BaseHook

    from escalator_airflow import campaigns
    from escalator_airflow.hooks import node_ssh, openstack

    assert folders
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    for module, name in (
        (openstack, "connect"),
        (openstack, "Cloud"),
        (node_ssh, "NodeShell"),
        (campaigns, "OpenStackCloudHook"),
        (campaigns, "NodeShellHook"),
        (campaigns, "load_inventory"),
    ):
        monkeypatch.setattr(module, name, refuse)
    return campaigns


def test_a_campaign_is_read_without_its_cloud_and_its_nodes(closed: Any) -> None:
    run = Ledger().run(PLAN.campaign, PLAN.run_id)
    run.open(PLAN, dag_id=PLAN.campaign, bundle_document=BUNDLE, snapshot_before={}, now=NOW)
    attempt = run.begin_step("n", Step.MIGRATE, try_number=1, now=NOW)
    run.set_progress("n", NodeState.MIGRATING, now=NOW, attempt=attempt)
    run.record_move("n", MOVE)
    record = read_campaign(PLAN.campaign, PLAN.run_id)
    assert (record.plan, record.bundle) == (PLAN, parse_bundle(BUNDLE))
    assert [(node.host, node.state) for node in record.run.nodes()] == [("n", NodeState.MIGRATING)]
    assert record.run.moves() == (MOVE,)
    with pytest.raises(AssertionError, match="beside the ledger"):
        closed.open_campaign(PLAN.campaign, PLAN.run_id)


@pytest.mark.usefixtures("closed")
def test_a_campaign_that_was_never_opened_says_what_to_do() -> None:
    with pytest.raises(InvalidRequestError, match="ESCALATOR_LEDGER_URL is the same everywhere"):
        read_campaign("upgrade__lab", "never")


def test_a_page_that_reads_campaigns_loads_no_client_of_a_cloud_or_a_node() -> None:
    lines = "import sys, escalator_airflow.records; print({'openstack', 'paramiko'} & set(sys.modules))"
    paths = {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("include", "plugins"))}
    done = subprocess.run(
        [sys.executable, "-c", lines], env=paths, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_who_asks_whether_runs_live_knows_whose_the_leases_are(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import campaigns

    assert folders
    monkeypatch.setattr(campaigns, "OpenStackCloudHook", lambda _id: SimpleNamespace(get_conn=lambda: None))
    monkeypatch.setattr(campaigns, "NodeShellHook", lambda _inventory: NO_NODES)
    plan = replace(PLAN, run_id="lease", installation=Ledger().installation())
    run = Ledger().run(plan.campaign, plan.run_id)
    run.open(plan, dag_id="the_dag", bundle_document=BUNDLE, snapshot_before={}, now=NOW)
    out = make_cloud([leased(make_node("n"), plan)])
    record = draft_campaign(PLAN, parse_bundle(BUNDLE))
    lives = {("the_dag", "lease"): RunLife.DELETED}
    context = campaigns.make_context(record, find_life=lambda *key: lives[key])
    (known,) = context.find_leases(out)
    assert (known.host, known.run_id, known.orphaned) == ("n", "lease", True)
    assert campaigns.make_context(record).find_leases(out) == ()
