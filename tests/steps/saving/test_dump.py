from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import NOW

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.model.inventory_settings import DumpCommand
from escalator.model.verdict import Code
from escalator.steps.saving.dump import run_dump


def dump(command: str, limit_seconds: float = 10.0) -> dict[str, object] | None:
    declared = DumpCommand(command=command, limit_seconds=limit_seconds)
    return run_dump(Inventory(cloud="lab", taken_at=NOW, dump=declared), "cloud-abc")


def test_without_a_command_nothing_is_run() -> None:
    assert run_dump(Inventory(cloud="lab", taken_at=NOW), "cloud-abc") is None


def test_the_last_line_says_where_the_dump_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMP_PASSWORD", "pw")
    monkeypatch.setenv("OTHER_SECRET", "pw")
    place = tmp_path / "dump"
    found = dump(f'echo begin; echo "$DUMP_BACKUP $DUMP_PASSWORD $OTHER_SECRET" >{place}; echo s3://dumps/1')
    assert found == {"said": "s3://dumps/1"}
    assert place.read_text() == "cloud-abc pw \n"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo 'no route' >&2; exit 3", "exit code 3: no route"),
        ("false; echo done", "exit code 1"),
        ("sleep 60", "did not end within 0.2 s"),
    ],
)
def test_a_dump_that_fails_keeps_the_campaign_from_beginning(command: str, why: str) -> None:
    with pytest.raises(EscalatorError, match=why) as fault:
        dump(command, 0.2 if "sleep" in command else 10.0)
    assert fault.value.code is Code.BACKUP_FAILED
    assert "inventory settings" in str(fault.value)
