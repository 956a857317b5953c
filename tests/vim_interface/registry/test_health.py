from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.vim_interface.servers import Request, answer, find_closed_port, serving

from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.vim_interface.registry.health import Health, fetch_health


def manager(vnfm_id: str, health_url: str | None) -> Vnfm:
    fields: dict[str, Any] = {
        "cloud": "lab",
        "kind": VnfmKind.WEBHOOK,
        "url": "http://v/",
        "projects": ("p",),
    }
    return Vnfm(id=vnfm_id, health_url=health_url, **fields)


def test_managers_are_up_down_or_not_told_in_their_order() -> None:
    with serving(answer(200)) as well, serving(answer(503)) as ill:
        urls = (f"{well.url}/h", None, f"http://127.0.0.1:{find_closed_port()}/", ill.url)
        found = fetch_health([manager(str(number), url) for number, url in enumerate(urls)])
    assert [(f.vnfm.id, f.health) for f in found] == [
        ("0", Health.UP),
        ("1", Health.NOT_TOLD),
        ("2", Health.DOWN),
        ("3", Health.DOWN),
    ]
    assert [(request.method, request.path) for request in well.requests] == [("GET", "/h")]
    assert found[2].reason.startswith("no connection")
    assert found[3].reason == "HTTP 503"


def test_managers_that_hang_are_down_all_at_once() -> None:
    go = threading.Event()

    def wait(_handler: BaseHTTPRequestHandler, _request: Request) -> None:
        go.wait(20)

    with serving(wait) as hanging:
        begun = time.monotonic()
        found = fetch_health([manager(str(number), hanging.url) for number in range(8)], seconds=0.5)
        assert time.monotonic() - begun < 3
        go.set()
    assert {(f.health, f.reason) for f in found} == {(Health.DOWN, "it has not answered within 0.5 s")}
