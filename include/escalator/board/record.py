"""What a board is made from, read from the ledger."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.ledger.board_book import RunFacts
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.model.cloud import HaGroup, Server
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.interruption import YEAR, Gap
from escalator.vim_interface.registry import read_vnf_names

log = logging.getLogger("escalator.board.record")

KEPT_RUNS = 32
KEPT_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """When a node was expected to go when the campaign began, and why then; seconds from its start."""

    starts_at: float
    ends_at: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What a run began with: large, and the same from its start to its end.

    :ivar departures: host -> its departure.
    :ivar makespan_seconds: how long all was expected to take; None: no plan was recorded.
    :ivar members: the servers of the groups, by their ids.
    """

    departures: Mapping[str, Departure] = field(default_factory=dict)
    makespan_seconds: float | None = None
    groups: tuple[HaGroup, ...] = ()
    members: Mapping[str, Server] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRecord:
    """All that the ledger has of one run, as far as the board shows it.

    :ivar places: id of a member of a group -> where the run has moved it.
    :ivar gaps: those of the run; :ivar year_gaps: those of its cloud in the year up to now.
    :ivar vnf_of: id of a group -> name of its VNF.
    """

    facts: RunFacts
    background: Background = field(default_factory=Background)
    places: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    year_gaps: tuple[Gap, ...] = ()
    vnf_of: Mapping[str, str] = field(default_factory=dict)


class BoardReader:
    """Reads what boards are made from, and keeps what does not change. Threads may share it.

    :param open_ledger: opens the ledger for one reading.
    """

    def __init__(self, open_ledger: Callable[[], Ledger] = Ledger) -> None:
        self._open_ledger = open_ledger
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[datetime, Background]] = OrderedDict()

    def read(self, dag_id: str, run_id: str, now: datetime) -> BoardRecord:
        """Read what the board of a run is made from.

        :raises NotFoundError: the ledger has no such run.
        :raises InvalidRequestError: its plan is of another release's form.
        :raises TransientError: when the database is away or busy.
        """
        ledger = self._open_ledger()
        book = ledger.board()
        facts = book.read(dag_id, run_id)
        if facts is None:
            raise NotFoundError(
                f"the ledger has no run {run_id} of {dag_id}",
                remedy="wait until its task check_conditions has ended, or see its log",
            )
        background = self._find_background(ledger, dag_id, run_id, now)
        gaps = ledger.gaps()
        own = gaps.of_run(dag_id, run_id)
        return BoardRecord(
            facts=facts,
            background=background,
            places=book.find_places(dag_id, run_id, background.members.keys()) if background.members else {},
            gaps=own,
            year_gaps=gaps.since(facts.plan.request.cloud, now - YEAR) if background.groups or own else (),
            vnf_of=read_vnf_names() if background.groups or own else {},
        )

    def _find_background(self, ledger: Ledger, dag_id: str, run_id: str, now: datetime) -> Background:
        key = (dag_id, run_id)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and abs(now - kept[0]) < KEPT_FOR:
            return kept[1]
        run = ledger.run(dag_id, run_id)
        found = make_background(run.document(Document.PLAN), run.document(Document.SNAPSHOT_BEFORE))
        with self._lock:
            self._kept[key] = (now, found)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_RUNS:
                self._kept.popitem(last=False)
        return found


def make_background(plan: Mapping[str, Any] | None, snapshot: Mapping[str, Any] | None) -> Background:
    """Read what a run began with from its documents; what cannot be read is not known.

    :param plan: ``escalator.plan/1``, as it was recorded.
    :param snapshot: ``escalator.snapshot/1``, the cloud before the run.
    """
    groups, members = _read_groups(snapshot)
    if not plan:
        return Background(groups=groups, members=members)
    departures = {
        node["host"]: Departure(
            starts_at=node["starts_at_seconds"], ends_at=node["ends_at_seconds"], reason=node["reason"]
        )
        for node in plan["nodes"]
    }
    return Background(
        departures=departures, makespan_seconds=plan["expected"]["seconds"], groups=groups, members=members
    )


def _read_groups(snapshot: Mapping[str, Any] | None) -> tuple[tuple[HaGroup, ...], dict[str, Server]]:
    if not snapshot:
        return (), {}
    try:
        cloud = snapshot_from_document(snapshot)
    except InvalidRequestError as exc:
        log.warning("the groups of a run are not known, its snapshot cannot be read: %s", exc)
        return (), {}
    members = {member for group in cloud.ha_groups for member in group.members}
    return cloud.ha_groups, {server.id: server for server in cloud.servers if server.id in members}
