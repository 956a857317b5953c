"""From an Airflow task to its campaign, and the means to carry it out: its cloud and its nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from escalator.inventory.inventory_file import read_inventory
from escalator.leases.known import FindLife
from escalator.ledger.campaign_record import CampaignRecord
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.cloud import CloudSnapshot
from escalator.model.inventory import Inventory
from escalator.steps.running.context import CampaignContext, find_no_leases
from escalator.system_support.mechanisms import choose_mechanism
from escalator.vim_interface.registry import add_ha_groups_of, load_ha_sources
from escalator.vim_interface.registry.pushed import read_pushed_constraints
from escalator_airflow.hooks.node_ssh import NodeShellHook
from escalator_airflow.hooks.openstack import OpenStackCloudHook
from escalator_airflow.records import find_leases, read_campaign
from escalator_airflow.settings import inventory_dir


def load_inventory(cloud: str) -> Inventory:
    """Read the inventory file of a cloud."""
    return read_inventory(inventory_dir() / f"{cloud}.json")


def make_context(record: CampaignRecord, *, find_life: FindLife | None = None) -> CampaignContext:
    """Open what the steps of a campaign need: its cloud and its nodes.

    :param find_life: says whether a run lives; with it, the context knows whose leases are in the cloud.
    """
    inventory = load_inventory(record.plan.request.cloud)
    return CampaignContext(
        record=record,
        inventory=inventory,
        cloud=OpenStackCloudHook(inventory.cloud_conn_id).get_conn(),
        mechanism=choose_mechanism(record.bundle.mechanism),
        connect=NodeShellHook(inventory).get_conn(),
        clock=utcnow,
        sleep=time.sleep,
        add_ha_groups=_add_ha_groups,
        find_leases=partial(find_leases, find_life) if find_life is not None else find_no_leases,
    )


def _add_ha_groups(snapshot: CloudSnapshot) -> CloudSnapshot:
    """Add the HA groups of the VNF files, of managers of VNFs, as they are now, and of servers' metadata.

    :raises InvalidRequestError: a file has faults, or the files contradict one another.
    """
    pushed = read_pushed_constraints(Ledger().constraints(), snapshot.cloud)
    return add_ha_groups_of(snapshot, load_ha_sources(pushed=pushed))


def open_campaign(dag_id: str, run_id: str) -> CampaignContext:
    """Read the campaign of a run, and open what its steps need.

    :raises InvalidRequestError: there is none.
    """
    return make_context(read_campaign(dag_id, run_id))


def run_of(context: Mapping[str, Any]) -> tuple[str, str]:
    """Return DAG id and run id of a task's context."""
    return str(context["dag_run"].dag_id), str(context["dag_run"].run_id)


def read_asked_for(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's values, and the keys of the conf that the form does not have."""
    conf = dict(context["dag_run"].conf or {})
    return {**conf, **dict(context["params"])}
