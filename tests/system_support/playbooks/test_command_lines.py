from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import pytest

from escalator.model.bundle import AnsibleMechanism, KollaRun, PlaybookRun
from escalator.model.errors import InvalidRequestError
from escalator.system_support.playbooks.command_lines import (
    make_vars,
    name_host,
    write_kolla_line,
    write_playbook_line,
)

MECHANISM = AnsibleMechanism(service="nova-compute", version="v", activate=PlaybookRun(playbook="nova.yml"))


def test_the_line_of_a_playbook() -> None:
    line = write_playbook_line(
        PlaybookRun(playbook="nova/upgrade.yml", tags=("stage", "nova"), skip_tags=("slow",)),
        playbooks=PurePath("/srv/playbooks"),
        inventory="/srv/inventory",
        limit="node-01",
        vars_file="/run/x/vars.json",
        vault_file="/run/x/vault",
        check=True,
    )
    assert " ".join(line) == (
        "ansible-playbook --inventory /srv/inventory --limit node-01 --extra-vars @/run/x/vars.json"
        " --tags stage,nova --skip-tags slow --vault-password-file /run/x/vault --check"
        " /srv/playbooks/nova/upgrade.yml"
    )


def test_the_line_of_kolla_ansible_begins_with_its_command() -> None:
    line = write_kolla_line(
        KollaRun(action="upgrade", tags=("nova",)),
        program="/opt/kolla/bin/kolla-ansible",
        config_dir="/etc/kolla",
        inventory="/etc/kolla/multinode",
        limit="node-01",
        vars_file="/run/x/vars.json",
    )
    assert " ".join(line) == (
        "/opt/kolla/bin/kolla-ansible upgrade --configdir /etc/kolla --inventory /etc/kolla/multinode"
        " --limit node-01 --extra-vars @/run/x/vars.json --tags nova"
    )


def test_a_node_is_called_as_the_inventory_calls_it() -> None:
    assert name_host(MECHANISM, "node-01") == "node-01"
    assert name_host(replace(MECHANISM, inventory_host="{host}.example.org"), "n1") == "n1.example.org"


@pytest.mark.parametrize(
    "host", ["all", "localhost", "ungrouped", "*", "node-0[1:9]", "!node-01", "a,b", "a:b", "@file", "-x", ""]
)
def test_what_could_be_more_than_one_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequestError, match="the one host"):
        name_host(MECHANISM, host)


def test_what_a_bundle_gives_does_not_stand_over_what_escalator_gives() -> None:
    made = make_vars({"a": 1}, host="node-01", service="nova-compute", version="34.0.0", artefacts="")
    assert made == {
        "a": 1,
        "escalator_host": "node-01",
        "escalator_service": "nova-compute",
        "escalator_version": "34.0.0",
        "escalator_artefacts": "",
    }
