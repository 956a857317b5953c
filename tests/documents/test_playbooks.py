from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from escalator.documents.bundles import parse_bundle
from escalator.model.bundle import AnsibleMechanism, KollaAnsibleMechanism, KollaRun, PlaybookRun
from escalator.model.errors import InvalidRequestError

ANSIBLE: dict[str, Any] = {
    "type": "ansible",
    "service": "nova-compute",
    "version": "v",
    "activate": {"playbook": "nova/upgrade.yml"},
}
RING: dict[str, Any] = {}
RING["again"] = RING
KOLLA: dict[str, Any] = {
    "type": "kolla-ansible",
    "service": "kolla-nova_compute-container",
    "version": "v",
    "inventory": "/etc/kolla/multinode",
}


def bundle(mechanism: dict[str, Any]) -> dict[str, Any]:
    components = [{"name": "nova-compute", "to": "34.0.0"}]
    return {
        "schema": "escalator.bundle/1",
        "name": "b",
        "components": components,
        "mechanism": mechanism,
    }


def refused(mechanism: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse_bundle(bundle(mechanism))
    return caught.value.message


def test_what_is_left_out_takes_its_default() -> None:
    found = parse_bundle(bundle(ANSIBLE))
    run = PlaybookRun(playbook="nova/upgrade.yml")
    assert found.mechanism == AnsibleMechanism(service="nova-compute", version="v", activate=run)
    assert found.command_limit_seconds == 900
    found = parse_bundle(bundle(KOLLA))
    assert found.mechanism == KollaAnsibleMechanism(
        service="kolla-nova_compute-container", version="v", inventory="/etc/kolla/multinode"
    )
    assert found.command_limit_seconds == 1800


def test_all_that_can_be_said() -> None:
    more = {
        "stage": {"playbook": "nova/stage.yml", "tags": ["stage"], "skip_tags": ["slow"]},
        "inventory": "hosts.ini",
        "inventory_host": "{host}.example.org",
        "extra_vars": {"mirror": "https://m", "list": [1, {"a": None}], "on": True},
        "vault": "site-vault",
        "check_mode": False,
        "stage_seconds": 60,
    }
    assert parse_bundle(bundle({**ANSIBLE, **more})).mechanism == AnsibleMechanism(
        service="nova-compute",
        version="v",
        activate=PlaybookRun(playbook="nova/upgrade.yml"),
        stage=PlaybookRun(playbook="nova/stage.yml", tags=("stage",), skip_tags=("slow",)),
        inventory="hosts.ini",
        inventory_host="{host}.example.org",
        extra_vars={"mirror": "https://m", "list": [1, {"a": None}], "on": True},
        vault="site-vault",
        check_mode=False,
        stage_seconds=60.0,
    )
    more = {"stage": None, "activate": {"action": "deploy"}, "program": "/opt/kolla/bin/kolla-ansible"}
    found = parse_bundle(bundle({**KOLLA, **more})).mechanism
    assert isinstance(found, KollaAnsibleMechanism)
    assert (found.stage, found.activate) == (None, KollaRun(action="deploy"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"activate": {"playbook": "/etc/x.yml"}},
            "activate.playbook: must be a path in the playbook",
        ),
        (
            {"activate": {"playbook": "a/../../x.yml"}},
            "activate.playbook: must be a path in the playbook",
        ),
        ({"activate": {"playbook": "-x.yml"}}, "activate.playbook: must be a path in the playbook"),
        ({"activate": {"playbook": "x.yml", "tags": ["a,b"]}}, "activate.tags[0]: must be a tag"),
        ({"stage": {"tags": []}}, "stage.playbook: is required"),
        ({"inventory": "../hosts"}, "inventory: must be a path in the playbook folder, or an absolute one"),
        ({"inventory_host": "node-01"}, "inventory_host: must be a name with {host} in it"),
        ({"inventory_host": "{host},all"}, "inventory_host: must be a name with {host} in it"),
        ({"inventory_host": "-{host}"}, "inventory_host: must be a name with {host} in it"),
        ({"extra_vars": {"a": {"b": date(2026, 1, 1)}}}, "extra_vars.a.b: must be text, a number,"),
        ({"extra_vars": {"a": date(2026, 1, 1)}}, "extra_vars.a: must be text, a number, true or"),
        ({"extra_vars": {"a": [float("inf")]}}, "extra_vars: has a number that is infinite"),
        ({"extra_vars": {"a": RING}}, "extra_vars.a.again: has itself in it"),
        ({"extra_vars": {"a": "\ud800"}}, "extra_vars: has a text with half a character"),
        ({"extra_vars": {"ansible_user": "x"}}, "extra_vars: ansible_user cannot be set here"),
        ({"extra_vars": {"escalator_host": "x"}}, "extra_vars: escalator_host cannot be set here"),
        ({"extra_vars": {"a b": 1}}, "extra_vars: 'a b' cannot be the name of a variable"),
        ({"extra_vars": {"a": "x" * 20_000}}, "extra_vars: has more than 20000 characters"),
        ({"vault": "a b"}, "vault: must be the id of a connection"),
        ({"activate_seconds": 9000}, "activate_seconds: must be a number of seconds"),
        ({"activate": {"action": "upgrade"}}, "activate.playbook: is required"),
    ],
)
def test_a_fault_is_named_with_its_place(changes: dict[str, Any], said: str) -> None:
    assert f"mechanism.{said}" in refused({**ANSIBLE, **changes})


def test_kolla_ansible_has_an_inventory_of_its_own() -> None:
    assert "mechanism.inventory: is required" in refused({k: v for k, v in KOLLA.items() if k != "inventory"})
    assert "mechanism.activate.action: must be a command" in refused({**KOLLA, "activate": {"action": "-h"}})
