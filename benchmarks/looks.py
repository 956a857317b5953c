"""Measures what campaigns at rest cost Nova: calls a minute and seconds a look, before and after.

A recorded Nova of 500 nodes and 20,000 servers is a process of its own; tenants change its servers. Campaigns
wait, as their triggers do, for nodes that another has out. *Before* is the way before changes were asked for.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "include"), str(ROOT / "plugins")]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="escalator-looks-")

from benchmarks.fleets import Fleet  # noqa: E402
from benchmarks.recorded_http import serve  # noqa: E402
from benchmarks.recorded_nova import RecordedCloud, age  # noqa: E402

from escalator.cloud_manager.call_counter import CallCounter  # noqa: E402
from escalator.cloud_manager.cloud import Cloud  # noqa: E402
from escalator.cloud_manager.connection import connect  # noqa: E402
from escalator.cloud_manager.credentials import CloudCredentials  # noqa: E402
from escalator.cloud_manager.listing import REFRESH_AFTER  # noqa: E402
from escalator.cloud_manager.listing_store import ListingStore  # noqa: E402
from escalator.documents.bundle_file import read_bundle_file  # noqa: E402
from escalator.documents.bundles import parse_bundle  # noqa: E402
from escalator.ledger.campaign_record import CampaignRecord  # noqa: E402
from escalator.ledger.ledger import Ledger  # noqa: E402
from escalator.model.campaign import CampaignRequest  # noqa: E402
from escalator.model.clock import utcnow  # noqa: E402
from escalator.model.cloud import CloudSnapshot  # noqa: E402
from escalator.model.decisions import Admission, AdmissionDecision  # noqa: E402
from escalator.model.inventory import Inventory  # noqa: E402
from escalator.model.lease import Lease  # noqa: E402
from escalator.steps.admit import decide_now  # noqa: E402
from escalator.steps.running.context import CampaignContext  # noqa: E402
from escalator.system_support.mechanisms import choose_mechanism  # noqa: E402
from escalator.upgrade_manager.schedule.planning import plan_campaign  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- looks: begin -->", "<!-- looks: end -->"
NODES, OLD_MIGRATIONS, CHANGES_A_MINUTE = 500, 5000, 20
PARTS = 5
POLL_SECONDS = 2.0
OLD_FULL_LOOK_SECONDS = 15.0
WHOLE_EVERY_MINUTES = REFRESH_AFTER.total_seconds() / 60
Decisions = dict[str, AdmissionDecision]


class Watches(Protocol):
    """What a campaign's triggers do with the one that looks for them."""

    _taken: float
    _stages: object

    def look(self, asking: frozenset[str]) -> Decisions:
        """Look once for all that wait."""


class OldWatcher:
    """As it was: the services every two seconds, and every server of the cloud every fifteen."""

    def __init__(self, campaign: CampaignContext) -> None:
        self._campaign = campaign
        self._stages: object = None
        self._taken = float("-inf")
        self._decisions: Decisions = {}

    def look(self, asking: frozenset[str]) -> Decisions:
        """Look once for all that wait."""
        campaign = self._campaign
        services = campaign.cloud.fetch_services()
        seen = (
            frozenset((s.host, s.state, s.status, s.disabled_reason) for s in services),
            frozenset((node.host, node.state) for node in campaign.run.nodes()),
            asking,
        )
        now = time.monotonic()
        if seen != self._stages or now - self._taken > OLD_FULL_LOOK_SECONDS:
            _, self._decisions = decide_now(campaign, asking=asking)
            self._stages, self._taken = seen, now
        return self._decisions


@dataclass(slots=True)
class Nova:
    """The recorded cloud in its process, and what it is asked beside the campaigns."""

    url: str
    fleet: CloudSnapshot

    def count(self) -> int:
        """Return how many calls it has answered."""
        return int(self._ask("calls", {})["calls"])

    def disable(self, reasons: dict[str, str]) -> None:
        """Disable nodes with these reasons, and enable all others."""
        self._ask("disable", reasons)

    def _ask(self, what: str, asked: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        request = urllib.request.Request(f"{self.url}/benchmark/{what}", json.dumps(asked).encode())  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.load(answer)

    def open(self, store: Path | None, *, keeps: bool = True) -> Cloud:
        """Open the cloud as a process of its own would.

        :param keeps: keep the servers and ask what changed; else list them at every look, as before.
        """
        credentials = CloudCredentials.from_connection_fields(
            host=f"{self.url}/identity/v3",
            login="admin",
            password="secret",  # noqa: S106
            extra={"OS_REGION_NAME": "R", "OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"},
        )
        counter = CallCounter()
        listings = ListingStore(path=store) if store is not None and keeps else None
        cloud = Cloud(connect(credentials, counter), counter, listings=listings)
        if not keeps:
            reader = cloud._reader.listings  # noqa: SLF001
            reader._keep = lambda listing, **_: listing  # type: ignore[method-assign]  # noqa: SLF001
        return cloud


@contextmanager
def running_nova() -> Iterator[Nova]:
    """Run the recorded cloud."""
    fleet = Fleet(nodes=NODES).snapshot()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(fleet, theirs), daemon=True)
    process.start()
    try:
        yield Nova(url=str(ours.recv()), fleet=fleet)
    finally:
        process.terminate()


def _serve(fleet: CloudSnapshot, to: Any) -> None:  # noqa: ANN401 - the end of a pipe
    cloud = RecordedCloud.of(fleet)
    age(OLD_MIGRATIONS, cloud)
    serve(cloud, CHANGES_A_MINUTE, to.send)


def open_campaigns(nova: Nova, clouds: Iterable[Cloud], ledger: Ledger) -> list[CampaignContext]:
    """Begin a campaign in each of the first domains; a node of each domain is out under somebody's lease."""
    document = read_bundle_file(ROOT / "include" / "bundles" / "nova-34.yaml")
    bundle, fleet = parse_bundle(document), nova.fleet
    domains = sorted({node.domain for node in fleet.nodes})
    contexts = []
    for domain, cloud in zip(domains, clouds, strict=False):
        request = CampaignRequest(cloud="fleet", domain=domain, bundle=bundle.name)
        name = f"upgrade__{domain.replace('/', '-')}-{time.monotonic_ns()}"
        plan = plan_campaign(request, campaign=name, run_id="run", snapshot=fleet, bundle=bundle)
        run = ledger.run(name, "run")
        run.open(plan, dag_id=name, bundle_document=document, snapshot_before={}, now=utcnow())  # type: ignore[arg-type]
        contexts.append(
            CampaignContext(
                record=CampaignRecord(plan=plan, bundle=bundle, run=run),
                inventory=Inventory(cloud="fleet", taken_at=utcnow()),
                cloud=cloud,
                mechanism=choose_mechanism(bundle.mechanism),
                connect=_connect_to_nothing,
                clock=utcnow,
                sleep=time.sleep,
                add_ha_groups=partial(_add_ha_groups, fleet),
            )
        )
    return contexts


def _connect_to_nothing(host: str) -> Any:  # noqa: ANN401 - never made
    raise NotImplementedError(host)


def _add_ha_groups(fleet: CloudSnapshot, snapshot: CloudSnapshot) -> CloudSnapshot:
    """Add the pairs of the fleet, as far as their servers are still there."""
    known = {server.id: server for server in fleet.servers if server.ha_group}
    servers = tuple(
        replace(s, ha_group=known[s.id].ha_group, ha_role=known[s.id].ha_role) if s.id in known else s
        for s in snapshot.servers
    )
    return replace(snapshot, servers=servers, ha_groups=fleet.ha_groups)


def take_out_one_each(nova: Nova) -> dict[str, str]:
    """Return what disables one node of each domain: another campaign's leases."""
    first = {node.domain: node.host for node in reversed(nova.fleet.nodes)}
    return {
        host: Lease.of(campaign="other", run_id="run", host=host, max_parallel=1).render()
        for host in first.values()
    }


@dataclass(slots=True)
class Measured:
    """What was measured of some campaigns that wait side by side."""

    parts: int
    seconds: float = 0.0
    calls: int = 0
    looks: list[float] = field(default_factory=list)
    first: float = 0.0
    noticed: float = 0.0

    @property
    def calls_a_minute(self) -> float:
        """Return the calls a minute of all of them."""
        return 60 * self.calls / self.seconds if self.seconds else 0.0


def rest(nova: Nova, watchers: list[tuple[Watches, frozenset[str]]], seconds: float) -> Measured:
    """Let campaigns wait for so long, then give them the nodes back."""
    found = Measured(parts=len(watchers))
    counting, stop, moved = threading.Event(), threading.Event(), threading.Event()

    def wait(watcher: Watches, asking: frozenset[str]) -> None:
        while not stop.is_set():
            begun, taken = time.monotonic(), watcher._taken  # noqa: SLF001
            decisions = watcher.look(asking)
            if counting.is_set() and watcher._taken != taken:  # noqa: SLF001
                found.looks.append(time.monotonic() - begun)
            if any(d.admission is Admission.ADMIT for d in decisions.values()):
                moved.set()
            stop.wait(POLL_SECONDS)

    nova.disable(take_out_one_each(nova))
    begun = time.monotonic()
    _side_by_side([partial(watcher.look, asking) for watcher, asking in watchers])
    found.first = time.monotonic() - begun
    watchers[0][0]._stages = None  # noqa: SLF001 - one look more: the pause follows what the last one cost
    watchers[0][0].look(watchers[0][1])
    counting.set()
    threads = [threading.Thread(target=wait, args=one, daemon=True) for one in watchers]
    for thread in threads:
        thread.start()
    before, begun = nova.count(), time.monotonic()
    time.sleep(seconds)
    found.calls, found.seconds = nova.count() - before - 1, time.monotonic() - begun
    counting.clear()
    nova.disable({})
    begun = time.monotonic()
    moved.wait(100)
    found.noticed = time.monotonic() - begun
    stop.set()
    for thread in threads:
        thread.join(300)
    return found


def _side_by_side(jobs: list[Callable[[], object]]) -> float:
    """Run jobs in threads; return how long all of them took."""
    begun, threads = time.monotonic(), [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def make_new(contexts: list[CampaignContext]) -> list[tuple[Watches, frozenset[str]]]:
    """Make the watchers of now; all of them share the cloud of the first."""
    from escalator_airflow import watching  # brings Airflow

    made: list[tuple[Watches, frozenset[str]]] = []
    for context in contexts:
        with mock.patch.object(watching, "open_campaign", lambda *_, _context=context, **__: _context):
            made.append((watching.Watcher("dag", "run"), frozenset(context.plan.hosts)))
    return made


def decide_at_once(contexts: list[CampaignContext]) -> tuple[float, float]:
    """Decide for all campaigns at the same moment from one shared look; best and median of five times."""
    jobs: list[Callable[[], object]] = [
        partial(decide_now, context, asking=context.plan.hosts, watched_within=600.0) for context in contexts
    ]
    times = [_side_by_side(jobs) for _ in range(5)]
    return min(times), statistics.median(times)


def take_step(nova: Nova, store: Path, context: CampaignContext, *, keeps: bool) -> tuple[int, float]:
    """Look as a step of a node does, in a process of its own; return its calls, and seconds."""
    cloud = nova.open(store, keeps=keeps)
    begun = time.monotonic()
    replace(context, cloud=cloud).fetch_snapshot(afresh=context.plan.hosts[:1])
    return cloud.counter.total, time.monotonic() - begun


def measure(seconds: float) -> dict[str, Any]:
    """Measure both ways, with one campaign and with five."""
    folder = Path(os.environ["AIRFLOW_HOME"])
    ledger = Ledger.create_or_upgrade(f"sqlite:///{folder / 'ledger.db'}")
    with running_nova() as nova:
        result: dict[str, Any] = {"servers": len(nova.fleet.servers), "seconds": seconds}
        store = folder / "listing"
        contexts = open_campaigns(nova, [nova.open(store)] * PARTS, ledger)
        for parts in (1, PARTS):
            result[f"after_{parts}"] = rest(nova, make_new(contexts[:parts]), seconds)
            print(result[f"after_{parts}"], file=sys.stderr)
        result["decisions"] = decide_at_once(contexts)
        result["step_after"] = take_step(nova, store, contexts[0], keeps=True)
        result["whole"] = _list_whole(nova)
        for parts in (1, PARTS):
            old = open_campaigns(nova, [nova.open(None, keeps=False) for _ in range(parts)], ledger)
            watchers: list[tuple[Watches, frozenset[str]]] = [
                (OldWatcher(context), frozenset(context.plan.hosts)) for context in old
            ]
            result[f"before_{parts}"] = rest(nova, watchers, seconds)
            print(result[f"before_{parts}"], file=sys.stderr)
        result["step_before"] = take_step(nova, store, contexts[0], keeps=False)
    return result


def _list_whole(nova: Nova) -> tuple[int, float]:
    """List every server as is done beside the looks now and then; return its calls, and seconds."""
    cloud = nova.open(None)
    before, begun = nova.count(), time.monotonic()
    cloud.fetch_snapshot("fleet", domain_of=lambda *_: "d")
    return nova.count() - before - 1, time.monotonic() - begun


def write_table(result: dict[str, Any]) -> str:
    """Write the numbers as a table, each with its target."""
    before, after = ({parts: result[f"{way}_{parts}"] for parts in (1, PARTS)} for way in ("before", "after"))
    whole_calls, whole_seconds = result["whole"]
    beside = whole_calls / WHOLE_EVERY_MINUTES
    best, median = result["decisions"]
    rows = [
        ("Calls a minute, one campaign at rest", f"{before[1].calls_a_minute:.0f}",
         f"{after[1].calls_a_minute:.1f} + {beside:.1f}", "10"),
        (f"Calls a minute, {PARTS} campaigns at rest", f"{before[PARTS].calls_a_minute:.0f}",
         f"{after[PARTS].calls_a_minute:.1f} + {beside:.1f}", ""),
        ("A look, one campaign: median (longest)", _show(before[1].looks), _show(after[1].looks), "5 s"),
        (f"A look, {PARTS} campaigns: median (longest)", _show(before[PARTS].looks),
         _show(after[PARTS].looks), "5 s"),
        (f"Decisions of {PARTS} campaigns at once, from one look: best (median)", "",
         f"{best:.2f} s ({median:.2f} s)", "1 s"),
        ("First look of all", f"{before[1].first:.0f} s", f"{after[1].first:.0f} s", ""),
        ("What a step of a node looks at: calls, seconds", _show_step(result["step_before"]),
         _show_step(result["step_after"]), ""),
        ("Until a waiting node knows that another's lease ended", f"{before[1].noticed:.0f} s",
         f"{after[1].noticed:.0f} s", ""),
    ]  # fmt: skip
    fleet = f"{NODES} nodes, {result['servers']:,} servers, {OLD_MIGRATIONS:,} old migrations"
    whole = f"{whole_calls} calls, {whole_seconds:.0f} s, beside the looks"
    lines = [
        f"{fleet}, {CHANGES_A_MINUTE} changes of tenants a minute; each for {result['seconds']:.0f} s.",
        "",
        "| | before | after | target |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"The second number is that of the whole listing every {WHOLE_EVERY_MINUTES:.0f} minutes: {whole}.",
    ]
    return "\n".join(lines)


def _show(looks: list[float]) -> str:
    return f"{statistics.median(looks):.1f} s ({max(looks):.1f} s)" if looks else "none was taken"


def _show_step(step: tuple[int, float]) -> str:
    return f"{step[0]}, {step[1]:.1f} s"


def main(words: list[str] | None = None) -> int:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=100.0, help="how long each way is measured, twice")
    parser.add_argument("--print", action="store_true", help="print the table, and write no page")
    arguments = parser.parse_args(words)
    logging.disable(logging.WARNING)
    table = write_table(measure(arguments.seconds))
    print(table)
    if not arguments.print:
        head, _, rest_of_page = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        tail = rest_of_page.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")
        print(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
