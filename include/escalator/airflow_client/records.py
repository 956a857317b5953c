"""What Airflow's REST API answers, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from escalator.airflow_client.errors import refuse_other_forms

if TYPE_CHECKING:
    from collections.abc import Mapping

HEALTHY = "healthy"


class RunState(StrEnum):
    """States of a DAG run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Tell whether the run has ended."""
        return self in {RunState.SUCCESS, RunState.FAILED}


class TaskState(StrEnum):
    """States of a task instance; a task that was not looked at yet has none."""

    REMOVED = "removed"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    RESTARTING = "restarting"
    FAILED = "failed"
    UP_FOR_RETRY = "up_for_retry"
    UP_FOR_RESCHEDULE = "up_for_reschedule"
    UPSTREAM_FAILED = "upstream_failed"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    AWAITING_INPUT = "awaiting_input"

    @property
    def is_final(self) -> bool:
        """Tell whether the task will do nothing more in this run unless it is cleared."""
        return self in {
            TaskState.REMOVED,
            TaskState.SUCCESS,
            TaskState.FAILED,
            TaskState.UPSTREAM_FAILED,
            TaskState.SKIPPED,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DagRun:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: RunState
    conf: Mapping[str, Any]
    note: str | None
    logical_date: datetime | None
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> DagRun:
        """Read one run out of an answer."""
        return cls(
            dag_id=document["dag_id"],
            run_id=document["dag_run_id"],
            state=RunState(document["state"]),
            conf=document.get("conf") or {},
            note=document.get("note"),
            logical_date=_moment(document.get("logical_date")),
            started_at=_moment(document.get("start_date")),
            ended_at=_moment(document.get("end_date")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInstance:
    """One task of one run.

    :param id: changes with every try.
    :param pid: process id of the task on ``hostname``, once it has started.
    """

    id: str
    task_id: str
    map_index: int
    state: TaskState | None
    try_number: int
    max_tries: int
    started_at: datetime | None
    ended_at: datetime | None
    note: str | None
    pid: int | None
    hostname: str | None

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> TaskInstance:
        """Read one task instance out of an answer."""
        state = document.get("state")
        return cls(
            id=document["id"],
            task_id=document["task_id"],
            map_index=document.get("map_index", -1),
            state=None if state is None else TaskState(state),
            try_number=document["try_number"],
            max_tries=document["max_tries"],
            started_at=_moment(document.get("start_date")),
            ended_at=_moment(document.get("end_date")),
            note=document.get("note"),
            pid=document.get("pid"),
            hostname=document.get("hostname"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredAction:
    """What a task asks a person. ``options`` are the answers that there are."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    subject: str
    options: tuple[str, ...]

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> RequiredAction:
        """Read one required action out of an answer."""
        task = document["task_instance"]
        return cls(
            dag_id=task["dag_id"],
            run_id=task["dag_run_id"],
            task_id=task["task_id"],
            map_index=task.get("map_index", -1),
            subject=document["subject"],
            options=tuple(document["options"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """One DAG that Airflow has read; a stale one was in no file any more when its file was last read."""

    dag_id: str
    is_paused: bool
    is_stale: bool
    tags: tuple[str, ...]
    parsed_at: datetime | None

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> Dag:
        """Read one DAG out of an answer."""
        return cls(
            dag_id=document["dag_id"],
            is_paused=document["is_paused"],
            is_stale=document["is_stale"],
            tags=tuple(tag["name"] for tag in document.get("tags") or ()),
            parsed_at=_moment(document.get("last_parsed_time")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DagImportError:
    """A DAG file that Airflow could not import."""

    filename: str
    stack_trace: str

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> DagImportError:
        """Read one import error out of an answer."""
        return cls(filename=document["filename"], stack_trace=document["stack_trace"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of slots.

    :param slots: number of slots; -1 for as many as anybody wants.
    """

    name: str
    slots: int
    description: str = ""

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> Pool:
        """Read one pool out of an answer."""
        return cls(
            name=document["name"], slots=document["slots"], description=document.get("description") or ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An Airflow connection.

    :param password: the secret; what Airflow answers is masked, never the secret itself.
    :param extra: a JSON document as text; secrets in it are masked in answers.
    """

    connection_id: str
    conn_type: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: str | None = field(default=None, repr=False)
    description: str | None = None

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> Connection:
        """Read one connection out of an answer."""
        return cls(**{name: document.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Return the body that creates this connection."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """State of the parts of Airflow: ``healthy``, ``unhealthy``, or None when one was never seen.

    :param heartbeats: when each part gave its last sign of life; the database gives none.
    """

    parts: Mapping[str, str | None]
    heartbeats: Mapping[str, datetime]

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> Health:
        """Read the health answer."""
        beats = {name: (part or {}).get(f"latest_{name}_heartbeat") for name, part in document.items()}
        return cls(
            parts={name: (part or {}).get("status") for name, part in document.items()},
            heartbeats={name: datetime.fromisoformat(beat) for name, beat in beats.items() if beat},
        )

    @property
    def unhealthy(self) -> tuple[str, ...]:
        """Return the names of the parts that do not say that they are healthy."""
        return tuple(name for name, status in self.parts.items() if status != HEALTHY)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
