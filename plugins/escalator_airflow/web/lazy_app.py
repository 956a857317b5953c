"""The apps that the plugin registers: every process of Airflow loads the plugin, few of them serve HTTP."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

URL_PREFIX = "/vim"
"""Where Airflow's API server has the VIM interface."""
BOARD_PREFIX = "/escalator"
"""Where Airflow's API server has the board."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def make_vim_interface() -> Any:
    """Make the app of the VIM interface."""
    from escalator_airflow.web.application import create_app  # noqa: PLC0415
    from escalator_airflow.web.means import find_means  # noqa: PLC0415

    return create_app(find_means())


def make_board() -> Any:
    """Make the app of the board."""
    from escalator_airflow.board.application import create_app  # noqa: PLC0415
    from escalator_airflow.board.means import find_means  # noqa: PLC0415

    return create_app(find_means())


class LazyApp:
    """An ASGI app that is made when the first request comes.

    :param make: makes it.
    """

    def __init__(self, make: Callable[[], Any] = make_vim_interface) -> None:
        self._lock = threading.Lock()
        self._make_app = make
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

                tell_what_is_used()
                self._app = self._make_app()
