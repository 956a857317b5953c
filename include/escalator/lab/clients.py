"""The files that tell clients how to reach the lab: clouds.yaml, openrc, known_hosts, lab.json."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from escalator.lab.config import PASSWORD, REGION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from escalator.lab.config import ControlConfig
    from escalator.lab.nodes import Node

CLOUD_NAME = "lab"
SCHEMA = "escalator.lab/1"


def write_client_files(config: ControlConfig, nodes: Sequence[Node]) -> None:
    """Write the client files into the run folder; a second run writes the same again."""
    run = config.settings.run
    (run / "clouds.yaml").write_text(clouds_yaml(config))
    (run / "clouds.yaml").chmod(0o600)
    (run / "openrc").write_text(openrc(config))
    (run / "openrc").chmod(0o600)
    (run / "known_hosts").write_text("".join(node.known_host() for node in nodes))
    (run / "lab.json").write_text(json.dumps(lab_json(config, nodes), indent=1) + "\n")


def clouds_yaml(config: ControlConfig) -> str:
    """Return the clouds.yaml of the administrator."""
    return f"""\
clouds:
  {CLOUD_NAME}:
    auth_type: v3password
    auth:
      auth_url: {config.auth_url}
      username: admin
      password: {PASSWORD}
      project_name: admin
      user_domain_name: Default
      project_domain_name: Default
    region_name: {REGION}
    interface: public
    identity_api_version: 3
"""


def openrc(config: ControlConfig) -> str:
    """Return the shell variables of the administrator."""
    variables = {
        "OS_AUTH_URL": config.auth_url,
        "OS_USERNAME": "admin",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": REGION,
        "OS_INTERFACE": "public",
        "OS_IDENTITY_API_VERSION": "3",
    }
    lines = [f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()]
    return "".join(lines) + f'export PATH={shlex.quote(str(config.settings.control_venv / "bin"))}:"$PATH"\n'


def lab_json(config: ControlConfig, nodes: Sequence[Node]) -> dict[str, object]:
    """Return what programs need to know about the lab."""
    settings = config.settings
    return {
        "schema": SCHEMA,
        "cloud": CLOUD_NAME,
        "auth_url": config.auth_url,
        "clouds_yaml": str(settings.run / "clouds.yaml"),
        "ssh": {
            "user": "root",
            "port": settings.ssh_port,
            "key_file": str(settings.ssh_key),
            "known_hosts": str(settings.run / "known_hosts"),
        },
        "nodes": [
            {"host": node.host, "address": node.address, "directory": str(node.directory)} for node in nodes
        ],
        "from_release": settings.from_release,
        "to_release": settings.to_release,
        "events": [str(node.events_file) for node in nodes],
    }
