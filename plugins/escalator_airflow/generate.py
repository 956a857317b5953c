"""The DAGs that the files ask for: inventory files and bundles are read, no cloud is called."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta

from airflow.sdk import DAG, Param

from escalator.documents.bundle_file import find_bundle_dir, list_bundle_names
from escalator.documents.bundle_list import describe_bundles
from escalator.documents.faults import say_faults
from escalator.inventory.inventory_folder import Inventories
from escalator.inventory.parts import list_parts
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.naming import make_dag_id, make_tag
from escalator.model.procedure import Procedure
from escalator.model.window import Window, Windows
from escalator.model.wording import name_some
from escalator.vim_interface.registry.vnfms import NAME, Vnfms, load_vnfms
from escalator_airflow.graph import build_campaign_dag, make_group_id
from escalator_airflow.inventories import find_inventories
from escalator_airflow.operators.check_cloud import CheckOperator
from escalator_airflow.operators.inventory import InventoryOperator
from escalator_airflow.operators.reconcile import ReconcileOperator
from escalator_airflow.params import make_check_params
from escalator_airflow.settings import inventory_dir
from escalator_airflow.windows import NO_WINDOWS, load_windows, refuse_bad_windows

log = logging.getLogger(__name__)


def list_inventories() -> Inventories:
    """Read every inventory file; what is wrong is named in the log and left out."""
    found = find_inventories()
    for fault in found.faults:
        log.error("left out: %s", fault)
    return found


def _is_wanted(dag_id: str, wanted: str | None, found: Inventories) -> bool:
    return wanted in {None, dag_id} and found.is_own(dag_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Campaign:
    """What one DAG of a procedure is made of."""

    dag_id: str
    inventory: Inventory
    domain: str
    hosts: tuple[str, ...]
    part: int | None
    window: Window | None

    def build(self, procedure: Procedure, hosts: tuple[str, ...], bundles: Mapping[str, str]) -> DAG:
        """Declare it for these of its hosts."""
        return build_campaign_dag(
            procedure, self.inventory, self.domain, hosts, bundles, part=self.part, window=self.window
        )


def _list_campaigns(procedure: Procedure, wanted: str | None = None) -> Iterator[_Campaign]:
    windows = _good_windows() if procedure.in_windows else NO_WINDOWS
    found = list_inventories()
    for inventory in found.good:
        for domain in inventory.domains():
            for part, hosts in list_parts(inventory, domain).items():
                dag_id = make_dag_id(procedure.name, inventory.cloud, domain, part)
                if _is_wanted(dag_id, wanted, found):
                    yield _Campaign(
                        dag_id=dag_id,
                        inventory=inventory,
                        domain=domain,
                        hosts=hosts,
                        part=part,
                        window=windows.of(inventory.cloud, domain),
                    )


def build_campaign_dags(procedure: Procedure, wanted: str | None = None) -> Iterator[DAG]:
    """Declare a procedure's DAGs of every inventory; when a task needs one of them, only that one."""
    bundles = describe_bundles(find_bundle_dir())
    for campaign in _list_campaigns(procedure, wanted):
        try:
            yield campaign.build(procedure, campaign.hosts, bundles)
        except Exception:  # whatever it is, it is no reason to hide the other clouds
            log.exception("left out: DAG %s", campaign.dag_id)


def judge_campaigns(procedure: Procedure) -> None:
    """Try every DAG of a procedure, with one of its nodes: the others differ in their names alone.

    :raises InvalidRequestError: names each DAG that cannot be built, and why.
    """
    bundles, faults = describe_bundles(find_bundle_dir()), []
    for campaign in _list_campaigns(procedure):
        try:
            campaign.build(procedure, campaign.hosts[:1], bundles)
            _refuse_shared_groups(campaign.hosts)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is named
            faults.append(f"DAG {campaign.dag_id} cannot be built: {type(exc).__name__}: {exc}")
    if faults:
        raise InvalidRequestError(
            say_faults(faults),
            remedy="the DAGs of all others are there; the log of the DAG processor says more",
        )


def _refuse_shared_groups(hosts: tuple[str, ...]) -> None:
    groups = Counter(make_group_id(host) for host in hosts)
    shared = [host for host in hosts if groups[make_group_id(host)] > 1]
    if shared:
        raise InvalidRequestError(f"{name_some(shared)} would have one group of tasks")


def build_check_dags(wanted: str | None = None) -> Iterator[DAG]:
    """Declare the DAG that checks the conditions of an upgrade for each cloud that has an inventory."""
    bundles = describe_bundles(find_bundle_dir())
    found = list_inventories()
    for inventory in found.good:
        dag_id = make_dag_id("check", inventory.cloud)
        if _is_wanted(dag_id, wanted, found):
            hosts = tuple(node.host for node in inventory.nodes)
            with DAG(
                dag_id=dag_id,
                description=f"May the nodes of {inventory.cloud} be upgraded smoothly? Writes nothing",
                schedule=None,
                catchup=False,
                params=make_check_params(hosts, bundles),
                tags=["escalator", make_tag(inventory.cloud)],
                is_paused_upon_creation=False,
            ) as dag:
                CheckOperator(
                    task_id="check_conditions",
                    cloud=inventory.cloud,
                    hosts=hosts,
                    retries=2,
                    retry_delay=timedelta(seconds=5),
                    execution_timeout=timedelta(minutes=15),
                )
            yield dag


def build_reconcile_dags(wanted: str | None = None) -> Iterator[DAG]:
    """Declare the DAG that compares, once a day, what is out in a cloud with what should be."""
    found = list_inventories()
    for inventory in found.good:
        dag_id = make_dag_id("reconcile", inventory.cloud)
        if _is_wanted(dag_id, wanted, found):
            with DAG(
                dag_id=dag_id,
                description=f"Is out in {inventory.cloud} what should be? Writes nothing",
                schedule="@daily",
                start_date=inventory.taken_at.astimezone(UTC),  # not at once, beside the first campaign
                catchup=False,
                max_active_runs=1,
                tags=["escalator", make_tag(inventory.cloud)],
                is_paused_upon_creation=False,
            ) as dag:
                ReconcileOperator(
                    task_id="reconcile",
                    cloud=inventory.cloud,
                    retries=2,
                    retry_delay=timedelta(seconds=30),
                    execution_timeout=timedelta(minutes=15),
                )
            yield dag


def judge_windows() -> Windows:
    """Read the windows, and refuse those that no upgrade can begin with.

    :raises InvalidRequestError: names every fault.
    """
    windows = load_windows()
    if windows.windows:
        refuse_bad_windows(
            windows, {i.cloud: i for i in list_inventories().good}, list_bundle_names(find_bundle_dir())
        )
    return windows


def judge_vnfms() -> Vnfms:
    """Read the managers of VNFs, and refuse those of clouds that are not known.

    :raises InvalidRequestError: names every fault.
    """
    found = load_vnfms(inventory_dir())
    clouds = {inventory.cloud for inventory in list_inventories().good} if found.vnfms else set()
    lost = [f"{vnfm.id} is of cloud {vnfm.cloud}" for vnfm in found.vnfms if vnfm.cloud not in clouds]
    if lost:
        raise InvalidRequestError(
            f"{inventory_dir() / NAME}: {', '.join(lost)}, which has no inventory",
            remedy=f"correct {NAME}, or run the DAG `inventory` for that cloud",
        )
    return found


def _good_windows() -> Windows:
    """Read the windows; with any fault in them or in the managers of VNFs there are none.

    Nothing is upgraded by mistake, and nobody is upgraded whose manager would not be told.
    """
    try:
        windows = judge_windows()
        if windows.windows:
            judge_vnfms()
        return windows  # noqa: TRY300 - it is what was judged
    except EscalatorError as exc:
        log.error("no maintenance windows: %s", exc)  # noqa: TRY400  the message says it all
        return NO_WINDOWS
    except Exception:  # whatever it is, it is no reason to hide every DAG
        log.exception("no maintenance windows")
        return NO_WINDOWS


def build_inventory_dag() -> DAG:
    """Declare the DAG that refreshes an inventory file from a cloud.

    :raises InvalidRequestError: the components would not find the same folder.
    """
    inventory_dir()
    with DAG(
        dag_id="inventory",
        description="Read a cloud and write the inventory that the upgrade DAGs are made from",
        schedule=None,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        params={
            "cloud": Param(
                None,
                type="string",
                pattern="^[A-Za-z0-9_.-]+$",
                title="Cloud",
                description="What DAGs and reports will call it; the connection says where it is",
            ),
            "cloud_conn_id": Param("openstack_default", type="string", title="Connection of the cloud"),
            "ssh_conn_id": Param("escalator_ssh", type="string", title="Connection of its nodes"),
            "versions": Param(
                False,
                type="boolean",
                title="Read what the nodes run",
                description="System, kernel, libvirt, QEMU and others, over SSH, for `escalator check`; a "
                "campaign and the DAG check read them anyway",
            ),
        },
        tags=["escalator"],
    ) as dag:
        InventoryOperator(task_id="refresh", execution_timeout=timedelta(minutes=15))
    return dag
