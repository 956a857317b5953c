from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from tests.documents.documents_drawn import json_values, mutilated
from tests.upgrade_manager.clouds import few
from tests.vim_interface.registry.clouds import make_guest, make_home

from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.registry import add_ha_groups_of, load_ha_sources
from escalator.vim_interface.registry.vnf_document import parse_vnf

FOLDER = Path(__file__).parents[3] / "include" / "vnfs"
SCHEMAS = FOLDER.parent / "schemas"
PAIR: dict[str, Any] = {
    "schema": "escalator.vnf/1",
    "name": "sbc",
    "project_id": "p",
    "groups": [
        {
            "id": "pair",
            "mode": "active-standby",
            "members": [{"id": "a", "role": "active"}, {"name": "b", "role": "standby"}],
            "impact_notification_lead_time": "1 m",
            "min_recovery_time_between_impacts": 90,
            "max_number_of_impacted_instances": 1,
        }
    ],
}
CLOUD = make_home(
    make_guest("a"), make_guest("b"), make_guest("b2", name="b", project_id="other"), make_guest("c")
)


def written(folder: Path, document: object, name: str = "sbc.yaml") -> Path:
    (folder / name).write_text(yaml.safe_dump(document))
    return folder


def changed(**changes: Any) -> dict[str, Any]:
    return {**PAIR, "groups": [{**PAIR["groups"][0], **changes}]}


def merged(folder: Path, snapshot: CloudSnapshot = CLOUD) -> CloudSnapshot:
    return add_ha_groups_of(snapshot, load_ha_sources(folder))


def test_group_of_a_file_stands_in_the_snapshot(tmp_path: Path) -> None:
    snapshot = merged(written(tmp_path, PAIR))
    (group,) = snapshot.ha_groups
    assert (group.id, group.mode, group.members) == ("pair", "active-standby", ("a", "b"))
    assert (group.max_impacted, group.min_preserved, group.tolerated) == (1, None, 1)
    assert (group.lead_seconds, group.recovery_seconds) == (60.0, 90.0)
    assert {s.id: (s.ha_group, s.ha_role) for s in snapshot.servers} == {
        "a": ("pair", "active"),
        "b": ("pair", "standby"),
        "b2": (None, None),
        "c": (None, None),
    }


def test_merging_twice_changes_nothing(tmp_path: Path) -> None:
    once = merged(written(tmp_path, PAIR))
    assert merged(tmp_path, once) == once


def test_members_are_selected_by_metadata_name_pattern_and_server_group(tmp_path: Path) -> None:
    members = [{"metadata": {"vdu": "media"}}, {"name": "web-?"}, {"server_group": "apart"}]
    written(tmp_path, changed(mode="load-balanced", members=members))
    snapshot = make_home(
        make_guest("m1", metadata={"vdu": "media", "x": "y"}),
        make_guest("m2", metadata={"vdu": "control"}),
        make_guest("w1", name="web-1"),
        make_guest("w10", name="web-10"),
        make_guest("g", server_group="apart"),
    )
    found = merged(tmp_path, snapshot)
    assert found.ha_groups[0].members == ("m1", "w1", "g")
    assert {s.id for s in found.servers if s.ha_role == "member"} == {"m1", "w1", "g"}


def test_member_that_the_cloud_does_not_have_stays_a_member(tmp_path: Path) -> None:
    members = [{"id": "a", "role": "active"}, {"name": "gone"}, {"id": "lost"}]
    found = merged(written(tmp_path, changed(members=members)))
    assert found.ha_groups[0].members == ("a", "name gone of pair", "lost")
    assert found.ha_groups[0].tolerated == 1


def test_role_that_the_file_leaves_out_is_that_of_the_metadata(tmp_path: Path) -> None:
    written(tmp_path, changed(members=[{"id": "a"}, {"id": "b"}, {"id": "c", "role": "standby"}]))
    snapshot = make_home(
        make_guest("a", metadata={"ha_role": "active"}),
        make_guest("b", metadata={"ha_role": "king"}),
        make_guest("c", metadata={"ha_role": "active"}),
    )
    assert [s.ha_role for s in merged(tmp_path, snapshot).servers] == ["active", None, "standby"]


@pytest.mark.parametrize(
    ("limit", "size", "tolerated"),
    [
        ([{"group_size": 4, "max_number_of_impacted_instances": 2}], 4, 2),
        ([{"group_size": 4, "max_number_of_impacted_instances": 2}], 5, 1),
        (
            [
                {"group_size": 4, "max_number_of_impacted_instances": 2},
                {"max_number_of_impacted_instances": 3},
            ],
            5,
            3,
        ),
        (0, 3, 0),
    ],
)
def test_limit_is_that_of_the_size_else_the_default_else_one(
    tmp_path: Path, limit: object, size: int, tolerated: int
) -> None:
    written(tmp_path, changed(members=[{"name": "m-*"}], max_number_of_impacted_instances=limit))
    snapshot = make_home(*(make_guest(f"m-{number}") for number in range(size)))
    assert merged(tmp_path, snapshot).ha_groups[0].tolerated == tolerated


def test_preserved_members_lower_what_may_be_impacted(tmp_path: Path) -> None:
    preserved = [{"min_number_of_preserved_instances": 4}]
    written(
        tmp_path,
        changed(
            members=[{"name": "m-*"}],
            max_number_of_impacted_instances=3,
            min_number_of_preserved_instances=preserved,
        ),
    )
    snapshot = make_home(*(make_guest(f"m-{number}") for number in range(5)))
    assert merged(tmp_path, snapshot).ha_groups[0].tolerated == 1


@pytest.mark.parametrize(
    ("types", "vm_state", "before", "after"),
    [
        (["OFFLINE_MIGRATION", "LIVE_MIGRATION"], "active", "live", "cold"),
        (["LIVE_MIGRATION"], "active", "live", "live"),
        (["LIVE_MIGRATION"], "stopped", "cold", "none"),
        (["NO_MIGRATION"], "active", "live", "none"),
        (["OFFLINE_MIGRATION"], "paused", "live", "none"),
        (["LIVE_MIGRATION"], "error", "none", "none"),
    ],
)
def test_members_are_moved_as_the_vnf_supports_it(
    tmp_path: Path, types: list[str], vm_state: str, before: str, after: str
) -> None:
    written(tmp_path, changed(supported_migration_type=types, members=[{"id": "a"}]))
    snapshot = make_home(make_guest("a", vm_state=vm_state, migration=before))
    assert merged(tmp_path, snapshot).servers[0].migration == after


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "document: must be a mapping, not a list"),
        ({**PAIR, "schema": "escalator.vnf/2"}, "schema: is 'escalator.vnf/2', this release reads"),
        ({**PAIR, "weather": 1}, "weather: is not known"),
        ({k: v for k, v in PAIR.items() if k != "project_id"}, "members[1].name: needs the project_id"),
        ({**PAIR, "groups": []}, "groups: is required"),
        (changed(mode="active_standby"), "groups[0].mode: is 'active_standby', must be one of"),
        (changed(members=[{"id": "a", "name": "b"}]), "groups[0].members[0]: must have exactly one of"),
        (changed(members=[{"role": "active"}]), "groups[0].members[0]: must have exactly one of"),
        (changed(members=[{"id": 7}]), "groups[0].members[0].id: must be text"),
        (changed(members=[{"id": "a", "role": "member"}]), "members[0].role: is 'member', must be one of"),
        (changed(members=[{"id": "a", "role": ["active"]}]), "groups[0].members[0].role: must be text"),
        (
            changed(max_number_of_impacted_instances=10**18),
            "max_number_of_impacted_instances: must be at most",
        ),
        (changed(members=[{"metadata": {}}]), "groups[0].members[0].metadata: must name one key"),
        (changed(members=[{"metadata": {"vnf": 7}}]), "members[0].metadata.vnf: must be text, not 7"),
        (changed(impact_notification_lead_time=-1), "impact_notification_lead_time: must be seconds"),
        (changed(min_recovery_time_between_impacts=True), "between_impacts: must be seconds"),
        (changed(min_recovery_time_between_impacts=float("nan")), "between_impacts: must be seconds"),
        (changed(max_number_of_impacted_instances=1.5), "impacted_instances: must be a whole number"),
        (
            changed(max_number_of_impacted_instances=[{"group_size": 2}]),
            "instances[0].max_number_of_impacted",
        ),
        (
            changed(max_number_of_impacted_instances=[{"max_number_of_impacted_instances": 1}] * 2),
            "max_number_of_impacted_instances[1].group_size: is there more than once",
        ),
        (changed(supported_migration_type=["FLY"]), "supported_migration_type[0]: is 'FLY'"),
        (changed(is_impact_mitigation_requested="no"), "mitigation_requested: must be true or false"),
    ],
)
def test_fault_is_named_with_file_and_path(tmp_path: Path, document: object, fault: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        load_ha_sources(written(tmp_path, document))
    assert f"{tmp_path}/sbc.yaml: " in caught.value.message
    assert fault in caught.value.message
    assert caught.value.remedy


@given(
    json_values
    | mutilated(PAIR)
    | mutilated(PAIR["groups"][0]).map(lambda group: {**PAIR, "groups": [group]})
)
@few
def test_any_document_is_a_vnf_or_refused(document: object) -> None:
    faults: list[str] = []
    groups = parse_vnf(document, "sbc.yaml", faults)
    assert bool(groups) != bool(faults)
    assert all(fault.startswith("sbc.yaml: ") and fault.isprintable() for fault in faults)


def test_fault_has_the_line_of_the_file_and_every_one_is_named(tmp_path: Path) -> None:
    text = """\
schema: escalator.vnf/1
name: sbc
groups:
  - id: pair
    mode: load-balanced
    members:
      - {name: a, rolle: member}
      - {id: b, name: b, role: active}
    min_recovery_time_between_impacts: soon
"""
    (tmp_path / "sbc.yaml").write_text(text)
    with pytest.raises(InvalidRequestError) as caught:
        load_ha_sources(tmp_path)
    for fault in (
        "groups[0].members[0].rolle: is not known, did you mean role? (line 7)",
        (
            "groups[0].members[0].name: needs the project_id of the file: "
            "other projects may use the same words (line 7)"
        ),
        "groups[0].members[1]: must have exactly one of id, name, metadata, server_group (line 8)",
        (
            "groups[0].members[1].role: is 'active', "
            "must be one of member in a group of mode load-balanced (line 8)"
        ),
        (
            "groups[0].min_recovery_time_between_impacts: "
            "must be seconds from 0 on, or a time such as '90 s', not 'soon' (line 9)"
        ),
    ):
        assert f"sbc.yaml: {fault}" in caught.value.message
    assert "5 fault(s)" in caught.value.message


def test_faults_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    written(tmp_path, {**PAIR, "name": ""}, "one.yaml")
    (tmp_path / "two.yml").write_text("{")
    (tmp_path / "three.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequestError) as caught:
        load_ha_sources(tmp_path)
    for word in ("one.yaml: name", "two.yml cannot be read", "three.yaml cannot be read"):
        assert word in caught.value.message


def test_server_in_two_groups_is_refused_with_both_places(tmp_path: Path) -> None:
    written(tmp_path, PAIR, "one.yaml")
    two = changed(id="other", members=[{"id": "a"}, {"id": "c"}])
    with pytest.raises(InvalidRequestError) as caught:
        merged(written(tmp_path, two, "two.yaml"))
    assert f"{tmp_path}/two.yaml: groups[0]: a is a member of 'pair'" in caught.value.message
    assert "one.yaml" in caught.value.message


def test_group_that_two_files_declare_is_refused(tmp_path: Path) -> None:
    written(tmp_path, PAIR, "one.yaml")
    written(tmp_path, changed(members=[{"id": "c"}]), "two.yaml")
    with pytest.raises(InvalidRequestError, match="the group 'pair' is declared at"):
        merged(tmp_path)


def test_two_roles_of_one_member_are_refused(tmp_path: Path) -> None:
    written(tmp_path, changed(members=[{"id": "a", "role": "active"}, {"name": "*", "role": "standby"}]))
    with pytest.raises(InvalidRequestError, match=r"groups\[0\]\.members\[1\]: a \(a\) is active already"):
        merged(tmp_path)


def test_file_comes_before_metadata_and_snapshot_before_file(tmp_path: Path) -> None:
    written(tmp_path, PAIR)
    marks = {"ha_group": "theirs", "ha_role": "active"}
    found = merged(
        tmp_path, make_home(make_guest("a", metadata=marks), make_guest("b"), make_guest("c", metadata=marks))
    )
    assert {g.id: g.members for g in found.ha_groups} == {"pair": ("a", "b"), "theirs@p": ("c",)}
    kept = merged(tmp_path, make_home(make_guest("a", ha_group="mine", ha_role="standby"), make_guest("b")))
    assert [(s.ha_group, s.ha_role) for s in kept.servers] == [("mine", "standby"), ("pair", "standby")]


def test_named_folder_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCALATOR_VNF_DIR", str(tmp_path / "gone"))
    with pytest.raises(InvalidRequestError, match="there is no folder"):
        load_ha_sources()


def test_folder_that_comes_along_activates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESCALATOR_VNF_DIR", raising=False)
    assert add_ha_groups_of(CLOUD, load_ha_sources()) is CLOUD


def test_example_is_valid_by_schema_and_by_reader(tmp_path: Path) -> None:
    document = yaml.safe_load((FOLDER / "sbc.yaml.example").read_text())
    schema = json.loads((SCHEMAS / "vnf.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert {g.id for g in merged(written(tmp_path, document)).ha_groups} == {"sbc-signalling", "sbc-media"}


@pytest.mark.parametrize("document", [changed(max_impacted=1), changed(members=[{}]), {**PAIR, "groups": []}])
def test_schema_refuses_what_the_reader_refuses(document: object) -> None:
    schema = json.loads((SCHEMAS / "vnf.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)
