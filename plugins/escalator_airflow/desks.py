"""The desk of a run: who is registered, what was told and answered, and the means to tell it."""

from __future__ import annotations

import os

from airflow.configuration import conf
from airflow.sdk import BaseHook

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan
from escalator.model.clock import utcnow
from escalator.model.cloud import CloudSnapshot
from escalator.model.maintenance_session import name_session
from escalator.vim_interface.delivery.courier import Courier
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.desk import SwitchMeans, VimDesk
from escalator.vim_interface.registry import find_means, find_probes, load_ha_sources
from escalator.vim_interface.registry.vnf_files import VnfFiles
from escalator.vim_interface.registry.vnfms import load_vnfms
from escalator_airflow.settings import inventory_dir

URL_PATH = "/vim"
"""Where the VIM interface's HTTP API is, below the address of Airflow's API server."""


def find_vim_url() -> str:
    """Return the address of the API of all clouds: ``ESCALATOR_VIM_URL``, else below Airflow's own."""
    return os.environ.get("ESCALATOR_VIM_URL") or f"{conf.get('api', 'base_url', fallback='')}{URL_PATH}"


def make_desk(plan: CampaignPlan) -> VimDesk:
    """Make the desk of a campaign's run.

    :raises InvalidRequestError: the registry has faults.
    """
    ledger, cloud = Ledger(), plan.request.cloud
    notices, vnfms = ledger.notices(), load_vnfms(inventory_dir())
    return VimDesk(
        session_id=name_session(plan.installation, plan.campaign, plan.run_id),
        cloud=cloud,
        run=(plan.campaign, plan.run_id),
        vnfms=vnfms,
        notices=notices,
        courier=Courier(notices, vnfms, read_credentials, find_vim_url(), utcnow),
        switches=ledger.switches(),
        quotas=ledger.quotas(),
        find_means=_find_means if _is_declared() else None,
    )


def _is_declared() -> bool:
    """Tell whether a VNF file says how a group is switched over, or where it is probed."""
    files = (source for source in load_ha_sources() if isinstance(source, VnfFiles))
    return any(group.means or group.probe for source in files for group in source.declared)


def _find_means(snapshot: CloudSnapshot) -> SwitchMeans:
    """Read how the groups of a cloud are switched over and probed, by the VNF files as they are now."""
    sources = load_ha_sources()
    return SwitchMeans(means=find_means(snapshot, sources), probes=find_probes(snapshot, sources))


def read_credentials(conn_id: str) -> Credentials:
    """Read the credentials of a manager's address from its Airflow connection."""
    connection = BaseHook.get_connection(conn_id)
    token = connection.extra_dejson.get("token")
    return Credentials(login=connection.login, password=connection.password, token=token)
