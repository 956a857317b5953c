from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.airflow
TUESDAYS = "0 22 * * 2"


@pytest.fixture
def module(airflow_home: object) -> Any:
    assert airflow_home
    from escalator_airflow.timetables import maintenance_window

    return maintenance_window


def at(text: str) -> Any:
    import pendulum

    return pendulum.parse(text)


def following(module: Any, monkeypatch: pytest.MonkeyPatch, now: str, last: str | None = None) -> Any:
    """Return the next run of the Tuesdays' window in Warsaw, at a time and after a last run."""
    from airflow.timetables import trigger
    from airflow.timetables.base import DataInterval, TimeRestriction

    monkeypatch.setattr(module, "now", lambda _zone: at(now))
    monkeypatch.setattr(trigger, "utcnow", lambda: at(now))
    interval = None
    if last is not None:
        interval = DataInterval(at(last), at(last).add(minutes=240))
    return module.MaintenanceWindow(TUESDAYS, timezone="Europe/Warsaw", minutes=240).next_dagrun_info(
        last_automated_data_interval=interval,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )


def test_a_run_begins_at_the_tick_and_its_interval_is_the_window(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = following(module, monkeypatch, "2026-11-22T08:00:00Z")
    assert run.run_after == run.data_interval.start == at("2026-11-24T21:00:00Z")
    assert run.data_interval.end == at("2026-11-25T01:00:00Z")


def test_the_next_window_opens_a_week_after_the_last(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = following(module, monkeypatch, "2026-11-25T02:00:00Z", last="2026-11-24T21:00:00Z")
    assert run.run_after == at("2026-12-01T21:00:00Z")


def test_a_window_that_was_missed_but_is_open_is_used(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = following(module, monkeypatch, "2026-11-24T23:30:00Z", last="2026-11-17T21:00:00Z")
    assert run.data_interval.end == at("2026-11-25T01:00:00Z")


def test_a_window_that_is_over_is_passed_over(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = following(module, monkeypatch, "2026-11-25T01:00:00Z", last="2026-11-17T21:00:00Z")
    assert run.run_after == at("2026-12-01T21:00:00Z")


def test_the_rule_is_read_in_its_zone_in_summer_and_winter(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert following(module, monkeypatch, "2026-07-01T08:00:00Z").run_after == at("2026-07-07T20:00:00Z")
    assert following(module, monkeypatch, "2026-12-02T08:00:00Z").run_after == at("2026-12-08T21:00:00Z")


@pytest.mark.parametrize(
    ("started", "end"),
    [
        ("2026-11-24T20:59:00Z", "2026-11-24T20:59:00Z"),
        ("2026-11-24T21:00:00Z", "2026-11-25T01:00:00Z"),
        ("2026-11-24T23:00:00Z", "2026-11-25T01:00:00Z"),
        ("2026-11-25T01:00:00Z", "2026-11-25T01:00:00Z"),
    ],
)
def test_a_run_by_hand_ends_with_the_window_that_is_open_and_has_none_else(
    module: Any, started: str, end: str
) -> None:
    window = module.MaintenanceWindow(TUESDAYS, timezone="Europe/Warsaw", minutes=240)
    interval = window.infer_manual_data_interval(run_after=at(started))
    assert (interval.start, interval.end) == (at(started), at(end))


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_logical_date_that_cannot_be_reckoned_with_is_refused(module: Any, text: str) -> None:
    window = module.MaintenanceWindow(TUESDAYS, timezone="Europe/Warsaw", minutes=240)
    with pytest.raises(ValueError, match="has to be between 1970 and 2200"):
        window.infer_manual_data_interval(run_after=at(text))


@pytest.mark.parametrize(
    ("cron", "minutes", "said"),
    [
        ("0 25 * * *", 60, "25"),
        ("every tuesday", 60, "columns"),
        ("0 22 * * *", 0, "choose 1 to"),
        ("0 22 * * *", 8 * 24 * 60, "choose 1 to"),
        ("0 */4 * * *", 241, "windows overlap"),
        ("0 22 * * 2,3", 25 * 60, "windows overlap"),
        ("0 22 * * 2 30", 60, "five columns"),
        ("0 22 30 2 *", 60, "next date"),
        ("R 22 * * 2", 60, "another time with every look"),
        ("0 r(1-5) * * thu", 60, "another time with every look"),
        ("*/30 1-4 * * *", 31, "windows overlap"),
        ("0 23 31,1 12,1 *", 25 * 60, "from 2026-12-31T23:00:00"),
    ],
)
def test_what_cannot_be_a_window_is_refused(module: Any, cron: str, minutes: int, said: str) -> None:
    from airflow.exceptions import AirflowTimetableInvalid

    with pytest.raises(AirflowTimetableInvalid, match=said):
        module.MaintenanceWindow(cron, minutes=minutes).validate()


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("0 0 * * *", "Europe/Warsaw", "from 2027-03-28T00:00:00"),
        ("0 2 * * *", "Australia/Sydney", "from 2027-10-03T03:00:00"),
        ("0 */4 * * *", "Europe/Warsaw", "from 2027-03-28T00:00:00"),
        ("0 22 * * 6,0", "Africa/Casablanca", "windows overlap"),
    ],
)
def test_windows_that_overlap_where_a_clock_goes_forward_are_refused(
    module: Any, cron: str, zone: str, said: str
) -> None:
    from airflow.exceptions import AirflowTimetableInvalid

    minutes = 240 if "/4" in cron else 24 * 60
    with pytest.raises(AirflowTimetableInvalid, match=said):
        module.MaintenanceWindow(cron, timezone=zone, minutes=minutes).validate()


@pytest.mark.parametrize(
    ("cron", "minutes", "zone"),
    [
        ("0 */4 * * *", 240, "UTC"),
        ("0 */4 * * *", 180, "Europe/Warsaw"),
        ("0 22 * * *", 23 * 60, "Europe/Warsaw"),
        ("0 * * * *", 60, "Europe/Warsaw"),
        (TUESDAYS, 7 * 24 * 60 - 60, "Europe/Warsaw"),
        ("@daily", 60, "Europe/Warsaw"),
        ("@daily", 24 * 60, "Asia/Kolkata"),
    ],
)
def test_windows_that_touch_are_good(module: Any, cron: str, minutes: int, zone: str) -> None:
    assert module.MaintenanceWindow(cron, timezone=zone, minutes=minutes).validate() is None


def test_a_dag_with_a_window_goes_through_the_database_and_back(module: Any) -> None:
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    window = module.MaintenanceWindow(TUESDAYS, timezone="Europe/Warsaw", minutes=240)
    with DAG("windowed", schedule=window, catchup=False) as dag:
        pass
    found = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    assert type(found) is module.MaintenanceWindow
    assert found.serialize() == window.serialize()
    assert found.summary == "0 22 * * 2 for 240 min"
