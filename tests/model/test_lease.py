import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.model.lease import MAX_LENGTH, Lease, LeaseMark

few = settings(max_examples=60, deadline=None, derandomize=True)
names = st.text(min_size=1, max_size=120)
marks = st.none() | st.sampled_from(list(LeaseMark))


@given(campaign=names, run_id=st.text(max_size=200), host=names, words=st.text(max_size=300), mark=marks)
@few
def test_round_trip_within_what_nova_keeps(
    campaign: str, run_id: str, host: str, words: str, mark: LeaseMark | None
) -> None:
    lease = Lease.of(campaign=campaign, run_id=run_id, host=host, words=words).marked(mark)
    text = lease.render()
    read = Lease.parse(text)
    assert len(text) <= MAX_LENGTH
    assert read is not None
    assert lease.same_holder(read)
    assert read.mark is mark
    if len(text) < MAX_LENGTH:
        assert read.words == words.rstrip()
    else:
        assert words.startswith(read.words)


def test_the_longest_campaign_still_leaves_room_for_its_limit() -> None:
    lease = Lease.of(
        campaign="c" * 300, run_id="r" * 300, host="h" * 300, words="max_parallel=12 upgrade" * 20
    )
    read = Lease.parse(lease.marked(LeaseMark.FAILED).render())
    assert read is not None
    assert read.max_parallel == 12


def test_the_form_that_operators_see() -> None:
    lease = Lease.of(campaign="upgrade__lab", run_id="manual__2026", host="node-01", words="max_parallel=1 x")
    assert lease.render() == f"escalator:upgrade__lab:{lease.run}:{lease.token} max_parallel=1 x"
    assert lease.marked(LeaseMark.HELD, "no room").render().endswith(f"{lease.token}:HELD no room")


def test_a_holder_is_campaign_run_and_host() -> None:
    lease = Lease.of(campaign="c", run_id="r", host="h")
    assert lease.same_holder(Lease.of(campaign="c", run_id="r", host="h", words="other words"))
    assert lease.same_holder(lease.marked(LeaseMark.FAILED))
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
    ("words", "limit"), [("", None), ("max_parallel=3 go", 3), ("xmax_parallel=3", None)]
)
def test_the_limit_in_the_words(words: str, limit: int | None) -> None:
    assert Lease.of(campaign="c", run_id="r", host="h", words=words).max_parallel == limit
