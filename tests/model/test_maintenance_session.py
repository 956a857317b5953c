from __future__ import annotations

import uuid

from escalator.model.maintenance_session import RUN_ID_PREFIX, SessionState, name_session

ID = "11111111-2222-3333-4444-555555555555"


def test_a_run_that_a_post_started_has_the_session_of_the_post() -> None:
    assert name_session("aaaa0000", "upgrade__lab", f"{RUN_ID_PREFIX}{ID}") == ID


def test_any_other_run_has_one_of_its_own_that_is_the_same_each_time() -> None:
    runs = [
        ("aaaa0000", "upgrade__lab", "scheduled__1"),
        ("bbbb0000", "upgrade__lab", "scheduled__1"),
        ("aaaa0000", "upgrade__lab2", "scheduled__1"),
        ("aaaa0000", "upgrade__lab", "scheduled__2"),
    ]
    made = [name_session(*run) for run in runs]
    assert made == [name_session(*run) for run in runs]
    assert len(set(made)) == 4
    assert all(str(uuid.UUID(name)) == name for name in made)


def test_two_states_are_the_end() -> None:
    ended = {state for state in SessionState if state.ended}
    assert ended == {SessionState.MAINTENANCE_DONE, SessionState.MAINTENANCE_FAILED}
