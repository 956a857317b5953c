from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from tests.documents.documents_drawn import json_values, mutilated
from tests.upgrade_manager.clouds import few

from escalator.documents.bundles import parse_bundle
from escalator.model.bundle import (
    Artefact,
    Bundle,
    CommandMechanism,
    Component,
    Impact,
    Mechanism,
    MechanismType,
    NoMechanism,
    RebootPolicy,
    VenvMechanism,
)
from escalator.model.canary import CanaryWish
from escalator.model.errors import InvalidRequestError
from escalator.model.failed_nodes import OnFailedNode
from escalator.upgrade_manager.conditions.bundles import refuse_unserved

FULL: dict[str, Any] = {
    "schema": "escalator.bundle/1",
    "name": "nova-34",
    "components": [{"name": "nova-compute", "to": "34.0.0", "scheme": "pbr"}],
    "mechanism": {"type": "venv", "venv": "/opt/nova/venv", "package": "nova", "service": "nova-compute"},
    "impact": "control",
    "reboot": "never",
    "artefacts": [],
    "hooks": {"pre": ["true"], "post": [], "verify": []},
    "expected": {"upgrade_seconds": 90},
    "rollback": {"supported": True},
}


def refusal(changes: dict[Any, Any]) -> str:
    return refused({k: v for k, v in {**FULL, **changes}.items() if v is not ...})


def refused(document: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse_bundle(document)
    return caught.value.message


def command(**changes: Any) -> dict[str, Any]:
    whole = {"type": "command", "version": "v", "activate": "a", "service": "nova.service"}
    return {k: v for k, v in {**whole, **changes}.items() if v is not ...}


def mechanism(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in {**FULL["mechanism"], **changes}.items() if v is not ...}


def test_a_whole_bundle() -> None:
    assert parse_bundle(FULL) == Bundle(
        name="nova-34",
        components=(Component(name="nova-compute", to="34.0.0", scheme="pbr"),),
        mechanism=VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute"),
        impact=Impact.CONTROL,
        reboot=RebootPolicy.NEVER,
        hooks={"pre": ("true",), "post": (), "verify": ()},
        expected_upgrade_seconds=90.0,
        rollback_supported=True,
    )


def test_a_bundle_may_say_what_becomes_of_nodes_that_fail() -> None:
    assert parse_bundle(FULL).on_failed_node is None
    for word in OnFailedNode:
        wish = {"supported": True, "on_failed_node": str(word)}
        assert parse_bundle({**FULL, "rollback": wish}).on_failed_node is word
    assert parse_bundle({**FULL, "rollback": {"on_failed_node": "quarantine"}}).on_failed_node is not None


def test_what_is_left_out_takes_its_default() -> None:
    document = {k: FULL[k] for k in ("schema", "name", "components")}
    bundle = parse_bundle({**document, "mechanism": {"type": "none"}})
    assert bundle == Bundle(
        name="nova-34",
        components=(Component(name="nova-compute", to="34.0.0"),),
        mechanism=NoMechanism(),
    )
    assert bundle.target_version() == "34.0.0"


def test_installer_and_python() -> None:
    bundle = parse_bundle({**FULL, "mechanism": mechanism(installer="uv", python="/usr/bin/python3.12")})
    assert (bundle.mechanism.installer, bundle.mechanism.python) == ("uv", "/usr/bin/python3.12")


def test_commands_and_their_limits() -> None:
    """The unit may be called otherwise than the component, such as that of a container."""
    bundle = parse_bundle(
        {**FULL, "mechanism": command(stage="a\nb", rollback="r", restore="x", stage_seconds=1800)}
    )
    assert bundle.mechanism == CommandMechanism(
        version="v",
        activate="a",
        service="nova.service",
        stage="a\nb",
        rollback="r",
        restore="x",
        stage_seconds=1800.0,
    )
    assert bundle.command_limit_seconds == 1800
    assert parse_bundle(FULL).command_limit_seconds == 0
    assert parse_bundle(FULL).has_hooks
    assert not parse_bundle({**FULL, "hooks": {"pre": []}}).has_hooks


SUM = "0" * 64


def test_artefacts() -> None:
    wheel = {"url": "https://files/a/x.whl?token=3", "sha256": SUM}
    firmware = {"path": "/mnt/fw/bios 2.bin", "name": "bios.bin", "sha256": SUM, "signature": "/mnt/bios.sig"}
    assert parse_bundle({**FULL, "artefacts": [wheel, firmware]}).artefacts == (
        Artefact(name="x.whl", source="https://files/a/x.whl?token=3", sha256=SUM),
        Artefact(name="bios.bin", source="/mnt/fw/bios 2.bin", sha256=SUM, signature="/mnt/bios.sig"),
    )


@pytest.mark.parametrize(
    ("artefact", "message"),
    [
        ({"path": "x"}, "[0].path: must be an absolute path"),
        ({"path": "/x\ny"}, "[0].path: must be an absolute path"),
        ({"url": "ftp://x/y"}, "[0].url: must be a URL that begins with http:// or https://"),
        ({"url": "file:///etc/shadow"}, "[0].url: must be a URL"),
        ({"url": "https://files/"}, "[0]: needs a name"),
        ({"path": "/x/-rf"}, "[0]: needs a name"),
        ({"path": "/x", "name": "../y"}, "[0].name: must be letters"),
        ({"path": "/x", "signature": "x.sig"}, "[0].signature: must be a URL"),
        ({"path": "/x", "keyring": "/k"}, "[0].keyring: is of no use without a signature"),
        ({"path": "/x", "url": "https://x/y"}, "[0]: needs either url or path"),
    ],
)
def test_artefacts_that_cannot_be(artefact: dict[str, str], message: str) -> None:
    assert f"artefacts{message}" in refusal({"artefacts": [{**artefact, "sha256": SUM}]})


@pytest.mark.parametrize(
    "url", ["https://ci:s3cret@files.example.org/a", "HTTP://s3cret@files.example.org/a"]
)
@pytest.mark.parametrize("key", ["url", "signature"])
def test_credentials_of_an_artefact_are_refused_and_not_said_again(key: str, url: str) -> None:
    artefact = {"url": "https://files.example.org/a", "sha256": SUM, key: url}
    told = refusal({"artefacts": [artefact]})
    assert f"artefacts[0].{key}: has a name or a password before its @" in told
    assert "s3cret" not in told


def test_more_artefacts_than_an_argument_holds_are_refused() -> None:
    many = [{"path": f"/srv/{number}", "sha256": SUM} for number in range(101)]
    assert "artefacts: has too many entries, more than 100" in refusal({"artefacts": many})


def test_artefacts_of_one_name_are_refused() -> None:
    twice = [{"path": "/x/a", "sha256": SUM}, {"path": "/y/a", "sha256": SUM}]
    assert "artefacts[1]: the name a stands there twice" in refusal({"artefacts": twice})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "escalator.bundle/2"}, "schema: is 'escalator.bundle/2', this release reads"),
        ({"schema": ...}, "schema: is required"),
        ({"name": "no good"}, "name: must be letters, digits"),
        ({"colour": "red"}, "colour: is not known"),
        ({"hook": {}}, "hook: is not known, did you mean hooks?"),
        ({3: 4}, "document: the key 3 must be text"),
        ({"components": []}, "components: is required: a list of one at least"),
        ({"components": {"name": "x"}}, "components: must be a list, not a mapping"),
        ({"mechanism": "venv"}, "mechanism: must be a mapping, not 'venv'"),
        ({"mechanism": {}}, "mechanism.type: is required"),
        ({"mechanism": mechanism(type="vnev")}, "mechanism.type: is 'vnev', must be one of venv"),
        ({"mechanism": mechanism(venv="opt/venv")}, "mechanism.venv: must be an absolute path"),
        ({"mechanism": mechanism(venv="/opt/../etc")}, "mechanism.venv: must be an absolute path"),
        ({"mechanism": mechanism(venv="/opt/x;reboot")}, "mechanism.venv: must be an absolute path"),
        ({"mechanism": mechanism(venv="/")}, "mechanism.venv: must be an absolute path"),
        ({"mechanism": mechanism(package="nova; reboot")}, "mechanism.package: must be"),
        ({"mechanism": mechanism(service="nova-api")}, "components: none is named 'nova-api'"),
        ({"mechanism": mechanism(service="nova-compute\n")}, "mechanism.service: must be letters"),
        ({"mechanism": mechanism(installer="conda")}, "mechanism.installer: is 'conda'"),
        ({"mechanism": mechanism(python="-c")}, "mechanism.python: must be"),
        ({"mechanism": {"type": "none", "venv": "/opt"}}, "mechanism.venv: is not known"),
        ({"mechanism": command(version=...)}, "mechanism.version: is required"),
        ({"mechanism": command(activate=" ")}, "mechanism.activate: must not be empty"),
        ({"mechanism": command(stage=["a"])}, "mechanism.stage: must be text, not a list"),
        ({"mechanism": command(stage="x" * 8001)}, "mechanism.stage: has 8001 characters, more than 8000"),
        ({"mechanism": command(stage="a\0b")}, "mechanism.stage: has a character that no command can have"),
        ({"mechanism": command(stage_seconds=0)}, "mechanism.stage_seconds: must be a number of seconds"),
        (
            {"mechanism": command(version_seconds=61)},
            "mechanism.version_seconds: must be a number of seconds",
        ),
        ({"mechanism": command(service="$(reboot)")}, "mechanism.service: must be letters"),
        ({"mechanism": command(undo="a")}, "mechanism.undo: is not known"),
        ({"impact": "big"}, "impact: is 'big', must be one of control, data, reboot"),
        ({"reboot": False}, "reboot: must be text, not false: put it in quotes"),
        ({"artefacts": [{"sha256": "0" * 64}]}, "artefacts[0]: needs either url or path"),
        ({"artefacts": [{"url": "u", "sha256": "abc"}]}, "artefacts[0].sha256: must be 64 hexadecimal"),
        ({"hooks": {"pre": ["true"] * 11}}, "hooks.pre: has too many entries, more than 10"),
        ({"hooks": {"pre": "true"}}, "hooks.pre: must be a list, not 'true'"),
        ({"hooks": {"verify": [" "]}}, "hooks.verify[0]: must not be empty"),
        ({"hooks": {"limit_seconds": 0}}, "hooks.limit_seconds: must be a number of seconds above 0"),
        ({"hooks": {"pre": [1]}}, "hooks.pre[0]: must be text, not 1"),
        ({"expected": {"upgrade_seconds": 0}}, "expected.upgrade_seconds: must be a number above 0"),
        ({"expected": {"upgrade_seconds": float("inf")}}, "expected.upgrade_seconds: must be a number"),
        ({"expected": {"upgrade_seconds": True}}, "expected.upgrade_seconds: must be a number"),
        ({"rollback": {"supported": "yes"}}, "rollback.supported: must be true or false"),
        ({"rollback": {"on_failed_node": "rollback-node"}}, "rollback.on_failed_node: is rollback-node, but"),
        ({"rollback": {"supported": True, "on_failed_node": "x"}}, "rollback.on_failed_node: is 'x', must"),
        ({"name": "n" * 256}, "name: is 256 characters long, at most 255 are possible"),
        ({"mechanism": mechanism(package="n" * 256)}, "mechanism.package: is 256 characters long, at most"),
        ({"mechanism": mechanism(service="n" * 256)}, "mechanism.service: is 256 characters long, at most"),
        ({"components": [{"name": "n" * 256, "to": "1"}]}, "components[0].name: is 256 characters long"),
        ({"components": [{"name": "n", "to": "1" * 256}]}, "components[0].to: is 256 characters long"),
        ({"canary": {"flavor": "f" * 256}}, "canary.flavor: is 256 characters long, at most 255"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    assert message in refusal(changes)


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"name": "nova-compute", "to": 34.0}, "components[0].to: must be text, not 34.0: put it in quotes"),
        ({"name": "nova-compute"}, "components[0].to: is required"),
        (
            {"name": "nova-compute", "to": "latest"},
            "components[0].to: version 'latest' cannot be read as pbr",
        ),
        ({"name": "nova-compute", "to": "3:34.0.0-1"}, "cannot be read as pbr"),
        ({"name": "nova-compute", "to": "34.0.0", "scheme": "pip"}, "components[0].scheme: is 'pip'"),
        ({"name": "nova-compute", "to": "34.0.0", "from": "33"}, "components[0].from: is not known"),
        ("nova", "components[0]: must be a mapping, not 'nova'"),
    ],
)
def test_component_refusals(component: object, message: str) -> None:
    assert message in refusal({"components": [component]})


def test_faults_between_values_are_named_beside_those_of_single_values() -> None:
    component = {"name": "nova-api", "to": "latest", "scheem": "pbr"}
    told = refusal({"components": [component, component, {}], "impact": "big", "artefacts": [{"colour": 1}]})
    for part in (
        "components[0].to: version 'latest' cannot be read as pbr",
        "components[0].scheem: is not known, did you mean scheme?",
        "components[1].name: nova-api stands there twice",
        "components[2].name: is required",
        "components: none is named 'nova-compute', the service of the mechanism",
        "impact: is 'big'",
        "artefacts[0].sha256: is required",
        "artefacts[0].colour: is not known",
        "artefacts[0]: needs either url or path",
    ):
        assert part in told


def test_every_type_of_mechanism_is_served() -> None:
    assert set(MechanismType) == {kind.type for kind in get_args(Mechanism)}
    for kind in MechanismType:
        told = refusal({"mechanism": {"type": kind.value, "x": 1}})
        assert "mechanism.x: is not known" in told


def test_a_key_without_a_value_takes_its_default_but_a_number_must_be_said() -> None:
    keys = ("impact", "reboot", "artefacts", "hooks", "expected", "rollback")
    assert parse_bundle({**FULL, **dict.fromkeys(keys)}).expected_upgrade_seconds == 120.0
    told = refusal({"expected": {"upgrade_seconds": None}})
    assert "expected.upgrade_seconds: must be a number above 0 and below 1000000000, not null" in told


def test_a_component_named_twice() -> None:
    assert "components[1].name: nova-compute stands there twice" in refusal(
        {"components": FULL["components"] * 2}
    )


def test_a_package_version_is_readable_in_its_own_scheme() -> None:
    component = {"name": "nova-compute", "to": "3:34.0.0-1", "scheme": "deb"}
    assert parse_bundle({**FULL, "components": [component]}).target_version() == "3:34.0.0-1"


def test_every_fault_at_once_and_no_false_one() -> None:
    faulty = {"impact": "big", "mechanism": mechanism(venv="x", package=...), "rollback": {"suported": True}}
    told = refusal(faulty)
    assert told.count("; ") == 3
    assert told.startswith("bundle nova-34 cannot be read: ")
    assert "rollback.suported: is not known, did you mean supported?" in told


@pytest.mark.parametrize("document", [None, [], "text", 5, {}])
def test_documents_that_are_no_bundle(document: object) -> None:
    assert "the bundle cannot be read" in refused(document)


@given(json_values | mutilated(FULL))
@few
def test_any_document_is_a_bundle_or_refused(document: object) -> None:
    try:
        bundle = parse_bundle(document)
    except InvalidRequestError as error:
        told = error.message
    else:
        told = ""
        assert bundle.name
        assert bundle.components
        assert bundle.expected_upgrade_seconds > 0
    assert not told or "cannot be read: " in told


@pytest.mark.parametrize("reboot", ["if-required", "always"])
@pytest.mark.parametrize(("impact", "said"), [("control", "control"), (None, "left out"), (..., "left out")])
def test_a_reboot_under_servers_that_stay_is_refused(reboot: str, impact: object, said: str) -> None:
    told = refusal({"reboot": reboot, "impact": impact})
    assert f"reboot: is {reboot}, but impact is {said}" in told
    assert "say impact: reboot, which drains it first" in told


@pytest.mark.parametrize("impact", ["data", "reboot"])
def test_a_reboot_of_an_emptied_node_has_a_limit_and_an_expected_time(impact: str) -> None:
    plain = parse_bundle({**FULL, "reboot": "always", "impact": impact})
    assert (plain.reboot_limit_seconds, plain.expected_reboot_seconds) == (1200, 300)
    assert plain.expected_seconds == plain.expected_upgrade_seconds + 300
    refuse_unserved(replace(plain, components=plain.components[:1]))
    expected = {"upgrade_seconds": 30, "reboot_seconds": 60}
    changed = {"impact": impact, "reboot": "if-required", "reboot_limit_seconds": 90, "expected": expected}
    own = parse_bundle({**FULL, **changed})
    assert (own.reboot_limit_seconds, own.expected_seconds) == (90, 90)
    assert replace(own, reboot=RebootPolicy.NEVER).expected_seconds == 30
    told = refusal({"impact": impact, "reboot_limit_seconds": 5})
    assert "reboot_limit_seconds: must be a number of seconds from 30 to 3600" in told


def test_a_bundle_that_asks_for_what_is_done_is_not_refused() -> None:
    plain = parse_bundle({**FULL, "hooks": {"pre": []}})
    refuse_unserved(plain)
    assert plain.name


@pytest.mark.parametrize(("impact", "stay"), [("control", True), ("data", False), ("reboot", False)])
def test_members_of_ha_groups_stay_only_when_guests_are_not_touched(*, impact: str, stay: bool) -> None:
    assert parse_bundle({**FULL, "impact": impact}).members_stay is stay


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ({"flavor": "pinned", "network": "prove"}, CanaryWish(flavor="pinned", network="prove", off=False)),
        ("off", CanaryWish(off=True)),
        (False, CanaryWish(off=True)),
        ({}, CanaryWish()),
        (None, CanaryWish()),
    ],
)
def test_canaries_are_the_operators(said: object, wish: CanaryWish) -> None:
    assert parse_bundle({**FULL, "canary": said}).canary == wish


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("on", "canary: must be off, or a mapping of flavor, image and network, not 'on'"),
        (0, "canary: must be off, or a mapping of flavor, image and network, not 0"),
        (True, "canary: must be off, or a mapping of flavor, image and network, not true"),
        ({"flavour": "x"}, "canary.flavour: is not known, did you mean flavor?"),
        ({"flavor": " "}, "canary.flavor: must not be empty"),
        ({"image": 5}, "canary.image: must be text, not 5: put it in quotes"),
    ],
)
def test_a_bad_wish_for_canaries_is_refused(said: object, words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_bundle({**FULL, "canary": said})
    assert caught.value.message == f"bundle {FULL['name']} cannot be read: {words}"
