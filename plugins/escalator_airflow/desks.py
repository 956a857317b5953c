"""The desk of a run: who is registered, what was told and answered, and the means to tell it."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from airflow.configuration import conf

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import RUN_ID_PREFIX, name_session
from escalator.model.run_life import FindLife
from escalator.steps.campaign.announce import end_session
from escalator.vim_interface.delivery.courier import Courier
from escalator.vim_interface.delivery.messaging import open_message_bus
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry.vnfms import load_vnfms
from escalator_airflow.hooks.vim import find_transport_url, find_vnfm_credentials
from escalator_airflow.settings import inventory_dir

log = logging.getLogger(__name__)

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
    session_id = name_session(plan.installation, plan.campaign, plan.run_id)
    return _make_desk(session_id, plan.request.cloud, (plan.campaign, plan.run_id))


def find_session_start(run_id: str) -> datetime | None:
    """Return the moment before which the session that began a run touches no node; None: it has none."""
    if not run_id.startswith(RUN_ID_PREFIX):
        return None
    session = Ledger().notices().session(run_id.removeprefix(RUN_ID_PREFIX))
    return session.not_before if session is not None else None


def fail_session_of(dag_id: str, run_id: str, find_life: FindLife) -> None:
    """Let a session that a POST opened fail with its run, which began no campaign.

    When it was the last run of the session that went on, the projects that others told hear that it is over.
    """
    session_id, run, book = run_id.removeprefix(RUN_ID_PREFIX), (dag_id, run_id), Ledger().notices()
    session = book.session(session_id) if run_id.startswith(RUN_ID_PREFIX) else None
    if session is None:
        return
    try:
        desk = _make_desk(session.id, session.cloud, run)
    except InvalidRequestError as exc:
        log.error("no manager is told anything: %s", exc)  # noqa: TRY400  the message says it all
        book.end_run(session.id, run, failed=True)
        return
    end_session(desk, utcnow(), find_life, failed=True, asks=False)


def _make_desk(session_id: str, cloud: str, run: tuple[str, str]) -> VimDesk:
    notices, vnfms = Ledger().notices(), load_vnfms(inventory_dir())
    load_again = partial(load_vnfms, inventory_dir(), must_exist=True)
    if not vnfms.vnfms and notices.find(session_id):
        vnfms = load_again()
    return VimDesk(
        session_id=session_id,
        cloud=cloud,
        run=run,
        vnfms=vnfms,
        notices=notices,
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
