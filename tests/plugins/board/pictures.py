"""Makes the pictures of the board for README and docs, from a recorded campaign; needs a chromium.

Run as ``python -m tests.plugins.board.pictures docs/images``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.board.ledgers import DAG, RUN, Stage
from tests.plugins.airflow_home import own_home

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import Step
from escalator.model.verdict import Code

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
PAGE = f"/escalator/board/{DAG}/{RUN.replace(':', '%3A').replace('+', '%2B')}"
LOOKS: dict[str, dict[str, Any]] = {
    "board.png": {"viewport": {"width": 1280, "height": 1000}},
    "board-phone.png": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


class Operator:
    """The log-in of the pictures: one person, who may do everything."""

    async def find_person(self, _: Any) -> Any:
        from escalator_airflow.board.means import Person

        return Person(name="operator")

    def may_read(self, _person: Any, _dag_id: str) -> bool:
        return True

    may_edit = may_read

    def find_readable(self, _person: Any, dag_ids: Collection[str]) -> frozenset[str]:
        return frozenset(dag_ids)

    def find_login(self, _: Any) -> str:
        return "/"


def record(folder: Path) -> tuple[Ledger, Stage]:
    """Record a campaign of 24 nodes of which one has failed and one is being emptied."""
    ledger = Ledger.create_or_upgrade(f"sqlite:///{folder / 'ledger.db'}")
    stage = Stage(ledger, count=24, done=10, out=2, parallel=2, server="sbc-{:02d}-{}")
    message = "apt-get ended with exit code 100: dpkg was interrupted -> run dpkg --configure -a on the node"
    stage.fail(stage.set(), "node-11", Step.UPGRADE, Code.UPGRADE_FAILED, message)
    return ledger, stage


@contextmanager
def serve(ledger: Ledger, stage: Stage) -> Iterator[str]:
    """Serve the board of a campaign at its own time; give its address."""
    import uvicorn
    from fastapi import FastAPI

    from escalator.board.record import BoardReader
    from escalator_airflow.board.application import create_app
    from escalator_airflow.board.looks import SharedLooks
    from escalator_airflow.board.means import Means

    app = FastAPI()
    looks = SharedLooks(BoardReader(lambda: ledger))
    means = Means(gate=Operator(), open_ledger=lambda: ledger, looks=looks, clock=lambda: stage.now)
    app.mount("/escalator", create_app(means))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (port,) = {socket.getsockname()[1] for one in server.servers for socket in one.sockets}
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def take(address: str, folder: Path) -> None:
    """Take every picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, looks in LOOKS.items():
            page = browser.new_context(reduced_motion="reduce", **looks).new_page()
            page.goto(f"{address}{PAGE}")
            page.locator(".filter:not([hidden])").wait_for()
            page.screenshot(path=folder / name)
        browser.close()


def main() -> int:
    """Make the pictures; without a chromium those that are there stay."""
    (folder,) = sys.argv[1:]
    if not Path(CHROMIUM).exists():
        sys.stderr.write("no chromium: the pictures of the board stay as they are\n")
        return 0
    own_home()
    with tempfile.TemporaryDirectory() as made:
        ledger, stage = record(Path(made))
        with serve(ledger, stage) as address:
            take(address, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
