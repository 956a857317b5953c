"""VNF first: services with managers of every kind, and without one, on six nodes of a real Nova.

While managers are asked, the API server, the triggerer and a worker are killed with SIGKILL.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from statistics import median
from typing import Any

import pytest

from escalator.airflow_client.errors import AirflowUnavailableError, RequestRefusedError
from escalator.airflow_client.records import DagRun
from escalator.airflow_stack.components import ComponentName
from escalator.airflow_stack.errors import StackError
from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.demo.demo_world import CLOUD
from escalator.demo.vnfs import register_api, register_vnfs
from escalator.lab.accounts import ADMINISTRATOR
from escalator.lab.config import PASSWORD
from escalator.lab.vnf.specs import Form, VnfmSpec, VnfSpec
from escalator.lab.vnf.vnfm import Behaviour
from escalator.lab.vnf.world import VnfLab
from escalator.model.node_facts import PersonWord
from escalator.replay.judge import check_trace
from tests.campaigns import vim_routes
from tests.campaigns.harness import NEW, Harness, host_of
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(3600)]

ONE, TWO, THREE, FOUR, FIVE, SIX = (f"node-0{number}" for number in range(1, 7))


def managed(dialect: str, behaviour: Behaviour = Behaviour.GOOD, **more: Any) -> VnfmSpec:
    return VnfmSpec(dialect=dialect, behaviour=behaviour, **more)


SPECS = (
    VnfSpec(name="alpha", nodes=(ONE, TWO), vnfm=managed("a")),
    VnfSpec(name="beta", nodes=(THREE, FOUR), vnfm=managed("b")),
    VnfSpec(name="web", nodes=(TWO, FOUR, SIX), form=Form.BALANCER, vnfm=managed("webhook")),
    VnfSpec(name="slow", nodes=(SIX, ONE), vnfm=managed("a", Behaviour.SLOW, seconds=25.0)),
    VnfSpec(name="once", nodes=(ONE, FOUR), vnfm=managed("webhook", Behaviour.NACK_ONCE)),
    VnfSpec(name="never", nodes=(THREE, SIX), vnfm=managed("a", Behaviour.NACK)),
    VnfSpec(name="silent", nodes=(TWO, FIVE), vnfm=managed("a", Behaviour.SILENT)),
    VnfSpec(name="late", nodes=(FIVE, SIX), vnfm=managed("b", Behaviour.LATE, seconds=2.0)),
    VnfSpec(name="dies", nodes=(FOUR, FIVE), vnfm=managed("webhook", Behaviour.DIES)),
    VnfSpec(name="liar", nodes=(ONE, THREE), form=Form.FLOATING_IP, vnfm=managed("a", Behaviour.LIAR)),
    VnfSpec(name="alone", nodes=(TWO, FOUR), form=Form.FLOATING_IP, takeover_seconds=0.6),
    VnfSpec(name="ring", nodes=(THREE, FIVE), form=Form.VIP_PORT, takeover_seconds=0.3),
    VnfSpec(name="pool", nodes=(ONE, THREE, FIVE), form=Form.OCTAVIA),
)
"""Managers of every dialect that take the load off, then every way to be no help; last, three groups that
have no manager."""
BRIEF = {"reply_seconds": 8.0}
DEAD = BRIEF | {"session_reply_seconds": 60.0}
"""The end of the campaign is told for so long to who is dead by then."""
STAY = ("alpha", "beta", "web", "slow", "once", "pool")
"""Whose members are never moved: their service is taken off them instead."""
PAIRS = ("alone", "ring")
"""Of which a standby may move to an upgraded node, before it takes over."""
MOVED = ("never", "silent", "late", "dies")
"""Whose members are all moved in the end."""
TOLD = tuple(spec.name for spec in SPECS if spec.vnfm is not None)


@pytest.fixture(scope="module")
def vnfs(harness: Harness) -> Iterator[VnfLab]:
    """The VNFs of the lab, their managers registered at Escalator, and Escalator in the catalogue."""
    harness.fresh([])
    made = VnfLab(harness.lab)
    register_api(harness.world, harness.stack.settings.url)
    try:
        register_vnfs(harness.world, made.start(*SPECS), silent=BRIEF, late=BRIEF, dies=DEAD)
        yield made
    finally:
        made.stop()
        (harness.world.inventory_dir / "vnfms.yaml").unlink(missing_ok=True)
        for path in harness.world.vnf_dir.glob("*.yaml"):
            path.unlink()


class Trouble:
    """What happens beside the campaign: processes are killed, and a person answers what is asked."""

    def __init__(self, harness: Harness, vnfs: VnfLab, run: DagRun) -> None:
        self.harness, self.vnfs, self.run = harness, vnfs, run
        self.killed: list[str] = []
        self.answered: list[tuple[str, str]] = []
        self.broken: list[str] = []
        self._end = threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[Trouble]:
        threads = [
            threading.Thread(target=self._guard, args=(work,))
            for work in (self.kill_services, self.kill_worker, self.answer_as_a_person)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._end.set()
            for thread in threads:
                thread.join()

    def kill_services(self) -> None:
        """While the slow manager works on its first node the API server dies, on its second the triggerer.

        The others have answered by then: a client gives up after 20 s, and an API server takes as long.
        """
        for asked, name in enumerate((ComponentName.API_SERVER, ComponentName.TRIGGERER), start=1):
            if not self._wait(lambda asked=asked: self._count_planned("slow") >= asked):  # type: ignore[misc]
                return
            time.sleep(4.0)
            self.harness.stack.kill(name)
            self.killed.append(name)
            self.harness.stack.up()

    def kill_worker(self) -> None:
        """The worker of the switchover by own means dies in the midst of it."""
        while not self._end.is_set():
            try:
                task = f"{TWO}.switchover"
                self.harness.stack.kill_worker_of(self.run.dag_id, self.run.run_id, task, timeout_seconds=5)
            except (StackError, AirflowUnavailableError):
                continue
            self.killed.append(task)
            return

    def answer_as_a_person(self) -> None:
        """Wait for what a person is asked, and think; on the first node it is asked again once."""
        said: Counter[str] = Counter()
        while not self._end.wait(2.0):
            try:
                questions = list(self._list_questions())
                if questions:
                    time.sleep(6.0)
                for task_id, respond in questions:
                    again = not said and not self.answered
                    word = PersonWord.ASK_AGAIN if again else PersonWord.MOVE
                    respond(str(word))
                    said[task_id] += 1
                    self.answered.append((task_id, str(word)))
            except (AirflowUnavailableError, RequestRefusedError):
                continue

    def _list_questions(self) -> Iterator[tuple[str, Callable[[str], object]]]:
        client = self.harness.client
        for action in client.list_required_actions(self.run.dag_id, self.run.run_id):
            yield action.task_id, lambda word, action=action: client.respond(action, [word])  # type: ignore[misc]

    def _count_planned(self, name: str) -> int:
        return sum(message["state"] == "PLANNED_MAINTENANCE" for message in self.vnfs.messages(name))

    def _wait(self, is_so: Callable[[], bool]) -> bool:
        while not self._end.wait(0.3):
            if is_so():
                return True
        return False

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as exc:  # noqa: BLE001  (a thread of the test: it is told in the test)
            self.broken.append(repr(exc))


@pytest.fixture(scope="module")
def campaign(harness: Harness, vnfs: VnfLab) -> dict[str, Any]:
    watcher = Watcher(harness.world.cloud())
    begun = time.monotonic()
    with watcher.watching():
        run = harness.trigger(max_parallel=2)
        with Trouble(harness, vnfs, run).going_on() as trouble:
            state = harness.wait(run, 2700.0)
    return {
        "run": run,
        "state": state,
        "report": harness.report(run),
        "trouble": trouble,
        "watcher": watcher,
        "seconds": time.monotonic() - begun,
    }


def notices(campaign: dict[str, Any], name: str, state: str = "PLANNED_MAINTENANCE") -> list[dict[str, Any]]:
    found = campaign["report"]["negotiations"]["notices"]
    return [n for n in found if (n["vnfm"], n["state"]) == (name, state)]


def heard_number(message: dict[str, Any]) -> int:
    """Return the number of a notice as a manager received it, in the envelope of its dialect."""
    body = message["body"]
    return int(body["number"] if "number" in body else body["reason_data"]["event"]["number"])


def count_refused_acks(vnfs: VnfLab, name: str) -> int:
    """Count the askings that a manager agreed to after its deadline: it was told that it is gone."""
    late = [r for r in vnfs.messages(name, "replied") if r["status"] == 410]
    return len({r["url"] for r in late if "ACK_PLANNED" in r["body"]["state"]})


def test_every_node_is_upgraded(harness: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "success", harness.states(campaign["run"])
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)


def test_processes_were_killed_and_a_person_was_asked_and_asked_again(campaign: dict[str, Any]) -> None:
    trouble: Trouble = campaign["trouble"]
    assert trouble.broken == []
    assert sorted(trouble.killed) == ["api-server", f"{TWO}.switchover", "triggerer"]
    words = [word for _, word in trouble.answered]
    assert words.count(PersonWord.ASK_AGAIN) == 1
    assert words.count(PersonWord.MOVE) == 2
    (again,) = [task for task, word in trouble.answered if word == PersonWord.ASK_AGAIN]
    assert (again, PersonWord.MOVE) in trouble.answered


def test_who_is_switched_over_gets_no_call_that_moves_it(
    harness: Harness, vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    servers = harness.servers()
    asked_of_nova = {migration.server_id for migration in harness.world.cloud().fetch_migrations()}
    for name in STAY:
        for member in vnfs.vnfs[name].servers:
            assert host_of(servers[member.name]) == member.host
            assert member.id not in asked_of_nova, member.name
    moved = {move["id"] for node in campaign["report"]["nodes"] for move in node["moves"]}
    stood_by = {e["server"] for e in campaign["report"]["trace"]["events"] if e.get("kind") == "standby"}
    for name in PAIRS:
        for member in vnfs.vnfs[name].servers:
            assert member.id not in asked_of_nova or member.id in stood_by, member.name
    assert stood_by <= moved
    for name in MOVED:
        assert {member.id for member in vnfs.vnfs[name].servers} <= asked_of_nova, name
    assert campaign["state"] == "success"


def test_no_group_was_over_its_limit_at_any_moment(vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    seen = [{host for host, lease in leases.items() if lease} for _, leases in campaign["watcher"].seen]
    assert len(seen) > 100
    assert max(map(len, seen)) == 2
    begun = campaign["watcher"].list_past_admission()
    for name in STAY:
        hosts = {member.host for member in vnfs.vnfs[name].servers}
        assert max(len(out & hosts) for out in begun) == 1, name


def test_each_manager_heard_of_the_campaign_of_its_nodes_and_of_the_end(
    vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    del campaign
    for name in TOLD:
        states = [message["state"] for message in vnfs.messages(name)]
        assert states[0] == "MAINTENANCE", name
        if name != "dies":
            assert states[-1] == "MAINTENANCE_COMPLETE", name
        assert "PLANNED_MAINTENANCE" in states, name


def test_no_message_was_lost_and_none_switched_anything_twice(vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    found = campaign["report"]["negotiations"]["notices"]
    assert [n["number"] for n in found] == list(range(1, len(found) + 1))
    for name in set(TOLD) - {"dies"}:
        told = {n["number"] for n in found if n["vnfm"] == name}
        assert told <= {heard_number(message) for message in vnfs.messages(name)}, name
    for name in ("alpha", "beta", "web", "slow", "once"):
        agreed = [n for n in notices(campaign, name) if n["answer"] == "ack"]
        too_late = count_refused_acks(vnfs, name) if name == "slow" else 0  # the API server was dead for long
        assert len(agreed) + too_late == len(vnfs.messages(name, "switched")), name
        assert len(notices(campaign, name)) - too_late == len(
            [n for n in notices(campaign, name) if n["answer"] in {"ack", "nack"}]
        ), name


def test_a_refusal_delays_its_node_and_then_a_person_decides(campaign: dict[str, Any]) -> None:
    assert [n["answer"] for n in notices(campaign, "once")].count("nack") == 1
    refused = Counter(n["host"] for n in notices(campaign, "never"))
    assert sorted(refused.values()) == [3, 4], "twice, where a person says so once more, and when it goes"
    released = {n["host"]: n["released"] for n in campaign["report"]["nodes"]}
    others = [released[host] for host in released if host not in refused]
    assert min(released[host] for host in refused) > max(others)


def test_silence_lateness_death_and_lies_are_named(vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    messages = [f["message"] for f in campaign["report"]["findings"]]
    for code, names in {
        "vnf_silent": ("silent", "late", "dies"),
        "vnf_refused": ("once", "never"),
        "vnf_untrue": ("liar",),
    }.items():
        said = " ".join(m for m in messages if code in m)
        for name in names:
            assert f"manager {name} " in said, (code, name, messages)
    planned = [r for r in vnfs.messages("late", "replied") if "PLANNED" in r["body"]["state"]]
    heard = [reply["status"] for reply in planned if reply["status"]]  # 0: the API server was dead
    assert heard
    assert set(heard) == {410}, planned


def test_groups_without_a_manager_are_switched_once_for_each_node(
    vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    events = [e for e in campaign["report"]["trace"]["events"] if e["event"] == "switchover"]
    for name in PAIRS:
        left = [e["from"] for e in events if e["ha_group"] == name]
        assert 1 <= len(left) == len(set(left)), events
    assert set(vnfs.weights("pool").values()) == {1}, "as they were"


def test_the_replay_of_the_campaign_finds_nothing(campaign: dict[str, Any]) -> None:
    report = campaign["report"]
    found = check_trace(snapshot_from_document(report["snapshot_before"]), report["trace"])
    assert [str(violation) for violation in found.violations] == []


def test_gaps_of_the_probe_and_of_the_service_itself_agree(vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    told = campaign["report"]["service_interruptions"]["gaps"]
    compared = 0
    for name in (*PAIRS, "alpha"):
        measured = [gap for gap in told if gap["group"] == name and gap["measured"]]
        starts = [(datetime.fromisoformat(gap["started"]).timestamp(), gap["seconds"]) for gap in measured]
        for gap in vnfs.gaps(name):
            if gap.seconds is None or gap.seconds < 0.2:
                continue  # less than two requests of the probe
            near = [seconds for start, seconds in starts if abs(start - gap.started_at) < 0.3]
            assert near, (gap, measured)
            assert gap.seconds - 0.05 <= near[0] <= gap.seconds + 0.5
            compared += 1
    assert compared >= 2


def test_our_own_share_is_small(campaign: dict[str, Any], record_property: Callable[..., None]) -> None:
    """From the last answer until the step acts on it; the deaths of our processes are among these times."""
    own = campaign["report"]["negotiations"]["answer_to_next_action_seconds"]
    record_property("answer_to_next_action_seconds", own)
    assert own["median"] < 3.0, own


def test_a_switchover_by_own_means_takes_the_vnfs_time_and_little_of_ours(
    vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    shares = []
    for switch in campaign["report"]["negotiations"]["switchovers"]:
        if switch["group"] not in PAIRS or switch["ended"] is None:
            continue
        begun, ended = (datetime.fromisoformat(switch[key]).timestamp() for key in ("begun", "ended"))
        gaps = [g.seconds or 0.0 for g in vnfs.gaps(switch["group"]) if begun - 0.2 <= g.started_at <= ended]
        shares.append(ended - begun - sum(gaps))
    assert len(shares) >= 2
    assert median(shares) < 1.0, shares


def test_no_route_of_the_api_opens_to_whom_it_should_not(
    harness: Harness, vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    """With no token, and with those of the lab's Keystone: unknown, revoked, foreign, of a wrong role."""
    assert campaign["state"]
    keystone, ours = harness.lab.config.auth_url, vnfs.vnfs["alpha"]

    def take(name: str) -> str:
        return vim_routes.take_token(keystone, user=name, project=name, password=PASSWORD)

    place = vim_routes.Place(
        url=f"{harness.stack.settings.url}/vim",
        cloud=CLOUD,
        session_id=vnfs.messages("alpha")[0]["session"],
        project_id=ours.project_id,
        instance_id=ours.servers[0].id,
        group_id=ours.group_id,
    )
    routes = vim_routes.fetch_routes(place.url)
    revoked = take(ADMINISTRATOR)  # one that the API has not seen: it believes what it saw for a minute
    vim_routes.revoke_token(keystone, revoked)
    of_admins = tuple(route for route in routes if route.is_of_admins)
    reading = tuple(route for route in routes if route.method == "GET")
    with vim_routes.sending() as send:
        for token in (None, "0" * 32, revoked):
            assert set(vim_routes.call_routes(place, routes, token, send).values()) == {401}
        foreign = take(vnfs.vnfs["beta"].spec.project_name)
        assert set(vim_routes.call_routes(place, routes, foreign, send).values()) == {403}
        owner = take(ours.spec.project_name)
        assert set(vim_routes.call_routes(place, of_admins, owner, send).values()) == {403}
        administrator = take(ADMINISTRATOR)
        assert set(vim_routes.call_routes(place, reading, administrator, send).values()) == {200}
        assert vim_routes.find_server_errors(place, routes, administrator, send) == []
