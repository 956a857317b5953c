"""One call of ``up`` brings back whatever has died; with stand-ins for the processes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from escalator.airflow_stack import AirflowStack, ComponentFailedError, StackSettings
from escalator.airflow_stack import stack as module
from escalator.airflow_stack.components import ComponentName
from escalator.lab.progress import Progress

NAMES = tuple(ComponentName)


@dataclass
class Part:
    """Stands in for a component: lives for so many looks at it after each of its starts."""

    name: ComponentName
    events: list[str]
    lives: list[float] = field(default_factory=lambda: [float("inf")])
    left: float = 0
    log: str = "its log"

    def alive(self) -> bool | None:
        self.left -= 1
        return self.left >= 0 or None

    def end_what_is_left(self) -> None:
        if self.left <= 0:
            self.left = 0
            self.events.append(f"end what {self.name} left")

    def ensure_started(self, _environment: object) -> bool:
        if self.left > 0:
            return False
        self.left = self.lives.pop(0)
        self.events.append(f"start {self.name}")
        return True

    def last_words(self) -> str:
        return "no such table"


@dataclass
class Machine:
    """A stack of stand-ins, and what happened to them."""

    stack: AirflowStack
    parts: dict[ComponentName, Part]
    events: list[str]
    asked: list[object]

    def started(self) -> list[str]:
        return [event.removeprefix("start ") for event in self.events if event.startswith("start ")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    events: list[str] = []
    asked: list[object] = []
    stack = AirflowStack(StackSettings(home=tmp_path), progress=Progress(lambda _text: None))
    parts = {name: Part(name, events) for name in NAMES}
    monkeypatch.setattr(stack, "_components", tuple(parts.values()))
    monkeypatch.setattr(stack, "_environment", dict)
    monkeypatch.setattr(stack, "client", lambda: nullcontext(SimpleNamespace(ensure_pool=lambda *_: None)))
    answers = iter([("scheduler",), ("scheduler",), ()])

    def ask(*, since: object) -> tuple[str, ...]:
        asked.append(since)
        return next(answers, ())

    monkeypatch.setattr(stack, "_unhealthy", ask)
    monkeypatch.setattr(module, "HEALTH_POLL_SECONDS", 0.0)
    monkeypatch.setattr(module, "refuse_taken", lambda *_, **__: events.append("look at the port"))
    monkeypatch.setattr(module, "ensure_cluster", lambda *_, **__: events.append("database"))
    (stack.settings.folder / "pids").mkdir(parents=True)
    return Machine(stack, parts, events, asked)


def run_all(machine: Machine, *, but: tuple[ComponentName, ...] = ()) -> None:
    for name, part in machine.parts.items():
        part.left = 0 if name in but else float("inf")


@pytest.mark.parametrize("dead", [*((name,) for name in NAMES), NAMES])
def test_what_died_is_started_and_nothing_else(machine: Machine, dead: tuple[ComponentName, ...]) -> None:
    run_all(machine, but=dead)
    machine.stack.up()
    assert machine.started() == list(dead)


def test_what_the_dead_left_is_ended_before_its_port_is_looked_at(machine: Machine) -> None:
    run_all(machine, but=(ComponentName.API_SERVER,))
    machine.stack.up()
    assert machine.events[:2] == ["end what api-server left", "look at the port"]


def test_what_dies_with_the_database_is_brought_back_by_the_same_call(machine: Machine) -> None:
    run_all(machine)
    machine.parts[ComponentName.SCHEDULER].left = 1
    machine.stack.up()
    assert machine.started() == ["scheduler"]
    assert None not in machine.asked, "the database is new: only signs of life from now on count"
    assert machine.asked[-1] > machine.asked[0]  # type: ignore[operator]


def test_what_this_call_started_and_ends_is_said_with_its_last_words(machine: Machine) -> None:
    run_all(machine, but=(ComponentName.SCHEDULER,))
    machine.parts[ComponentName.SCHEDULER].lives = [1]
    with pytest.raises(ComponentFailedError, match="no such table"):
        machine.stack.up()
    assert machine.started() == ["scheduler"]
