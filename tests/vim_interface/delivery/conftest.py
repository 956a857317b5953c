"""The books and clocks of the couriers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.vim_interface.delivery.couriers import Clock
from tests.vim_interface.wire.notices import NOW, SESSION

from escalator.ledger.ledger import Ledger
from escalator.ledger.notice_book import NoticeBook
from escalator.model.maintenance_session import MaintenanceSession, SessionState


@pytest.fixture
def book(tmp_path: Path) -> NoticeBook:
    book = Ledger.create_or_upgrade(f"sqlite:///{tmp_path}/ledger.db").notices()
    session = MaintenanceSession(id=SESSION, cloud="lab", state=SessionState.MAINTENANCE, opened_at=NOW)
    book.open_session(session)
    return book


@pytest.fixture
def clock() -> Clock:
    return Clock()
