"""The desk of a run: who is registered, what was told and answered, and the means to tell it."""

from __future__ import annotations

import os

from airflow.configuration import conf
from airflow.sdk import BaseHook

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan
from escalator.model.clock import utcnow
from escalator.model.maintenance_session import name_session
from escalator.vim_interface.delivery.courier import Courier, Credentials
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry.vnfms import load_vnfms
from escalator_airflow.settings import inventory_dir

URL_PATH = "/vim"
"""Where the VIM interface's HTTP API is, below the address of Airflow's API server."""


def vim_url(cloud: str) -> str:
    """Return the address of a cloud's API: below ``ESCALATOR_VIM_URL``, else below Airflow's own."""
    base = os.environ.get("ESCALATOR_VIM_URL") or conf.get("api", "base_url", fallback="") + URL_PATH
    return f"{base.rstrip('/')}/{cloud}/v1"


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
        courier=Courier(notices, vnfms, read_credentials, vim_url(cloud), utcnow),
    )


def read_credentials(conn_id: str) -> Credentials:
    """Read the credentials of a manager's address from its Airflow connection."""
    connection = BaseHook.get_connection(conn_id)
    return Credentials(user=connection.login, password=connection.password)
