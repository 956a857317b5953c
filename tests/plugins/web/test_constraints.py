from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.web.conftest import NOW, OURS, THEIRS, Caller, World

from escalator.ledger.ledger import Ledger
from escalator.model.constraints import GroupConstraints, InstanceConstraints

pytestmark = pytest.mark.airflow
INSTANCE = {
    "instance_id": "vm-1",
    "project_id": OURS,
    "group_id": "g-1",
    "instance_name": "sbc 1",
    "max_interruption_time": 120,
    "migration_type": "LIVE_MIGRATE",
    "resource_mitigation": True,
    "lead_time": 40,
}
GROUP = {
    "group_id": "g-1",
    "project_id": OURS,
    "group_name": "sbc",
    "anti_affinity_group": True,
    "max_instances_per_host": 1,
    "max_impacted_members": 1,
    "recovery_time": 4,
    "resource_mitigation": True,
    "max_number_of_impacted_instances": [{"group_size": 4, "max_number_of_impacted_instances": 2}],
    "min_number_of_preserved_instances": [{"min_number_of_preserved_instances": 1}],
}


def test_an_instance_is_put_read_changed_and_deleted(vnfm: Caller, ledger: Ledger) -> None:
    put = vnfm("PUT", "/instance/vm-1", INSTANCE)
    assert (put.status_code, put.json()) == (200, INSTANCE)
    assert vnfm("GET", "/instance/vm-1").json() == INSTANCE
    assert ledger.constraints().instance("lab", "vm-1") == InstanceConstraints(
        project_id=OURS,
        instance_id="vm-1",
        group_id="g-1",
        name="sbc 1",
        max_interruption_seconds=120,
        migration_types=("LIVE_MIGRATE",),
        mitigation=True,
        lead_seconds=40,
    )
    assert vnfm("PUT", "/instance/vm-1", INSTANCE | {"lead_time": 50}).json()["lead_time"] == 50
    gone = vnfm("DELETE", "/instance/vm-1")
    assert (gone.status_code, gone.json()) == (200, {})
    assert vnfm("GET", "/instance/vm-1").status_code == 404
    assert vnfm("DELETE", "/instance/vm-1").status_code == 404


def test_a_group_is_put_read_and_deleted(vnfm: Caller, ledger: Ledger) -> None:
    put = vnfm("PUT", "/instance_group/g-1", GROUP)
    assert (put.status_code, put.json()) == (200, GROUP)
    assert vnfm("GET", "/instance_group/g-1").json() == GROUP
    assert ledger.constraints().group("lab", "g-1") == GroupConstraints(
        project_id=OURS,
        group_id="g-1",
        name="sbc",
        anti_affinity=True,
        max_per_host=1,
        max_impacted={0: 1, 4: 2},
        min_preserved={0: 1},
        recovery_seconds=4,
        mitigation=True,
    )
    assert vnfm("DELETE", "/instance_group/g-1").status_code == 200
    assert vnfm("GET", "/instance_group/g-1").status_code == 404


def test_what_is_left_out_takes_its_default(vnfm: Caller) -> None:
    assert vnfm("PUT", "/instance/vm-1", {"group_id": "", "later": 1}).json() == {
        "instance_id": "vm-1",
        "project_id": OURS,
        "group_id": None,
        "instance_name": "",
        "max_interruption_time": None,
        "migration_type": None,
        "resource_mitigation": False,
        "lead_time": 0,
    }


def test_an_address_and_a_body_name_the_same(vnfm: Caller) -> None:
    assert vnfm("PUT", "/instance/vm-2", INSTANCE).status_code == 422
    assert vnfm("PUT", "/instance_group/g-2", GROUP).status_code == 422


@pytest.mark.parametrize("path", ["/instance/vm-1", "/instance_group/g-1"])
def test_a_project_puts_nothing_for_another_one(client: Any, vnfm: Caller, path: str) -> None:
    assert vnfm("PUT", path, {"project_id": THEIRS}).status_code == 403
    assert Caller(client, "other")("PUT", path, {}).status_code == 200
    refused = vnfm("PUT", path, {})
    assert refused.status_code == 403
    assert "administrator" in refused.json()["error"]["remedy"]
    assert vnfm("GET", path).status_code == 403
    assert vnfm("DELETE", path).status_code == 403
    assert Caller(client, "admin")("PUT", path, {"project_id": OURS}).status_code == 200
    assert vnfm("GET", path).status_code == 200


@pytest.mark.parametrize(("path", "about"), [("/instance/vm-1", "vm-1"), ("/instance_group/g-1", "g-1")])
def test_nobody_keeps_an_owner_out_by_being_there_first(
    client: Any, vnfm: Caller, world: World, path: str, about: str
) -> None:
    from escalator.model.errors import TransientError

    other = Caller(client, "other")
    assert other("PUT", path, {}).status_code == 200
    world.owners = {about: "c" * 32}
    assert vnfm("PUT", path, {}).status_code == 403
    world.owners = {about: OURS}
    world.nova_error = TransientError("away")
    assert vnfm("PUT", path, {}).status_code == 503
    assert other("GET", path).status_code == 200
    world.nova_error = None
    assert vnfm("PUT", path, {}).json()["project_id"] == OURS
    assert vnfm("GET", path).status_code == 200
    assert other("PUT", path, {}).status_code == 403


def test_a_group_that_another_project_named_for_an_instance_does_not_bind_its_owner(
    client: Any, vnfm: Caller, world: World
) -> None:
    other = Caller(client, "other")
    assert other("PUT", "/instance_group/g-2", {}).status_code == 200
    assert other("PUT", "/instance/vm-1", {"group_id": "g-2"}).status_code == 200
    world.owners = {"vm-1": OURS}
    assert vnfm("PUT", "/instance/vm-1", {"group_id": "g-1"}).json()["group_id"] == "g-1"


def test_an_administrator_who_names_no_project_leaves_constraints_to_their_own(
    admin: Caller, vnfm: Caller
) -> None:
    assert vnfm("PUT", "/instance/vm-1", INSTANCE).status_code == 200
    assert vnfm("PUT", "/instance_group/g-1", GROUP).status_code == 200
    assert admin("PUT", "/instance/vm-1", {"group_id": "g-1", "lead_time": 50}).json()["project_id"] == OURS
    assert admin("PUT", "/instance_group/g-1", {"max_impacted_members": 2}).json()["project_id"] == OURS
    assert vnfm("GET", "/instance/vm-1").json()["lead_time"] == 50
    assert admin("PUT", "/instance/vm-2", {}).json()["project_id"] == "f" * 32


def test_a_token_without_a_project_has_to_name_one(client: Any, world: World) -> None:
    from tests.plugins.web.conftest import facts

    world.tokens["system"] = facts(None, "admin")
    system = Caller(client, "system")
    assert system("PUT", "/instance/vm-1", {}).status_code == 422
    assert system("PUT", "/instance/vm-1", {"project_id": OURS}).status_code == 200


def test_an_instance_is_in_one_group(vnfm: Caller) -> None:
    for group in ("g-1", "g-2"):
        assert vnfm("PUT", f"/instance_group/{group}", {}).status_code == 200
    assert vnfm("PUT", "/instance/vm-1", {"group_id": "g-1"}).status_code == 200
    refused = vnfm("PUT", "/instance/vm-1", {"group_id": "g-2"})
    assert refused.status_code == 422
    assert "member of group g-1 already" in refused.json()["error"]["message"]
    assert vnfm("GET", "/instance/vm-1").json()["group_id"] == "g-1"
    assert vnfm("DELETE", "/instance_group/g-1").status_code == 200
    assert vnfm("PUT", "/instance/vm-1", {"group_id": "g-2"}).status_code == 200


def test_a_group_of_another_project_takes_no_member(vnfm: Caller, ledger: Ledger) -> None:
    ledger.constraints().put_group("lab", GroupConstraints(project_id=THEIRS, group_id="g-1"), NOW)
    assert vnfm("PUT", "/instance/vm-1", {"group_id": "g-1"}).status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/instance/vm-1", {"lead_time": -1}),
        ("/instance/vm-1", {"lead_time": 1e300}),
        ("/instance/vm-1", {"lead_time": "soon"}),
        ("/instance/vm-1", {"lead_time": True}),
        ("/instance/vm-1", {"migration_type": "EVACUATE"}),
        ("/instance/vm-1", {"resource_mitigation": 2}),
        ("/instance/vm-1", {"instance_name": "a\x00b"}),
        ("/instance/vm-1", {"instance_name": "x" * 256}),
        ("/instance/vm-1", {"group_id": "a b"}),
        ("/instance_group/g-1", {"max_impacted_members": -1}),
        ("/instance_group/g-1", {"max_impacted_members": 1.5}),
        ("/instance_group/g-1", {"max_impacted_members": 10**400}),
        ("/instance_group/g-1", {"max_number_of_impacted_instances": [{}]}),
        (
            "/instance_group/g-1",
            {"min_number_of_preserved_instances": [{"min_number_of_preserved_instances": 1}] * 2},
        ),
    ],
    ids=str,
)
def test_a_value_that_means_nothing_is_refused(vnfm: Caller, path: str, body: dict[str, Any]) -> None:
    answer = vnfm("PUT", path, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(next(iter(body)))
    assert vnfm("GET", path).status_code == 404
