"""The options of a verb that reads a cloud: which one, its region, the file that has it."""

from __future__ import annotations

import argparse
from pathlib import Path

from escalator.cloud_manager.client_config import name_cloud
from escalator.cloud_manager.credentials import CloudCredentials


def add_cloud_options(parser: argparse.ArgumentParser, *, cloud: bool = True) -> None:
    """Declare ``--cloud``, ``--region`` and ``--clouds-yaml``; the defaults are the OpenStack client's.

    :param cloud: whether ``--cloud`` is declared here; else by the verb.
    """
    if cloud:
        parser.add_argument(
            "--cloud", metavar="NAME", help="name in clouds.yaml; default: OS_CLOUD, or that of the openrc"
        )
    parser.add_argument(
        "--region",
        metavar="NAME",
        help="region, when the cloud has several; default: OS_REGION_NAME, or as the file says",
    )
    parser.add_argument(
        "--clouds-yaml",
        type=Path,
        metavar="FILE",
        help="default: OS_CLIENT_CONFIG_FILE, or the usual places",
    )


def name_cloud_of(args: argparse.Namespace) -> CloudCredentials:
    """Find the cloud that :func:`add_cloud_options` let a person name; its ``label`` is its name.

    :raises InvalidRequestError: no cloud is meant, it is in no file, or the file cannot be read.
    """
    return name_cloud(args.cloud, args.region, path=args.clouds_yaml)
