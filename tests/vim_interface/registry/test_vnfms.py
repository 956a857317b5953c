from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from tests.builders import make_cloud, make_node, make_server
from tests.documents.documents_drawn import json_values, mutilated
from tests.upgrade_manager.clouds import few
from tests.vim_interface.registry.clouds import make_guest

from escalator.model.errors import InvalidRequestError
from escalator.model.vnfm import InstanceSelector, ManagerRole, OnNack, OnSilence, Vnfm, VnfmKind
from escalator.vim_interface.registry.vnfm_document import parse_vnfms
from escalator.vim_interface.registry.vnfms import Vnfms, load_vnfms

FOLDER = Path(__file__).parents[3] / "include" / "vnfs"
SCHEMA = FOLDER.parent / "schemas" / "vnfms.schema.json"
LEAST: dict[str, Any] = {
    "id": "one",
    "cloud": "lab",
    "kind": "fenix-b",
    "url": "http://vnfm.example:9890/maintenance",
    "projects": ["p"],
}
REST: dict[str, Any] = {
    "kind": "webhook",
    "role": "vnfm",
    "selectors": [{"name": "gw-*", "metadata": {"vnf": "epc"}}],
    "conn_id": "epc_vnfm",
    "reply_seconds": 60,
    "session_reply_seconds": 86400,
    "on_silence": "hold",
    "on_nack": "migrate",
    "nack_deadline_seconds": 1.5,
    "health_url": "https://vnfm.example/health",
    "strict_migrate": True,
    "scale_lock": True,
}
FULL = {"schema": "escalator.vnfms/1", "vnfms": [LEAST, {**LEAST, **REST, "id": "two"}]}


def document(*vnfms: dict[str, Any]) -> dict[str, Any]:
    return {**FULL, "vnfms": list(vnfms)}


def changed(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**LEAST, **changes}.items() if value is not ...}


def written(folder: Path, *vnfms: dict[str, Any]) -> Path:
    (folder / "vnfms.yaml").write_text(yaml.safe_dump(document(*vnfms)))
    return folder


def read(*vnfms: dict[str, Any]) -> Vnfms:
    found = parse_vnfms(document(*vnfms), "vnfms.yaml")
    assert isinstance(found, tuple)
    return Vnfms(vnfms=found)


def faults(*vnfms: dict[str, Any]) -> list[str]:
    found = parse_vnfms(document(*vnfms), "f")
    assert isinstance(found, list)
    return found


def test_defaults_are_those_of_the_model() -> None:
    fields = LEAST | {"kind": VnfmKind.FENIX_B, "projects": ("p",)}
    assert read(LEAST).vnfms == (Vnfm(**fields),)


def test_everything_that_is_written_is_read() -> None:
    (vnfm,) = read({**LEAST, **REST}).vnfms
    assert vnfm == Vnfm(
        id="one",
        cloud="lab",
        kind=VnfmKind.WEBHOOK,
        url=LEAST["url"],
        projects=("p",),
        role=ManagerRole.VNFM,
        selectors=(InstanceSelector(name="gw-*", metadata={"vnf": "epc"}),),
        conn_id="epc_vnfm",
        reply_seconds=60.0,
        session_reply_seconds=86400.0,
        on_silence=OnSilence.HOLD,
        on_nack=OnNack.MIGRATE,
        nack_deadline_seconds=1.5,
        health_url="https://vnfm.example/health",
        strict_migrate=True,
        scale_lock=True,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ...}, "vnfms[0].id: is required"),
        ({"kind": "fenix"}, "vnfms[0].kind: is 'fenix', must be one of fenix-a, fenix-b, webhook"),
        ({"kind": ["webhook"], "scale_lock": True}, "vnfms[0].kind"),
        ({"projects": []}, "vnfms[0].projects: is required: a list of one at least"),
        ({"projects": ["p", "p"]}, "vnfms[0].projects: 'p' is there 2 times"),
        ({"reply_seconds": 1501}, "vnfms[0].reply_seconds: must be seconds, more than 0 and at most 1500"),
        ({"reply_seconds": 0}, "vnfms[0].reply_seconds: must be seconds"),
        ({"reply_seconds": float("nan")}, "vnfms[0].reply_seconds: must be seconds"),
        ({"selectors": [{}]}, "vnfms[0].selectors[0]: must have name, metadata or both"),
        ({"selectors": [{"metadata": {}}]}, "vnfms[0].selectors[0].metadata: must name one key at least"),
        ({"scale_lock": True}, "vnfms[0].scale_lock: must be false"),
        ({"password": "x"}, "vnfms[0].password: is not known"),
        ({"on_silence": "wait"}, "must be one of migrate, hold, fail"),
        ({"url": "ftp://vnfm.example/"}, "vnfms[0].url: must be an address that begins with http://"),
        ({"url": "vnfm.example"}, "vnfms[0].url: must be an address that begins with http://"),
        ({"url": "http://"}, "vnfms[0].url: must be an address that begins with http://"),
        ({"url": "http://vnfm.example:port/"}, "vnfms[0].url: is no address"),
        ({"url": "http://[::1"}, "vnfms[0].url: is no address"),
        ({"url": "http://vnfm.example:0/"}, "vnfms[0].url: must be an address without blanks"),
        ({"url": "http://vnfm.example/a b"}, "vnfms[0].url: must be an address without blanks"),
        ({"url": "http://vnfm.example/#x"}, "vnfms[0].url: must be an address without blanks"),
        ({"health_url": "health"}, "vnfms[0].health_url: must be an address"),
    ],
)
def test_refusals(change: dict[str, Any], message: str) -> None:
    assert message in "; ".join(faults(changed(**change)))


@pytest.mark.parametrize("key", ["url", "health_url"])
def test_password_in_an_address_is_refused_and_not_shown(key: str) -> None:
    (fault,) = faults(changed(**{key: "https://me:hunter2@vnfm.example/"}))
    assert "put them into the connection (conn_id)" in fault
    assert "hunter2" not in fault


def test_every_fault_is_named_with_file_and_line(tmp_path: Path) -> None:
    text = "schema: escalator.vnfms/1\nvnfms:\n  - id: one\n    cloud: lab\n    url: 5\n    kind: webhook\n"
    (tmp_path / "vnfms.yaml").write_text(text)
    with pytest.raises(InvalidRequestError) as caught:
        load_vnfms(tmp_path)
    assert f"{tmp_path}/vnfms.yaml: vnfms[0].url: must be text, not 5: put it in quotes (line 5)" in str(
        caught.value
    )
    assert "2 fault(s)" in caught.value.message
    assert "vnfms[0].projects: is required" in caught.value.message
    assert caught.value.remedy


def test_second_manager_of_a_whole_project_and_a_second_id_are_refused() -> None:
    assert faults(LEAST, LEAST) == [
        "f: vnfms[1].id: is that of vnfms[0] already",
        "f: vnfms[1].projects: vnfms[0] has all servers of 'p' already: give one of them selectors",
    ]


@pytest.mark.parametrize(
    "other", [{"cloud": "other"}, {"projects": ["q"]}, {"role": "nfvo"}, {"selectors": [{"name": "a"}]}]
)
def test_what_is_no_second_manager_of_a_whole_project(other: dict[str, Any]) -> None:
    assert len(read(LEAST, changed(id="two", **other)).vnfms) == 2


def test_manager_of_a_server_is_who_selects_it_before_who_has_the_project() -> None:
    vnfms = read(LEAST, changed(id="two", selectors=[{"name": "gw-*"}, {"metadata": {"vnf": "epc"}}]))
    servers = {
        "gw-1": make_guest("gw-1"),
        "epc": make_guest("x", metadata={"vnf": "epc", "more": "y"}),
        "other": make_guest("other", metadata={"vnf": "ims"}),
        "stranger": make_guest("gw-2", project_id="q"),
    }
    found = {name: vnfms.manager_of("lab", server) for name, server in servers.items()}
    assert {name: vnfm and vnfm.id for name, vnfm in found.items()} == {
        "gw-1": "two",
        "epc": "two",
        "other": "one",
        "stranger": None,
    }
    assert vnfms.manager_of("elsewhere", servers["gw-1"]) is None


def test_selector_with_name_and_metadata_needs_both() -> None:
    vnfms = read(changed(selectors=[{"name": "gw-*", "metadata": {"vnf": "epc"}}]))
    assert vnfms.manager_of("lab", make_guest("gw-1")) is None
    assert vnfms.manager_of("lab", make_guest("x", metadata={"vnf": "epc"})) is None
    assert vnfms.manager_of("lab", make_guest("gw-1", metadata={"vnf": "epc"})) is vnfms.vnfms[0]


def test_server_that_two_managers_select_is_refused_with_both_names() -> None:
    vnfms = read(
        changed(id="two", selectors=[{"name": "gw-*"}]), changed(id="three", selectors=[{"name": "*-1"}])
    )
    assert vnfms.manager_of("lab", make_guest("gw-2")) is vnfms.vnfms[0]
    with pytest.raises(InvalidRequestError, match="has 2 managers: two, three"):
        vnfms.manager_of("lab", make_guest("gw-1"))


def test_nfvo_manages_no_server_and_is_found_by_cloud_and_project() -> None:
    vnfms = read(changed(role="nfvo"), changed(id="two", cloud="other"))
    assert vnfms.manager_of("lab", make_guest("a")) is None
    assert vnfms.of_cloud("lab") == vnfms.of_project("lab", "p") == (vnfms.named("one"),)
    assert vnfms.of_project("lab", "q") == ()
    assert vnfms.named("three") is None


def test_folder_is_that_of_the_inventories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESCALATOR_INVENTORY_DIR", raising=False)
    monkeypatch.setenv("ESCALATOR_HOME", str(tmp_path))
    assert load_vnfms() == Vnfms()
    (tmp_path / "inventory").mkdir()
    written(tmp_path / "inventory", LEAST)
    assert [vnfm.id for vnfm in load_vnfms().vnfms] == ["one"]
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path / "elsewhere"))
    assert load_vnfms() == Vnfms()


def test_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "vnfms.yaml").write_text("vnfms: [")
    with pytest.raises(InvalidRequestError, match=r"vnfms\.yaml cannot be read"):
        load_vnfms(tmp_path)


def test_example_is_valid_by_schema_and_by_reader(tmp_path: Path) -> None:
    example = yaml.safe_load((FOLDER / "vnfms.yaml.example").read_text())
    jsonschema.validate(example, json.loads(SCHEMA.read_text()))
    written(tmp_path, *example["vnfms"])
    assert [vnfm.id for vnfm in load_vnfms(tmp_path).vnfms] == ["sbc-vnfm", "epc-vnfm", "orchestrator"]


@pytest.mark.parametrize(
    "change",
    [
        {"reply_seconds": 1501},
        {"reply_seconds": 0},
        {"selectors": [{}]},
        {"url": "http://me:x@vnfm.example/"},
        {"url": "vnfm"},
        {"projects": []},
    ],
)
def test_schema_refuses_what_the_reader_refuses(change: dict[str, Any]) -> None:
    assert faults(changed(**change))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document(changed(**change)), json.loads(SCHEMA.read_text()))


@given(json_values | mutilated(FULL) | mutilated({**LEAST, **REST}).map(document))
@few
def test_any_document_is_managers_or_refused(drawn: object) -> None:
    found = parse_vnfms(drawn, "f")
    if isinstance(found, list):
        assert found
        assert all(fault.startswith("f: ") for fault in found)
    else:
        assert all(vnfm.projects and vnfm.url.lower().startswith("http") for vnfm in found)


def test_only_projects_that_are_told_of_a_campaign_are_asked_to_scale_in() -> None:
    known = {"kind": VnfmKind.WEBHOOK, "url": "http://v.example/"}
    vnfms = Vnfms(
        vnfms=(
            Vnfm(id="m", cloud="lab", projects=("p", "q"), **known),  # type: ignore[arg-type]
            Vnfm(id="nfvo", cloud="lab", projects=("r",), role=ManagerRole.NFVO, **known),  # type: ignore[arg-type]
        )
    )
    servers = (
        make_server("here", "node-01", project_id="p"),
        make_server("elsewhere", "node-02", project_id="p"),
        make_server("shelved", "node-02", project_id="p", vm_state="shelved_offloaded"),
        make_server("others", "node-02", project_id="q"),
        make_server("watched", "node-01", project_id="r"),
        make_server("unmanaged", "node-01", project_id="s"),
    )
    snapshot = make_cloud([make_node("node-01"), make_node("node-02")], servers)
    assert vnfms.list_scalable(snapshot, ["node-01"]) == {"id-here", "id-elsewhere"}
    assert vnfms.list_scalable(snapshot, ["node-03"]) == frozenset()
    assert Vnfms().list_scalable(snapshot, ["node-01"]) == frozenset()


def test_a_file_that_was_there_before_and_is_gone_is_no_empty_one(tmp_path: Path) -> None:
    assert load_vnfms(tmp_path) == Vnfms()
    with pytest.raises(InvalidRequestError, match=r"vnfms.yaml is not there any more.*put it back"):
        load_vnfms(tmp_path, must_exist=True)
    assert load_vnfms(written(tmp_path), must_exist=True) == Vnfms()
