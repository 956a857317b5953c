from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import NOW

from escalator.alerts import alertmanager
from escalator.model.alerts import AlertSettings
from escalator.model.errors import InvalidRequestError, TransientError
from escalator.model.inventory import Inventory

pytestmark = pytest.mark.airflow
DECLARED = Inventory(cloud="lab", taken_at=NOW, alerts=AlertSettings(conn_id="am"))


@pytest.fixture
def alerts(airflow_home: Path) -> Any:
    """The module; imported when Airflow has its home, as it looks for plugins once a process."""
    assert airflow_home
    from escalator_airflow import alerts

    return alerts


def connection(**fields: Any) -> SimpleNamespace:
    known = {"host": "am", "schema": None, "port": None, "login": None, "password": None, "extra_dejson": {}}
    return SimpleNamespace(**(known | fields))


@pytest.fixture
def opened(alerts: Any, monkeypatch: pytest.MonkeyPatch) -> list[alertmanager.Access]:
    seen: list[alertmanager.Access] = []
    monkeypatch.setattr(alerts, "Alertmanager", seen.append)
    return seen


def test_without_a_word_nobody_is_asked(alerts: Any) -> None:
    assert alerts.find_alerts(Inventory(cloud="lab", taken_at=NOW)) is None


@pytest.mark.parametrize(
    ("fields", "access"),
    [
        ({}, alertmanager.Access(url="http://am:9093")),
        ({"schema": "https", "port": 443}, alertmanager.Access(url="https://am:443")),
        ({"host": "https://x/am"}, alertmanager.Access(url="https://x/am")),
        (
            {"login": "ann", "password": "p"},
            alertmanager.Access(url="http://am:9093", user="ann", password="p"),
        ),
        (
            {"extra_dejson": {"token": "t", "cacert": "/ca.pem"}},
            alertmanager.Access(url="http://am:9093", token="t", ca_file="/ca.pem"),
        ),
    ],
)
def test_the_connection_says_where_it_is(
    alerts: Any,
    opened: list[alertmanager.Access],
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    access: alertmanager.Access,
) -> None:
    from airflow.sdk import BaseHook

    monkeypatch.setattr(BaseHook, "get_connection", lambda _conn_id: connection(**fields))
    alerts.open_alertmanager("am")
    assert opened == [access]


def test_it_is_read_when_it_is_needed_and_one_that_is_not_there_is_named(
    alerts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    def get_connection(conn_id: str) -> None:
        raise AirflowNotFoundException(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)
    watch = alerts.find_alerts(DECLARED)
    with pytest.raises(InvalidRequestError, match="there is no connection am of the Alertmanager"):
        watch.see_that_it_answers()


def test_nobody_listens_there(alerts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook

    monkeypatch.setattr(BaseHook, "get_connection", lambda _conn_id: connection(host="127.0.0.1", port=1))
    with pytest.raises(TransientError, match=r"Alertmanager at http://127.0.0.1:1 does not answer"):
        alerts.find_alerts(DECLARED).see_that_it_answers()
