"""A session of several runs of which one was refused: it began no campaign, and may be the last to end."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.builders import NOW

from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import Notice, NoticeState
from escalator.model.run_life import RunLife

pytestmark = pytest.mark.airflow
RUN_ID = "maintenance__{}"
TOLD, REFUSED = "upgrade__lab__a", "upgrade__lab__b"
MANAGER = {
    "id": "m",
    "cloud": "lab",
    "kind": "fenix-a",
    "url": "http://127.0.0.1:1/",
    "projects": ["p"],
}


@pytest.fixture
def session_id(folders: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A session whose first run has told a project, and has ended."""
    monkeypatch.setenv("ESCALATOR_VIM_URL", "http://airflow.example/vim")
    registry = {"schema": "escalator.vnfms/1", "vnfms": [MANAGER]}
    (folders / "inventory" / "vnfms.yaml").write_text(yaml.safe_dump(registry))
    session_id = request.node.name
    run_id, book = RUN_ID.format(session_id), Ledger().notices()
    book.open_session(
        MaintenanceSession(
            id=session_id,
            cloud="lab",
            state=SessionState.MAINTENANCE,
            opened_at=NOW,
            runs=((TOLD, run_id), (REFUSED, run_id)),
        )
    )
    notice = Notice(session_id=session_id, vnfm="m", project_id="p", state=NoticeState.MAINTENANCE)
    book.queue([notice], NOW)
    return session_id


def fail(session_id: str, life: RunLife = RunLife.RUNNING) -> tuple[SessionState, list[NoticeState]]:
    """Let the second run be refused; return how the session stands then, and what was told."""
    from escalator_airflow.desks import fail_session_of

    fail_session_of(REFUSED, RUN_ID.format(session_id), lambda *_: life)
    book = Ledger().notices()
    session = book.session(session_id)
    assert session is not None
    return session.state, [record.notice.state for record in book.find(session_id)]


def test_while_another_run_goes_on_it_tells_nobody(session_id: str) -> None:
    assert fail(session_id) == (SessionState.MAINTENANCE_FAILED, [NoticeState.MAINTENANCE])


def test_as_the_last_one_it_tells_the_end(session_id: str) -> None:
    Ledger().notices().end_run(session_id, (TOLD, RUN_ID.format(session_id)), failed=False)
    told = [NoticeState.MAINTENANCE, NoticeState.MAINTENANCE_COMPLETE]
    assert fail(session_id) == (SessionState.MAINTENANCE_FAILED, told)
    assert fail(session_id) == (SessionState.MAINTENANCE_FAILED, told)


def test_with_faults_in_the_registry_the_session_fails_all_the_same(session_id: str, folders: Path) -> None:
    (folders / "inventory" / "vnfms.yaml").write_text("schema: [")
    assert fail(session_id, RunLife.DELETED)[0] is SessionState.MAINTENANCE_FAILED


def test_a_run_that_no_post_began_has_no_session(folders: Path) -> None:
    from escalator_airflow.desks import fail_session_of

    assert folders
    for run_id in ("manual__1", RUN_ID.format("unknown")):
        fail_session_of(REFUSED, run_id, lambda *_: RunLife.RUNNING)
