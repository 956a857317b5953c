"""``escalator vim register``: puts the VIM interface into the catalogue of a cloud, where VNFMs look."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.catalogue import ensure_endpoint
from escalator.cloud_manager.cloud_options import add_cloud_options, name_cloud_of
from escalator.cloud_manager.connection import connect
from escalator.model.errors import InvalidRequestError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SERVICE_TYPE = "maintenance"
"""Of Fenix: its clients find the API by it."""
SERVICE_NAME = "escalator"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``vim``."""
    parser = subparsers.add_parser("vim", help="the VIM interface's API")
    verbs = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    register = verbs.add_parser("register", help="put its address into a cloud's catalogue (role admin)")
    add_cloud_options(register)
    register.add_argument(
        "--name", metavar="CLOUD", help="what the inventory calls the cloud; default: as clouds.yaml does"
    )
    register.add_argument("--url", required=True, help="address of Airflow as VNFMs reach it")


def run(args: argparse.Namespace) -> int:
    """Register; a second run changes nothing.

    :return: 0.
    :raises InvalidRequestError: the address is none.
    """
    credentials = name_cloud_of(args)
    url = make_endpoint_url(args.url, args.name or credentials.label)
    connection = connect(credentials, CallCounter())
    ensure_endpoint(connection, service_type=SERVICE_TYPE, name=SERVICE_NAME, url=url)
    print(f"{SERVICE_TYPE}: {url}")  # noqa: T201
    return 0


def make_endpoint_url(url: str, cloud: str) -> str:
    """Return the address that VNFMs find: ``…/vim/<cloud>/v1``.

    :param url: of Airflow, or of the API (ending in ``/vim``).
    :raises InvalidRequestError: it is no http(s) address.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an IPv6 address without its end, a port of letters
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise InvalidRequestError(
            f"{url!r} is no address", remedy="give one such as https://airflow.example:8080"
        )
    base = url.rstrip("/")
    if not base.endswith("/vim"):
        base += "/vim"
    return f"{base}/{quote(cloud, safe='')}/v1"
