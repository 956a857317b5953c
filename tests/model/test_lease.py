from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.model.lease import MAX_LENGTH, Lease, LeaseMark, LeasePhase

SINCE = datetime(2026, 11, 28, 8, tzinfo=UTC)
few = settings(max_examples=60, deadline=None, derandomize=True)
names = st.text(min_size=1, max_size=120)
marks = st.none() | st.sampled_from(list(LeaseMark))


@given(
    campaign=names,
    run_id=st.text(max_size=200),
    host=names,
    words=st.text(max_size=300),
    mark=marks,
    phase=st.sampled_from(LeasePhase),
    since=st.none() | st.just(SINCE),
)
@few
def test_round_trip_within_what_nova_keeps(
    campaign: str,
    run_id: str,
    host: str,
    words: str,
    mark: LeaseMark | None,
    phase: LeasePhase,
    since: datetime | None,
) -> None:
    made = Lease.of(campaign=campaign, run_id=run_id, host=host, words=words, max_parallel=3)
    lease = replace(made.marked(mark).at(phase), since=since).renewed()
    text = lease.render()
    read = Lease.parse(text)
    assert len(text) <= MAX_LENGTH
    assert read is not None
    assert lease.same_holder(read)
    assert read.mark is mark
    assert text.isascii()
    assert Lease.parse(text) == replace(lease, words=read.words)
    assert lease.words.startswith(read.words)
    assert read.words == lease.words or len(text) >= MAX_LENGTH - 1


def test_the_longest_campaign_still_leaves_room_for_its_limit() -> None:
    lease = Lease.of(
        campaign="c" * 300, run_id="r" * 300, host="h" * 300, max_parallel=12, words="upgrade" * 20
    )
    lease = replace(lease.renewed().marked(LeaseMark.FAILED).at(LeasePhase.UPGRADING), since=SINCE)
    read = Lease.parse(lease.render())
    assert read is not None
    assert (read.max_parallel, read.since) == (12, SINCE)


def test_the_form_that_operators_see() -> None:
    lease = Lease.of(
        campaign="upgrade__lab",
        run_id="manual__2026",
        host="node-01",
        installation="1a2b3c4d",
        max_parallel=1,
        words="x",
    )
    start = f"escalator:upgrade__lab:{lease.run}:1a2b3c4d-{lease.token[9:]}"
    assert lease.render() == f"{start}:ADMITTED max_parallel=1 x"
    again = replace(lease, nonce="0a0b0c", since=SINCE).at(LeasePhase.DRAINING)
    assert again.render() == f"{start}-0a0b0c:DRAINING max_parallel=1 since=20261128T080000Z x"
    assert again.marked(LeaseMark.HELD, "no room").render() == f"{start}-0a0b0c:DRAINING:HELD no room"


def test_a_lease_of_a_release_without_phases_is_read_and_is_nobodys_we_know() -> None:
    old = Lease.parse("escalator:upgrade__lab:0011aabb:00112233445566aa:FAILED [upgrade_failed] disk full")
    assert old is not None
    assert (old.phase, old.installation, old.mark) == (None, None, LeaseMark.FAILED)
    assert old.words == "[upgrade_failed] disk full"


def test_no_two_writes_of_a_lease_are_the_same() -> None:
    lease = Lease.of(campaign="c", run_id="r", host="h")
    one, two = lease.renewed(), lease.renewed()
    assert one.render() != two.render()
    assert one.same_holder(two)


def test_a_holder_is_campaign_run_and_host() -> None:
    lease = Lease.of(campaign="c", run_id="r", host="h")
    assert lease.same_holder(Lease.of(campaign="c", run_id="r", host="h", words="other words"))
    assert lease.same_holder(lease.marked(LeaseMark.FAILED))
    assert not lease.same_holder(Lease.of(campaign="c", run_id="r", host="h", installation="1a2b3c4d"))
    for other in (("x", "r", "h"), ("c", "x", "h"), ("c", "r", "x")):
        assert not lease.same_holder(Lease.of(campaign=other[0], run_id=other[1], host=other[2]))
    assert not lease.same_holder(None)


@pytest.mark.parametrize(
    "reason",
    [
        None,
        "",
        "broken fan",
        "AUTO: lost",
        "escalator:",
        "escalator:a:b",
        "escalator:a:b:XYZ",
        "x escalator:a:b:c",
    ],
)
def test_other_reasons_are_no_lease(reason: str | None) -> None:
    assert Lease.parse(reason) is None


@given(st.text(max_size=60))
@few
def test_any_reason_is_read_without_an_error(reason: str) -> None:
    assert Lease.parse(reason) is None or reason.startswith("escalator:")


@pytest.mark.parametrize(
    ("words", "limit"),
    [("", None), ("max_parallel=3 go", 3), ("xmax_parallel=3", None), ("go max_parallel=3", None)],
)
def test_the_limit_in_the_words(words: str, limit: int | None) -> None:
    read = Lease.parse(f"escalator:c:r:0a-0b:ADMITTED {words}")
    assert read is not None
    assert read.max_parallel == limit


@pytest.mark.parametrize("since", ["20261332T080000Z", "2026", "20261128T080000"])
def test_a_time_that_is_none_is_not_read_as_one(since: str) -> None:
    read = Lease.parse(f"escalator:c:r:0a-0b:ADMITTED max_parallel=1 since={since} go")
    assert read is not None
    assert (read.since, read.max_parallel) == (None, 1)


def test_parts_of_a_domain_with_a_long_name_are_told_apart() -> None:
    name = "upgrade__" + "x" * 90
    one, two = (Lease.of(campaign=f"{name}__part{n}", run_id="scheduled__1", host="") for n in (1, 2))
    assert one.campaign != two.campaign
    assert len(one.campaign) == len(two.campaign) == 80


def test_words_hold_nothing_that_steers_a_terminal_or_that_a_database_refuses() -> None:
    lease = Lease.of(campaign="c", run_id="r", host="h").marked(LeaseMark.FAILED, "a\x00b\x1b[31m\nc")
    assert lease.words == "a?b?[31m c"
    assert lease.render().isprintable()
