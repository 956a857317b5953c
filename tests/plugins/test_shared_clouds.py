from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.model.errors import TransientError

pytestmark = pytest.mark.airflow


@pytest.fixture
def module(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    assert airflow_home
    from escalator_airflow import shared_clouds

    monkeypatch.setattr(
        shared_clouds, "OpenStackCloudHook", lambda conn_id: SimpleNamespace(get_conn=lambda: Cloud(conn_id))
    )
    shared_clouds._CLOUDS.clear()
    yield shared_clouds
    shared_clouds._CLOUDS.clear()


class Cloud:
    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.refreshed = threading.Event()

    def refresh_if_due(self) -> bool:
        self.refreshed.set()
        raise TransientError("HTTP 503")


def test_all_that_keep_watch_share_a_cloud(module: Any) -> None:
    assert module.open_shared_cloud("one") is module.open_shared_cloud("one")
    assert module.open_shared_cloud("two").conn_id == "two"


def test_one_that_failed_is_opened_anew_once(module: Any) -> None:
    failed = module.open_shared_cloud("one")
    module.close_shared_cloud("one", failed)
    fresh = module.open_shared_cloud("one")
    module.close_shared_cloud("one", failed)
    assert module.open_shared_cloud("one") is fresh is not failed


def test_after_an_hour_the_connection_is_read_again(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first = module.open_shared_cloud("one")
    now[0] = module.OPEN_SECONDS + 1
    assert module.open_shared_cloud("one") is not first


def test_who_has_one_takes_the_one_that_is_shared_now(module: Any) -> None:
    first = module.open_shared_cloud("one")
    module.close_shared_cloud("one", first)
    assert module.follow_shared_cloud("one", first) is first
    fresh = module.open_shared_cloud("one")
    assert module.follow_shared_cloud("one", first) is fresh is not first


def test_a_refresh_runs_beside_the_looks_and_its_failure_harms_none(module: Any) -> None:
    cloud = module.open_shared_cloud("one")
    module.start_refresh("one", cloud)
    assert cloud.refreshed.wait(60)
    module.start_refresh("one", Cloud("of somebody else"))
