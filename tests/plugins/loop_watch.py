"""Run triggers as the triggerer does, each in a process of its own, and print what held the event loop.

An import of what is heavy and a connection count as endless: they go on when the event loop has ticked, and
without a tick within ``PATIENCE_SECONDS`` the loop was held. So no clock decides, and no machine is too slow.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import SimpleNamespace
from typing import Any, NoReturn

PATIENCE_SECONDS = 10.0
ENOUGH_SECONDS = 240.0
"""For the imports of one trigger, on a computer that is very busy."""
LIGHT = ("airflow", "asgiref", "escalator.model", "escalator_airflow")
"""What the loop itself may import: it is there already, or it costs milliseconds."""
CALL = "socket.connect"


class Watch:
    """Sees every import and every connection, and whether the loop goes on meanwhile."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.beside: list[str] = []
        self._loop_thread = threading.get_ident()
        self._tick = threading.Event()
        self.called = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """Find nothing: only look at what is imported, as a finder of ``sys.meta_path``."""
        del path, target
        root, dot, _ = name.partition(".")
        is_light = any(name == light or name.startswith(f"{light}.") for light in LIGHT)
        is_looked_at = root == "escalator" if dot else root not in {"escalator", *sys.stdlib_module_names}
        if is_looked_at and not is_light:
            self.see(f"import of {name}")
        return None

    def hear(self, event: str, _args: tuple[Any, ...]) -> None:
        """Look at connections, as an audit hook."""
        if event in {"sqlite3.connect", CALL, "socket.getaddrinfo"}:
            self.see(event)

    def see(self, what: str) -> None:
        """Wait until the loop has ticked."""
        if threading.get_ident() == self._loop_thread:
            self.held.append(what)
            return
        self.beside.append(what)
        if what == CALL:
            self._loop.call_soon_threadsafe(self.called.set)
        self._tick.clear()
        if not self._tick.wait(PATIENCE_SECONDS):
            self.held.append(f"{what}, in another thread")

    async def tick(self) -> None:
        """Say for ever that the loop goes on."""
        while True:
            self._tick.set()
            await asyncio.sleep(0.0001)


async def run_one(watch: Watch, path: str, arguments: dict[str, Any], dag_id: str, run_id: str) -> str:
    """Load a trigger in the loop, as the triggerer does; run it to its end, or until it calls its cloud."""
    ticking = asyncio.create_task(watch.tick())
    module, _, name = path.rpartition(".")
    loaded = importlib.import_module(module)
    vars(loaded).update(SETTLE_SECONDS=0.0)
    trigger = getattr(loaded, name)(**arguments)
    trigger.task_instance = SimpleNamespace(dag_id=dag_id, run_id=run_id, task_id="task")

    async def run() -> str:
        return str([event.payload async for event in trigger.run()])

    async def call() -> str:
        await watch.called.wait()
        return CALL

    tasks = {asyncio.create_task(run()), asyncio.create_task(call()), ticking}
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return str(done.pop().result())


def main() -> None:
    """Run the triggers of the command line, each in a process that has nothing but Airflow's base."""
    importlib.import_module("airflow.triggers.base")  # the triggerer has it before it has any trigger
    triggers, dag_id, run_id = sys.argv[1:]
    for path, arguments in json.loads(triggers).items():
        child = os.fork()
        if child == 0:
            asyncio.run(report(path, arguments, dag_id, run_id))
        os.waitpid(child, 0)


async def report(path: str, arguments: dict[str, Any], dag_id: str, run_id: str) -> NoReturn:
    """Run one trigger, print what was seen, and end this process."""
    watch = Watch()
    sys.meta_path.insert(0, watch)
    sys.addaudithook(watch.hear)
    try:
        ended = await asyncio.wait_for(run_one(watch, path, arguments, dag_id, run_id), ENOUGH_SECONDS)
    except Exception as exc:  # noqa: BLE001  the test reads it
        ended = repr(exc)
    seen = {"path": path, "held": watch.held, "beside": watch.beside, "ended": ended}
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads that still call the cloud are waited for by nobody


if __name__ == "__main__":
    main()
