"""The desk of a run: who is registered, what was told and answered, and the means to tell it."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

from airflow.configuration import conf

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.maintenance_session import RUN_ID_PREFIX, SessionState, name_session
from escalator.vim_interface.delivery.courier import Courier
from escalator.vim_interface.delivery.messaging import open_message_bus
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry.vnfms import load_vnfms
from escalator_airflow.hooks.vim import find_transport_url, find_vnfm_credentials
from escalator_airflow.settings import inventory_dir

URL_VARIABLE = "ESCALATOR_VIM_URL"
URL_PATH = "/vim"
"""Where the VIM interface's HTTP API is, below the address of Airflow's API server."""


def find_vim_url() -> str:
    """Return the address of the API of all clouds: ``ESCALATOR_VIM_URL``, else below Airflow's own.

    :raises InvalidRequestError: neither says where managers of VNFs reach it.
    """
    airflow = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    url = os.environ.get(URL_VARIABLE) or airflow + URL_PATH
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidRequestError(
            f"managers of VNFs are registered, and {url!r} is no address that they could answer at",
            remedy=f"set {URL_VARIABLE} to that of the VIM interface, such as https://airflow.example/vim",
        )
    return url


def make_desk(plan: CampaignPlan) -> VimDesk:
    """Make the desk of a campaign's run.

    :raises InvalidRequestError: the registry has faults, it names managers that could not answer us, or it is
        gone since managers were told of the run.
    """
    ledger, cloud = Ledger(), plan.request.cloud
    session_id = name_session(plan.installation, plan.campaign, plan.run_id)
    notices, vnfms = ledger.notices(), load_vnfms(inventory_dir())
    load_again = partial(load_vnfms, inventory_dir(), must_exist=True)
    if not vnfms.vnfms and notices.find(session_id):
        vnfms = load_again()
    return VimDesk(
        session_id=session_id,
        cloud=cloud,
        run=(plan.campaign, plan.run_id),
        vnfms=vnfms,
        notices=notices,
        is_run_over=lambda campaign, run_id: all(
            node.state.ended for node in ledger.run(campaign, run_id).nodes()
        ),
        courier=Courier(
            notices,
            vnfms,
            find_vnfm_credentials,
            find_vim_url() if vnfms.of_cloud(cloud) else URL_PATH,
            utcnow,
            bus=open_message_bus(find_transport_url()),
            reload=load_again,
        ),
    )


def fail_session_of(run_id: str) -> None:
    """Let a session that a POST opened fail with its run, which began no campaign."""
    if run_id.startswith(RUN_ID_PREFIX):
        with suppress(NotFoundError):
            session_id = run_id.removeprefix(RUN_ID_PREFIX)
            Ledger().notices().set_session_state(session_id, SessionState.MAINTENANCE_FAILED)
