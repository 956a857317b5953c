from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.vim_interface.servers import answer, serving

from escalator import cli as escalator

ONE: dict[str, Any] = {
    "id": "one",
    "cloud": "lab",
    "kind": "fenix-b",
    "url": "http://vnfm.example/maintenance",
    "projects": ["p", "q"],
}
TWO: dict[str, Any] = {
    **ONE,
    "id": "two",
    "cloud": "other",
    "selectors": [{"name": "gw-*"}],
    "conn_id": "two",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    return tmp_path


def write(folder: Path, *vnfms: dict[str, Any]) -> None:
    (folder / "vnfms.yaml").write_text(yaml.safe_dump({"schema": "escalator.vnfms/1", "vnfms": list(vnfms)}))


def test_managers_are_listed_with_cloud_kind_address_projects_and_health(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(answer(503)) as ill:
        write(folder, ONE, {**TWO, "health_url": ill.url})
        assert escalator.main(["vnfms"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "one  vnfm of cloud lab, fenix-b, not told",
        "  http://vnfm.example/maintenance",
        "  all servers of p, q",
        "two  vnfm of cloud other, fenix-b, down: HTTP 503",
        "  http://vnfm.example/maintenance",
        "  servers of p, q",
    ]


def test_scripts_read_them_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answer(200)) as well:
        write(folder, ONE, {**TWO, "health_url": well.url})
        assert escalator.main(["vnfms", "--json", "--cloud", "other"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "schema": "escalator.vnfm-health/1",
        "vnfms": [
            {
                "id": "two",
                "cloud": "other",
                "role": "vnfm",
                "kind": "fenix-b",
                "url": "http://vnfm.example/maintenance",
                "projects": ["p", "q"],
                "selects": "some",
                "conn_id": "two",
                "health": "up",
                "reason": "",
            }
        ],
    }


def test_without_managers_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert escalator.main(["vnfms", "--inventory", str(tmp_path)]) == 0
    assert f"{tmp_path}/vnfms.yaml" in capsys.readouterr().out


def test_faults_are_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {**ONE, "url": "http://me:hunter2@v/"}, {**ONE, "reply_seconds": 9999})
    assert escalator.main(["vnfms"]) == 2
    said = capsys.readouterr().err
    assert "vnfms[0].url: must not hold a name or password" in said
    assert "vnfms[1].reply_seconds: must be seconds" in said
    assert "hunter2" not in said


def test_a_folder_that_is_not_there_says_nothing_of_managers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert escalator.main(["vnfms", "--inventory", str(tmp_path / "inventroy")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "there is no folder" in told.err
    assert "-> name the folder that Airflow reads" in told.err


def test_a_cloud_without_managers_is_not_taken_for_a_file_without(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, ONE)
    assert escalator.main(["vnfms", "--cloud", "lba"]) == 0
    assert capsys.readouterr().out == (
        f"no manager of cloud lba in {folder / 'vnfms.yaml'}, did you mean lab?\n"
    )
