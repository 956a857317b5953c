"""Every fault of a bundle's file is named with its line, and the file alone is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from escalator.cli import main
from escalator.settings.places import find_own_bundle_dir

GOOD = """\
schema: escalator.bundle/1
name: test-34
components:
  - {name: nova-compute, to: "34.0.0"}
mechanism: {type: none}
"""
FAULTY = """\
schema: escalator.bundle/1
nmae: test-34
components:
  - name: nova-compute
    to: 34.0
  - name: qemu
    scheem: deb
    to: "10.0"
mechanism:
  type: venv
  venv: opt/nova
  package: nova
  service: nova-compute
impact: big
impact: control
"""
UNSERVED = """\
schema: escalator.bundle/1
name: test-34
components:
  - {name: neutron, to: "27.0.0"}
  - {name: qemu, to: "10.0.0"}
  - {name: libs, to: "11.0.0"}
mechanism: {type: venv, venv: /opt/neutron, package: neutron, service: neutron}
"""
CONTRADICTION = (
    GOOD
    + """\
impact: control
reboot: always
"""
)


def lint(capsys: pytest.CaptureFixture[str], folder: Path, *texts: str) -> tuple[int, list[str]]:
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(text)
    code = main(["bundle", "lint", *map(str, files)])
    return code, capsys.readouterr().out.replace(f"{folder}/", "").splitlines()


def test_a_good_bundle_has_no_fault(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert lint(capsys, tmp_path, GOOD) == (
        0,
        ["0.yaml: good: nova-compute 34.0.0 by none"],
    )


def test_every_fault_stands_in_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = lint(capsys, tmp_path, FAULTY)
    assert code == 1
    assert said == [
        "0.yaml:1: name: is required",
        "0.yaml:2: nmae: is not known, did you mean name?",
        "0.yaml:5: components[0].to: must be text, not 34.0: put it in quotes",
        "0.yaml:7: components[1].scheem: is not known, did you mean scheme?",
        "0.yaml:11: mechanism.venv: must be an absolute path in plain characters, not 'opt/nova'",
        "0.yaml:15: impact: stands on line 14 already",
    ]


def test_what_no_campaign_could_do_is_a_fault_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert lint(capsys, tmp_path, UNSERVED) == (
        1,
        [
            "0.yaml:3: components: none is nova-compute: nothing tells whether a node is upgraded",
            "0.yaml:5: components[1]: this release does not do it: component qemu (venv brings neutron only)",
            "0.yaml:6: components[2]: this release does not do it: component libs (venv brings neutron only)",
        ],
    )


def test_a_reboot_of_a_node_that_is_not_emptied_is_a_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, (said,) = lint(capsys, tmp_path, CONTRADICTION)
    assert code == 1
    assert said.startswith(
        "0.yaml:7: reboot: is always, but impact is control: members of HA groups would stay"
    )
    good = CONTRADICTION.replace("control", "reboot")
    assert lint(capsys, tmp_path, good) == (0, ["0.yaml: good: nova-compute 34.0.0 by none"])


def test_of_several_files_each_is_judged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = lint(capsys, tmp_path, UNSERVED, GOOD)
    assert code == 1
    assert said[-1].startswith("1.yaml: good")


@pytest.mark.parametrize("text", ["", "[]", "- a", "5"])
def test_what_is_no_mapping_is_one_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    code, said = lint(capsys, tmp_path, text)
    assert (code, len(said)) == (1, 1)
    assert said[0].startswith("0.yaml:1: document: must be a mapping")


def test_what_is_no_yaml_is_bad_input_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: b\n\tc: d\n")
    assert main(["bundle", "lint", str(path)]) == 2
    assert "line 2" in capsys.readouterr().err
    assert main(["bundle", "lint", str(tmp_path / "none.yaml")]) == 2
    assert main(["bundle", "lint", str(tmp_path)]) == 2


def test_a_file_that_cannot_be_read_hides_no_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.yaml").write_text(UNSERVED)
    assert main(["bundle", "lint", str(tmp_path / "none.yaml"), str(tmp_path / "x.yaml")]) == 2
    said = capsys.readouterr()
    assert "none.yaml cannot be read: there is no such file" in said.err
    assert len(said.out.splitlines()) == 3


def test_bundles_that_come_along_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "lint", *map(str, find_own_bundle_dir().glob("*.yaml"))]) == 0
    assert "good" in capsys.readouterr().out


def test_the_schema_for_editors_is_where_it_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "schema"]) == 0
    schema = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    assert "mechanism" in schema["properties"]
