"""From an Airflow task to its campaign, and the means to carry it out: its cloud and its nodes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from escalator.backups.desk import BackupDesk
from escalator.backups.saved import find_saved
from escalator.cloud_manager.cloud import Cloud
from escalator.events.event import ESCALATOR
from escalator.events.told_run import ToldRun
from escalator.events.told_switches import ToldSwitchBook
from escalator.inventory.inventory_file import read_inventory
from escalator.ledger.campaign_record import CampaignRecord
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.cloud import CloudSnapshot
from escalator.model.digest import compute_digest
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.run_life import FindLife, ask_nobody
from escalator.settings.places import find_playbook_dir
from escalator.steps.running.context import CampaignContext, find_no_leases
from escalator.system_support.mechanisms import (
    NodeMechanism,
    choose_mechanism,
    find_brought,
    make_restoring,
    turn_around,
)
from escalator.system_support.playbooks.worker import WorkerSide
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry import (
    SwitchMeans,
    Vnfms,
    add_ha_groups_of,
    find_means,
    find_probes,
    load_ha_sources,
)
from escalator.vim_interface.registry.pushed import read_pushed_constraints
from escalator.vim_interface.registry.vnf_files import VnfFiles
from escalator_airflow.alerts import find_alerts
from escalator_airflow.desks import make_desk
from escalator_airflow.hooks.node_ssh import NodeShellHook
from escalator_airflow.hooks.openstack import OpenStackCloudHook
from escalator_airflow.power import find_power
from escalator_airflow.records import find_leases, read_campaign
from escalator_airflow.settings import inventory_dir
from escalator_airflow.shared_clouds import open_shared_cloud
from escalator_airflow.telling import make_teller

log = logging.getLogger(__name__)


def load_inventory(cloud: str) -> Inventory:
    """Read the inventory file of a cloud."""
    return read_inventory(inventory_dir() / f"{cloud}.json")


def make_context(
    record: CampaignRecord,
    *,
    find_life: FindLife | None = None,
    desk: VimDesk | None = None,
    vnfms: Vnfms | None = None,
    shared_cloud: bool = False,
    started_by: str = ESCALATOR,
) -> CampaignContext:
    """Open what the steps of a campaign need: its cloud and its nodes. What they record is told.

    :param desk: speaks with the managers of VNFs; None: nobody is spoken with.
    :param vnfms: who is registered; None: those that the desk knows.
    :param shared_cloud: share the connection with all who keep watch in this process.
    :param started_by: whose wish the campaign is.
    :param find_life: says whether a run lives; with it, the context knows whose leases are in the cloud.
    """
    ledger, inventory = Ledger(), load_inventory(record.plan.request.cloud)
    nodes = NodeShellHook(inventory)
    open_cloud = open_shared_cloud if shared_cloud else _open_cloud
    connect = nodes.get_conn()
    plan = record.plan
    teller = make_teller(plan, inventory, ledger, started_by=started_by)
    run = ledger.open(lambda database: ToldRun(database, plan.campaign, plan.run_id, teller))
    return CampaignContext(
        record=replace(record, run=run),
        inventory=inventory,
        cloud=open_cloud(inventory.cloud_conn_id),
        mechanism=_find_mechanism(record, nodes),
        connect=connect,
        find_power=partial(find_power, inventory, connect),
        backups=BackupDesk.find(ledger.backups(), installation=plan.installation, clock=utcnow),
        clock=utcnow,
        sleep=time.sleep,
        add_ha_groups=_add_ha_groups,
        find_leases=partial(find_leases, find_life) if find_life is not None else find_no_leases,
        find_life=find_life or ask_nobody,
        desk=desk,
        switches=ledger.open(lambda database: ToldSwitchBook(database, teller)),
        quotas=ledger.quotas(),
        watches=ledger.watches(),
        alerts=find_alerts(inventory),
        teller=teller,
        find_means=_find_means if _is_any_declared() else None,
        vnfms=vnfms or (desk.vnfms if desk is not None else Vnfms()),
    )


def _find_mechanism(record: CampaignRecord, nodes: NodeShellHook) -> NodeMechanism:
    """Return what brings the bundle to nodes; of a campaign that takes a run back, the same in reverse."""
    bundle, undoes, restores = record.bundle, record.plan.undoes, record.plan.restores
    chosen = choose_mechanism(
        bundle.mechanism if restores else find_brought(bundle, undoes),
        bundle.artefacts,
        impact=bundle.impact,
        runs_hooks=bundle.has_hooks,
        reboots=bundle.may_reboot,
        worker=_find_worker(nodes),
    )
    if restores is not None:
        saved = find_saved(Ledger().backups(), restores.backup)
        token = compute_digest({"campaign": record.plan.campaign, "run": record.plan.run_id})
        return make_restoring(chosen, bundle, saved, token, worker=_find_worker(nodes))
    return turn_around(chosen, bundle, undoes)


def _find_worker(nodes: NodeShellHook) -> WorkerSide:
    """Return what bundles find on this worker; connections are read when they are needed."""
    return WorkerSide(
        find_route=nodes.find_route,
        find_password=nodes.find_password,
        playbooks=find_playbook_dir().absolute(),
    )


def _open_cloud(conn_id: str) -> Cloud:
    return OpenStackCloudHook(conn_id).get_conn()


def _is_any_declared() -> bool:
    """Tell whether a VNF file says how a group is switched over, or where it is probed."""
    try:
        files = (source for source in load_ha_sources() if isinstance(source, VnfFiles))
        return any(group.means or group.probe for source in files for group in source.declared)
    except InvalidRequestError:
        return True  # whoever reads the cloud says what is wrong


def _find_means(snapshot: CloudSnapshot) -> SwitchMeans:
    """Read how the groups of a cloud are switched over and probed, by the VNF files as they are now."""
    sources = load_ha_sources()
    return SwitchMeans(means=find_means(snapshot, sources), probes=find_probes(snapshot, sources))


def _add_ha_groups(snapshot: CloudSnapshot) -> CloudSnapshot:
    """Add the HA groups of the VNF files, of managers of VNFs, as they are now, and of servers' metadata.

    :raises InvalidRequestError: a file has faults, or the files contradict one another.
    """
    pushed = read_pushed_constraints(Ledger().constraints(), snapshot.cloud)
    return add_ha_groups_of(snapshot, load_ha_sources(pushed=pushed))


def open_campaign(
    dag_id: str,
    run_id: str,
    *,
    in_any_case: bool = False,
    find_life: FindLife | None = None,
    shared_cloud: bool = False,
) -> CampaignContext:
    """Read the campaign of a run, and open what its steps need.

    :param in_any_case: for what gives back and concludes: faults in the registry of managers keep it from
        telling anybody, and from nothing else.
    :param find_life: says whether another run lives.
    :param shared_cloud: for who keeps watch: all in this process share one connection, and its looks.
    :raises InvalidRequestError: there is none, or the registry of managers has faults.
    """
    record = read_campaign(dag_id, run_id)
    try:
        desk = make_desk(record.plan)
    except InvalidRequestError as exc:
        if not in_any_case:
            raise
        log.error("no manager is told anything: %s", exc)  # noqa: TRY400  the message says it all
        return make_context(record, find_life=find_life)
    return make_context(record, find_life=find_life, desk=desk, shared_cloud=shared_cloud)


def run_of(context: Mapping[str, Any]) -> tuple[str, str]:
    """Return DAG id and run id of a task's context."""
    return str(context["dag_run"].dag_id), str(context["dag_run"].run_id)


def read_asked_for(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's values, and the keys of the conf that the form does not have."""
    conf = dict(context["dag_run"].conf or {})
    return {**conf, **dict(context["params"])}
