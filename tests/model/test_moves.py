from escalator.model.moves import DrainPlan
from escalator.model.stops import PlannedStop
from escalator.model.verdict import Code, Severity, Subject, Verdict

SUBJECT = Subject.of_server("3f", "web-1")
BLOCKER = Verdict(code=Code.CAPACITY, message="no room", subject=SUBJECT)
NOTE = Verdict(code=Code.SERVER_LOCKED, message="locked", subject=SUBJECT, severity=Severity.WARNING)


def test_a_drain_is_feasible_without_blockers() -> None:
    assert DrainPlan(host="a", verdicts=(NOTE,)).feasible
    assert not DrainPlan(host="a", verdicts=(NOTE, BLOCKER)).feasible


def test_of_the_servers_that_stay_those_are_undisturbed_that_need_not_stop() -> None:
    stop = PlannedStop(server_id="b", server_name="b")
    elsewhere = PlannedStop(server_id="c", server_name="c", unmovable=False)
    plan = DrainPlan(host="a", staying=("a", "b", "c", "d"), stopping=(stop, elsewhere))
    assert plan.undisturbed == ("a", "d")
    assert plan.unmovable == {"b"}
