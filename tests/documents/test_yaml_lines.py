from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.upgrade_manager.clouds import few

from escalator.documents.bundles import parse_bundle
from escalator.documents.windows import parse_windows
from escalator.documents.yaml_lines import load_yaml, read_yaml
from escalator.model.errors import InvalidRequestError

SERVED = "venv, command, apt, dnf, ansible, kolla-ansible, none"
BUNDLE = """\
schema: escalator.bundle/1
name: nova-34
components:
  - name: nova-compute
    to: 34.0
  - {name: nova-api, to: "34.0.0", shceme: pbr}
mechanism:
  type: helm
impact: control
impact: data
rolback: {}
"""
DEEP = "[" * 5000


def told_of(text: str) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse_bundle(load_yaml(text))
    return caught.value.message


def test_every_fault_has_its_path_and_its_line_in_their_order() -> None:
    assert told_of(BUNDLE).partition("cannot be read: ")[2].split("; ") == [
        "components[0].to: must be text, not 34.0: put it in quotes (line 5)",
        "components[1].shceme: is not known, did you mean scheme? (line 6)",
        f"mechanism.type: is 'helm', must be one of {SERVED} (line 8)",
        "impact: stands on line 9 already (line 10)",
        "rolback: is not known, did you mean rollback? (line 11)",
    ]


def test_what_is_missing_has_the_line_of_what_it_is_missing_in() -> None:
    told = told_of("name: a\ncomponents:\n  - name: x\nmechanism:\n  type: venv\n")
    assert "components[0].to: is required (line 3)" in told
    assert "mechanism.venv: is required (line 4)" in told
    assert "schema: is required;" in told


@pytest.mark.parametrize(
    ("written", "read"), [("0240", "160"), ("4:30", "270"), ("-0_7", "-7"), ("3:33.5", "213.5")]
)
def test_numbers_that_yaml_reads_otherwise_than_people_do_are_refused(written: str, read: str) -> None:
    text = f"schema: escalator.windows/1\nwindows:\n  - minutes: {written}\n"
    with pytest.raises(InvalidRequestError) as caught:
        parse_windows(load_yaml(text))
    fault = f"YAML reads {written} as {read}: write that, or put what is meant in quotes (line 3)"
    assert f"windows[0].minutes: {fault}" in caught.value.message
    assert load_yaml("{a: [0, 10, 0.5, -3, 0x1f, '0240']}") == {"a": [0, 10, 0.5, -3, 31, "0240"]}


def test_key_that_stands_there_twice_is_a_fault_even_when_both_values_are_good() -> None:
    text = "schema: escalator.windows/1\nwindows: []\nwindows: []\n"
    with pytest.raises(InvalidRequestError, match=r"windows: stands on line 2 already \(line 3\)"):
        parse_windows(load_yaml(text))


def test_keys_are_the_same_however_they_are_spelt() -> None:
    assert "name: stands on line 1 already (line 2)" in told_of("name: a\n'name': b\n")


def test_anchors_and_merged_keys_are_read() -> None:
    text = "a: &one {name: x, to: '1.0'}\nb: {<<: *one, to: '2.0'}\nc: [*one, *one]\n"
    one = {"name": "x", "to": "1.0"}
    assert load_yaml(text) == {"a": one, "b": {**one, "to": "2.0"}, "c": [one, one]}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "&m {mechanism: *m, components: [*m], hooks: *m}",
        "3: 4\nnull: 5\n.nan: 6\n2026-01-01: 7",
        '"\\uD800": 1',
        'name: "\\uD800"',
        'mechanism: {type: "\\uD800"}',
        "mechanism: {type: " + "[" * 200 + "]" * 200 + "}",
        "expected: {upgrade_seconds: 1" + "0" * 400 + "}",
        "artefacts: !!set {a, b}",
        "",
    ],
)
def test_odd_yaml_is_refused_in_one_line(text: str) -> None:
    assert told_of(text).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [" + DEEP, "nested too deeply"),
        ("a: 1" + "0" * 5000, "cannot be read as int"),
        ("a: 2026-02-30", "'2026-02-30' cannot be read as timestamp"),
        ("a: !!int ''", "'' cannot be read as int"),
        ("a: !!bool maybe", "'maybe' cannot be read as bool"),
        ("a: !!timestamp x", "'x' cannot be read as timestamp"),
        ("? [a]\n: 1", "unhashable key"),
        ("\x00", "not allowed"),
        ("--- a\n--- b", "single document"),
        ("!!python/object:os.system a", "could not determine a constructor"),
        ("a: *b", "undefined alias"),
        ("a: [", "line 1"),
    ],
)
def test_text_that_is_no_yaml_is_said_so(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InvalidRequestError, match=r"x\.yaml cannot be read: ") as caught:
        read_yaml(path)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_bytes_that_are_no_text_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "x.yaml", tmp_path):
        with pytest.raises(InvalidRequestError, match="cannot be read"):
            read_yaml(path)
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none.yaml")


def test_aliases_of_aliases_are_read_once() -> None:
    doubled = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))
    assert "a39: is not known" in told_of(f"a0: &a0 [x]\n{doubled}\n")


@given(st.text(alphabet="ab:-[]{}&*!'\"\n #?|>%@0.", max_size=40))
@few
def test_any_text_is_read_as_plain_yaml_is_or_refused(text: str) -> None:
    try:
        found = load_yaml(text)
    except yaml.YAMLError:
        found = None
    else:
        expected = yaml.safe_load(text)
        assert found == expected or repr(found) == repr(expected)
    assert not isinstance(found, bytes)
