"""The app that the plugin registers: every process of Airflow loads the plugin, few of them serve HTTP."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

URL_PREFIX = "/vim"
"""Where Airflow's API server has it."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class LazyApp:
    """An ASGI app that is made when the first request comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._app: Any = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand the request to the app."""
        if self._app is None:
            from starlette.concurrency import run_in_threadpool  # noqa: PLC0415  for those who serve

            await run_in_threadpool(self._make)  # others are served meanwhile
        await self._app(scope, receive, send)

    def _make(self) -> None:
        with self._lock:
            if self._app is None:
                from escalator_airflow.start_line import tell_what_is_used  # noqa: PLC0415
                from escalator_airflow.web.application import create_app  # noqa: PLC0415
                from escalator_airflow.web.means import find_means  # noqa: PLC0415

                tell_what_is_used()
                self._app = create_app(find_means())
