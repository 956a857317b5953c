"""The board as persons have it: Airflow's own log-in, a browser, the keyboard; its pages as data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests.campaigns.harness import DAG_ID, Harness

LIST = "/escalator/board"
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "color_scheme": "dark",
}
CUTS_OFF = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
"""Whether a page is wider than the screen."""
AGREE_SECONDS = 40.0
"""A page is fresh every two seconds; the node is asked about meanwhile, and the machine may be busy."""
_READ = """() => {
  const text = (e) => e ? e.innerText.replace(/\\s+/g, " ").trim() : "";
  const all = (selector) => [...document.querySelectorAll(selector)];
  const rows = all(".nodes tbody tr").map((row) => [text(row.querySelector("th")), {
    state: text(row.cells[2]), group: row.className.slice(2), why: text(row.querySelector(".why")) }]);
  return {
    stand: text(document.querySelector("h1")), nodes: Object.fromEntries(rows),
    moves: all("#out .moves li").map((e) => [e.className, text(e)]),
    needs: all("#needs .needs > li").map(text), ordered: all("#ordered li").map(text),
    limits: text(document.querySelector(".limits")), facts: text(document.querySelector(".facts")),
    buttons: all("button").filter((e) => !e.disabled).map((e) => e.textContent),
    links: all("a[href^='?node=']").length,
    markup: all("main img, main b b, main svg svg").length, body: text(document.body) };
}"""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody who is logged in, and the page of one campaign in their browser."""

    page: Any
    address: str
    faults: list[str]

    def open(self, path: str) -> Any:
        self.page.goto(f"{self.address}{path}")
        self.page.locator("main").wait_for()
        return self.read()

    def read(self) -> dict[str, Any]:
        """Read what the page says now."""
        return dict(self.page.evaluate(_READ))

    def wait(
        self, holds: Callable[[dict[str, Any]], object], timeout_seconds: float = AGREE_SECONDS
    ) -> dict[str, Any]:
        """Wait until what the page says holds, as it keeps itself fresh; return it."""
        deadline = time.monotonic() + timeout_seconds
        while not holds(said := self.read()):
            assert time.monotonic() < deadline, json.dumps(said, indent=1, ensure_ascii=False)
            time.sleep(0.5)
        return said

    def shoot(self, path: Path) -> None:
        """Take a picture of the whole page."""
        self.page.screenshot(path=path, full_page=True)

    # the keyboard alone

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go_to(self, locator: Any) -> None:
        """Go on with Tab until a part of the page has the focus."""
        for _ in range(200):
            if locator.evaluate("(e) => e === document.activeElement"):
                return
            self.press("Tab")
        raise AssertionError(f"the keyboard does not reach {locator}")

    def order(self, form: Any, button: str, why: str) -> None:
        """Type the reason into a form, then go to a button and press it."""
        self.go_to(form.get_by_label("Why").first)
        self.page.keyboard.type(why)
        self.go_to(form.get_by_role("button", name=button))
        with self.page.expect_navigation():
            self.press("Enter")

    def open_orders(self) -> Any:
        """Open the form of orders; return it."""
        self.go_to(self.page.locator("#order summary").first)
        self.press("Enter")
        return self.page.locator("#order")


@dataclass
class Visitors:
    """Logs persons in, each in a browser of their own."""

    browser: Any
    harness: Harness
    readers: list[Reader] = field(default_factory=list)

    def log_in(self, user: str, path: str, **looks: Any) -> Reader:
        """Ask for a page of the board as nobody; be led to Airflow's log-in and, logged in, back."""
        context = self.browser.new_context(reduced_motion="reduce", **looks)
        page, faults = context.new_page(), list[str]()
        address = self.harness.stack.settings.url
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
        page.on("request", lambda r: None if r.url.startswith((address, "data:")) else faults.append(r.url))
        page.goto(f"{address}{path}")
        assert "/auth/login" in page.url, page.url
        page.locator("input[name=username]").fill(user)
        page.locator("input[name=password]").fill(self.password(user))
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: unquote(url) == unquote(f"{address}{path}"))
        page.locator("#live").wait_for()
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
        reader = Reader(page=page, address=address, faults=faults)
        self.readers.append(reader)
        return reader

    def password(self, user: str) -> str:
        """Return the password that Airflow's simple log-in has made of a user."""
        told = json.loads((self.harness.stack.settings.secrets / "simple-auth.json").read_text())
        return str(told[user])

    def close(self) -> None:
        for reader in self.readers:
            reader.page.context.close()


@contextmanager
def visiting(harness: Harness, chromium: str) -> Iterator[Visitors]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        visitors = Visitors(browser=browser, harness=harness)
        yield visitors
        visitors.close()
        browser.close()


def find_page(run_id: str, dag_id: str = DAG_ID) -> str:
    """Return the path of the page of a campaign."""
    return f"{LIST}/{dag_id}/{quote(run_id, safe='')}"


# what Nova and the ledger say


def find_groups(harness: Harness, board: dict[str, Any]) -> dict[str, str]:
    """Say of each node what it counts as: out, held and failed by its lease in Nova, else by the ledger."""
    services = harness.services()
    marks = {"FAILED": "failed", "HELD": "held"}
    found = {}
    for node in board["nodes"]:
        lease = services[node["host"]].lease
        if lease is not None:
            found[node["host"]] = "out" if lease.mark is None else marks[str(lease.mark)]
        else:
            found[node["host"]] = node["group"]
    return found


def agree(harness: Harness, reader: Reader, run_id: str) -> dict[str, Any]:
    """See that the page says what Nova and the ledger do at that moment; return what it says.

    They are asked before and after the page is read: what changed in between is looked at again.
    """

    def ask() -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
        board = harness.client.campaigns.fetch_board(DAG_ID, run_id)
        return find_groups(harness, board), {n["host"]: (n["state"], n["why"]) for n in board["nodes"]}

    deadline = time.monotonic() + AGREE_SECONDS
    while True:
        before, said, after = ask(), reader.read(), ask()
        groups = {host: node["group"] for host, node in said["nodes"].items()}
        states = {host: node["state"] for host, node in said["nodes"].items()}
        same = groups == after[0] and states == {host: state for host, (state, _) in after[1].items()}
        waits = [
            h for h, g in groups.items() if g == "waiting" and after[1][h][1] not in said["nodes"][h]["why"]
        ]
        if before == after and same and not waits:
            return said
        assert time.monotonic() < deadline, (before, after, said["nodes"])
        time.sleep(1.0)
