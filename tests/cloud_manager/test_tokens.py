from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.tokens import REUSED_FOR, TokenCache

SERVICES = "/compute/v2.1/os-services"
TOKENS = "/identity/v3/auth/tokens"
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)

Ask = Callable[..., None]


@pytest.fixture
def open_cloud(fake: Any, tmp_path: Path) -> Callable[..., Cloud]:
    """Open the cloud as a process of its own would: with a connection of its own."""

    def connected(*, login: str = "admin", age: timedelta = timedelta(seconds=5)) -> Cloud:
        counter = CallCounter()
        credentials = CloudCredentials.from_connection_fields(
            host=f"{fake.url}/identity/v3",
            login=login,
            password="secret",
            extra={"OS_REGION_NAME": "R", "OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"},
        )
        tokens = TokenCache(folder=tmp_path / "tokens", clock=lambda: ISSUED + age)
        return Cloud(connect(credentials, counter, tokens=tokens), counter)

    return connected


@pytest.fixture
def ask(fake: Any, open_cloud: Callable[..., Cloud]) -> Ask:
    """Read the services in a process of its own."""
    fake.tell("GET", SERVICES, {"services": []})

    def read(**how: Any) -> None:
        open_cloud(**how).fetch_services()

    return read


def test_the_next_process_takes_the_token_of_the_one_before(fake: Any, ask: Ask) -> None:
    ask()
    ask()
    assert len(fake.requests_of("GET", SERVICES)) == 2
    assert len(fake.requests_of("POST", TOKENS)) == 1


def test_a_token_that_is_not_young_is_fetched_anew(fake: Any, ask: Ask) -> None:
    ask()
    ask(age=REUSED_FOR + timedelta(seconds=1))
    assert len(fake.requests_of("POST", TOKENS)) == 2


def test_other_credentials_have_a_token_of_their_own(fake: Any, ask: Ask, tmp_path: Path) -> None:
    ask()
    ask(login="other")
    assert len(fake.requests_of("POST", TOKENS)) == 2
    assert len(list((tmp_path / "tokens").iterdir())) == 2


def test_a_token_that_was_revoked_is_fetched_anew(fake: Any, ask: Ask) -> None:
    ask()
    fake.tell("GET", SERVICES, (401, {"error": {"code": 401, "message": "no"}}), {"services": []})
    ask()
    assert len(fake.requests_of("POST", TOKENS)) == 2


def test_threads_that_are_refused_at_once_all_go_on(
    fake: Any, ask: Ask, open_cloud: Callable[[], Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    answer, together = type(fake).answer, threading.Barrier(4)

    def answer_new_tokens_only(fake: Any, asked: Any) -> Any:
        if asked.path == SERVICES and len(fake.requests_of("POST", TOKENS)) < 2:
            together.wait(60)
            return 401, {"error": {"code": 401, "message": "no"}}
        time.sleep(0.05)
        return answer(fake, asked)

    monkeypatch.setattr(type(fake), "answer", answer_new_tokens_only)
    cloud = open_cloud()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(cloud.fetch_services) for _ in range(4)]
    assert [answer.result() for answer in answers] == [()] * 4


def test_the_file_is_ours_alone_and_tells_nothing(ask: Ask, tmp_path: Path) -> None:
    ask()
    folder = tmp_path / "tokens"
    (file,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert b"token" not in file.read_bytes()
    assert b"catalog" not in file.read_bytes()


@pytest.mark.parametrize("content", [b"", b"not what was written"])
def test_a_file_that_cannot_be_read_is_replaced(fake: Any, ask: Ask, tmp_path: Path, content: bytes) -> None:
    ask()
    (file,) = (tmp_path / "tokens").iterdir()
    file.write_bytes(content)
    ask()
    ask()
    assert len(fake.requests_of("POST", TOKENS)) == 2


def test_a_folder_that_others_may_read_is_not_used(fake: Any, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir(mode=0o755)
    ask()
    ask()
    assert len(fake.requests_of("POST", TOKENS)) == 2
    assert list((tmp_path / "tokens").iterdir()) == []


def test_a_link_to_a_folder_is_not_followed(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "tokens").symlink_to(tmp_path / "elsewhere")
    ask()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_environment_chooses_the_folder_or_none() -> None:
    assert TokenCache.from_environment({"ESCALATOR_TOKEN_DIR": ""}) is None
    chosen = TokenCache.from_environment({"ESCALATOR_TOKEN_DIR": "/run/tokens"})
    assert chosen is not None
    assert chosen.folder == Path("/run/tokens")
    usual = TokenCache.from_environment({})
    assert usual is None or usual.folder.name == f"escalator-{os.getuid()}"
