import pytest

from escalator.model.errors import EscalatorError, LeaseLostError, NodeFaultError, PlanInfeasibleError
from escalator.model.verdict import Code, Subject, Verdict


@pytest.mark.parametrize(
    ("remedy", "request_id", "text"),
    [
        (None, None, "it broke"),
        ("mend it", None, "it broke -> mend it"),
        ("mend it", "req-1", "it broke -> mend it [req-1]"),
    ],
)
def test_errors_say_message_remedy_and_request(remedy: str | None, request_id: str | None, text: str) -> None:
    assert str(EscalatorError("it broke", remedy=remedy, request_id=request_id)) == text


def test_a_name_that_is_no_text_is_said_as_escapes_which_every_log_can_hold() -> None:
    assert str(EscalatorError("bad\udcff.json is not JSON")) == r"bad\udcff.json is not JSON"


def test_an_infeasible_plan_carries_its_blockers() -> None:
    blocker = Verdict(code=Code.CAPACITY, message="no room", subject=Subject.of_node("a"))
    error = PlanInfeasibleError("no", blockers=[blocker], remedy="make room")
    assert error.blockers == (blocker,)
    assert str(error) == "no -> make room"


def test_a_lost_lease_is_trouble_of_its_node_only() -> None:
    with pytest.raises(NodeFaultError):
        raise LeaseLostError("somebody enabled it")
