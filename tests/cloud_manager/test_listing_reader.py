"""What is known from changes is what a whole listing says; where it might not be, all is listed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from benchmarks.recorded_nova import RecordedCloud, age, record_server

from escalator.cloud_manager import listing_reader, listing_store, migrations, records
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.listing_store import ListingStore
from escalator.model.cloud import CloudSnapshot, Node, ResourceInventory, Server, ServerGroup, ServiceStatus
from escalator.model.errors import TransientError

SERVERS = "/compute/v2.1/servers/detail"
HOSTS = ("node-01", "node-02", "node-03")
INVENTORY = {"VCPU": ResourceInventory(total=64), "MEMORY_MB": ResourceInventory(total=65536)}
Open = Callable[..., Cloud]


def server(number: int, host: str | None = None) -> Server:
    resources = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
    name = f"s-{number:03d}"
    return Server(id=name, name=name, host=host or HOSTS[number % 3], vm_state="active", resources=resources)


@pytest.fixture
def nova(fake: Any, monkeypatch: pytest.MonkeyPatch) -> RecordedCloud:
    """A cloud of forty servers whose Nova gives pages of ten, and which counts as large."""
    monkeypatch.setattr(listing_reader, "PAGE", 10)
    recorded = RecordedCloud.of(
        CloudSnapshot(
            cloud="c",
            taken_at=datetime.now(UTC),
            nodes=tuple(Node(host=h, domain="d", zone="az1", inventory=INVENTORY) for h in HOSTS),
            servers=tuple(map(server, range(40))),
            server_groups=(ServerGroup(id="g", policy="anti-affinity", members=("s-001", "s-002")),),
        ),
        max_limit=10,
    )

    def answer(asked: Any) -> tuple[int, Any] | None:
        if asked.method != "GET" or not asked.path.startswith(("/compute", "/placement")):
            return None
        return recorded.answer(asked.path, {key: values[0] for key, values in asked.query.items()})

    fake.first = answer
    return recorded


@pytest.fixture
def open_cloud(fake: Any) -> Open:
    """Open the cloud as a process of its own would."""

    def opened(store: Path | None = None, ahead: timedelta | list[timedelta] = timedelta()) -> Cloud:
        credentials = CloudCredentials.from_connection_fields(
            host=f"{fake.url}/identity/v3",
            login="admin",
            password="secret",
            extra={"OS_REGION_NAME": "R", "OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"},
        )
        counter = CallCounter()
        listings = ListingStore(path=store) if store else None
        clock = lambda: datetime.now(UTC) + (ahead[0] if isinstance(ahead, list) else ahead)  # noqa: E731
        return Cloud(connect(credentials, counter), counter, listings=listings, clock=clock)

    return opened


def look(cloud: Cloud, **how: Any) -> CloudSnapshot:
    return cloud.fetch_snapshot("c", domain_of=lambda *of: of[1], **how)


def same(one: CloudSnapshot, other: CloudSnapshot) -> bool:
    return replace(one, taken_at=other.taken_at) == other


def pages(nova: RecordedCloud, cloud: Cloud, **how: Any) -> int:
    """Return how many pages of servers a look reads."""
    before = nova.calls[SERVERS]
    look(cloud, **how)
    return nova.calls[SERVERS] - before


def test_the_second_look_asks_for_changes_only(nova: RecordedCloud, open_cloud: Open) -> None:
    cloud = open_cloud()
    assert len(look(cloud).servers) == 40
    before = cloud.counter.total
    look(cloud)
    assert cloud.counter.total - before == 7
    assert nova.calls[SERVERS] == 4 + 1 + 1


@pytest.mark.parametrize("seed", range(6))
def test_it_knows_from_changes_what_a_whole_listing_says(
    nova: RecordedCloud, open_cloud: Open, seed: int
) -> None:
    dice, cloud = random.Random(seed), open_cloud()  # noqa: S311
    look(cloud)
    for number in range(100, 140):
        alive = [key for key, record in nova.servers.items() if record["status"] != "DELETED"]
        chosen = dice.choice(alive)
        match dice.randrange(8):
            case 0:
                nova.delete(chosen)
            case 1:
                nova.boot(server(number, dice.choice(HOSTS)))
                nova.groups[0]["members"].append(f"s-{number:03d}")
            case 2:
                nova.change(chosen, **{"OS-EXT-SRV-ATTR:host": dice.choice(HOSTS)})
            case 3:
                nova.change(chosen, metadata={"ha_group": str(number)})
            case 4:
                state = {"status": "SOFT_DELETED", "OS-EXT-STS:vm_state": "soft-delete"}
                nova.change(chosen, **state)
            case 5:
                nova.begin_migration(chosen, dice.choice(HOSTS))
            case 6 if nova.migrations:
                nova.turn_migration(
                    dice.randint(1, len(nova.migrations)), dice.choice(("running", "completed"))
                )
            case _:
                nova.disabled = {dice.choice(HOSTS): "escalator:c:r:ab"}
        if dice.random() < 0.5:
            assert same(look(cloud), look(open_cloud()))


def test_a_lease_is_seen_at_once(nova: RecordedCloud, open_cloud: Open) -> None:
    cloud = open_cloud()
    look(cloud)
    nova.disabled["node-02"] = "escalator:c:r:ab"
    node = look(cloud).node("node-02")
    assert node is not None
    assert (node.status, node.disabled_reason) == (ServiceStatus.DISABLED, "escalator:c:r:ab")


def test_an_old_move_that_is_under_way_is_followed_to_its_end(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "FOLLOWED", 5)
    age(30, nova)
    nova.migrations[2]["status"] = "finished"
    cloud = open_cloud()
    assert [m.id for m in look(cloud).migrations] == [3]
    assert [m.id for m in look(cloud).migrations] == [3]
    nova.turn_migration(3, "confirmed")
    assert look(cloud).migrations == ()


def test_more_new_moves_than_are_looked_at_are_all_found(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "FOLLOWED", 5)
    age(30, nova)
    cloud = open_cloud()
    look(cloud)
    for number in range(12):
        nova.begin_migration(f"s-{number:03d}", "node-03")
    assert len(look(cloud).migrations) == 12


@pytest.mark.parametrize("ahead", [timedelta(minutes=-5), timedelta(minutes=5)])
def test_with_clocks_apart_all_is_listed(nova: RecordedCloud, open_cloud: Open, ahead: timedelta) -> None:
    cloud = open_cloud(ahead=ahead)
    assert [pages(nova, cloud), pages(nova, cloud)] == [5, 5]


def test_a_small_cloud_is_always_listed(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_reader, "PAGE", 40)
    cloud = open_cloud()
    assert [pages(nova, cloud), pages(nova, cloud)] == [5, 5]


def test_what_is_archived_before_it_was_seen_is_found_out_where_it_counts(
    nova: RecordedCloud, open_cloud: Open, tmp_path: Path
) -> None:
    cloud = open_cloud(tmp_path / "listing")
    look(cloud)
    nova.delete("s-001")
    nova.archive()
    assert len(look(cloud).servers_on("node-02")) == 13
    assert len(look(cloud, afresh=("node-02",)).servers_on("node-02")) == 12
    assert same(look(open_cloud(tmp_path / "listing")), look(open_cloud()))
    assert pages(nova, cloud) == 1
    assert pages(nova, cloud, afresh=("node-02",)) == 3


def test_a_look_that_finds_its_listing_wrong_decides_on_a_whole_one(
    nova: RecordedCloud, open_cloud: Open
) -> None:
    cloud = open_cloud()
    look(cloud)
    nova.servers["s-001"]["OS-EXT-SRV-ATTR:host"] = "node-03"  # and no change tells it
    found = look(cloud, afresh=("node-02",))
    assert same(found, look(open_cloud()))
    assert "s-001" in {server.id for server in found.servers_on("node-03")}


def test_a_server_lives_whose_record_in_the_cell_that_it_left_is_a_deleted_one(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, answer = open_cloud(), RecordedCloud._list_servers
    look(cloud)
    nova.change("s-001", **{"OS-EXT-SRV-ATTR:host": "node-03"})

    def tell_both(recorded: RecordedCloud, query: Any) -> Any:
        found = answer(recorded, query)
        left = [{**record, "status": "DELETED"} for record in found["servers"] if "changes-since" in query]
        return {**found, "servers": [*found["servers"], *left]}

    monkeypatch.setattr(RecordedCloud, "_list_servers", tell_both)
    assert "s-001" in {server.id for server in look(cloud).servers_on("node-03")}


def test_a_server_that_goes_between_two_calls_is_no_reason_to_list_all(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = open_cloud()
    look(cloud)
    answer = RecordedCloud._list_servers

    def go_first(recorded: RecordedCloud, query: Any) -> Any:
        if "host" in query:
            recorded.change("s-001", **{"OS-EXT-SRV-ATTR:host": "node-03"})
        return answer(recorded, query)

    monkeypatch.setattr(RecordedCloud, "_list_servers", go_first)
    found = look(cloud, afresh=("node-02",))
    assert "s-001" not in {server.id for server in found.servers_on("node-02")}
    assert pages(nova, cloud) == 1


def test_a_cell_that_is_down_is_an_error_not_an_empty_change(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = open_cloud()
    assert pages(nova, cloud) == 5
    down = {"binary": "nova-compute", "host": "node-02", "status": "UNKNOWN"}
    monkeypatch.setattr(RecordedCloud, "_list_services", lambda _self, _query: [down])
    with pytest.raises(TransientError, match="cannot reach its cell"):
        look(cloud)


def test_the_next_process_goes_on_from_what_this_one_listed(
    nova: RecordedCloud, open_cloud: Open, tmp_path: Path
) -> None:
    store = tmp_path / "listing"
    look(open_cloud(store))
    assert store.stat().st_mode & 0o077 == 0
    nova.boot(server(77))
    assert pages(nova, open_cloud(store)) == 1
    assert same(look(open_cloud(store)), look(open_cloud()))


def test_a_listing_that_was_found_wrong_does_not_come_back_from_who_still_has_it(
    nova: RecordedCloud, open_cloud: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_store, "SAVED_AFTER", timedelta())
    store = tmp_path / "listing"
    watch = open_cloud(store)
    look(watch)
    nova.delete("s-001")
    nova.archive()
    look(open_cloud(store), afresh=("node-02",))
    assert len(look(watch).servers) == 40
    assert len(look(open_cloud(store)).servers) == 39


def test_who_waited_long_for_another_to_list_all_takes_what_that_one_found(
    nova: RecordedCloud, open_cloud: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, ahead = tmp_path / "listing", [timedelta()]
    cloud = open_cloud(store, ahead=ahead)

    @contextmanager
    def wait(_store: ListingStore) -> Iterator[None]:
        monkeypatch.undo()
        monkeypatch.setattr(listing_reader, "PAGE", 10)
        look(open_cloud(store))
        ahead[0] = timedelta(seconds=90)  # Nova's last answer to this process is so old now
        yield

    monkeypatch.setattr(ListingStore, "turn", wait)
    assert pages(nova, cloud) == 5 + 1


def test_a_listing_made_by_other_code_is_of_another_release(
    nova: RecordedCloud, open_cloud: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "listing"
    look(open_cloud(store))
    changed = tmp_path / "records.py"
    changed.write_bytes(Path(records.__file__).read_bytes() + b"# reads one thing more")
    monkeypatch.setattr(records, "__file__", str(changed))
    listing_store._read_code.cache_clear()
    assert pages(nova, open_cloud(store)) == 5
    listing_store._read_code.cache_clear()


@pytest.mark.parametrize("content", [b"", b"broken", None])
def test_a_store_that_cannot_be_read_is_as_if_there_were_none(
    nova: RecordedCloud,
    open_cloud: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
) -> None:
    store = tmp_path / "listing"
    look(open_cloud(store))
    if content is None:
        monkeypatch.setattr("escalator.cloud_manager.listing_store._name_release", lambda: "another release")
    else:
        store.write_bytes(content)
    assert pages(nova, open_cloud(store)) == 5


def test_who_keeps_watch_lists_all_beside_its_looks(
    nova: RecordedCloud, open_cloud: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = open_cloud()
    look(cloud)
    assert not cloud.refresh_if_due()
    monkeypatch.setattr(listing_reader, "REFRESH_AFTER", timedelta(seconds=-1))
    nova.delete("s-001")
    nova.archive()
    assert cloud.refresh_if_due()
    assert pages(nova, cloud) == 1
    assert same(look(cloud), look(open_cloud()))


def test_who_keeps_watch_shares_one_look_and_reads_what_changes_seldom_seldom(
    nova: RecordedCloud, open_cloud: Open
) -> None:
    cloud = open_cloud()
    look(cloud, watched_within=10.0)
    before = cloud.counter.total
    look(cloud, watched_within=10.0)
    assert cloud.counter.total == before
    look(cloud, watched_within=0.0)
    assert cloud.counter.total == before + 4  # services, summaries, changes, migrations
    nova.boot(server(50))
    nova.groups[0]["members"].append("s-050")
    found = {s.id: s.server_group for s in look(cloud, watched_within=0.0).servers}
    assert found["s-050"] == "g"


def test_a_server_is_recorded_as_it_is_read(nova: RecordedCloud, open_cloud: Open) -> None:
    assert look(open_cloud()).servers[1] == replace(
        server(1), project_id="project", status="ACTIVE", server_group="g"
    )
    assert nova.servers["s-001"] == record_server(server(1))
