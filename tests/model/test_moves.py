from escalator.model.moves import DrainPlan
from escalator.model.verdict import Code, Severity, Subject, Verdict

SUBJECT = Subject.of_server("3f", "web-1")
BLOCKER = Verdict(code=Code.CAPACITY, message="no room", subject=SUBJECT)
NOTE = Verdict(code=Code.SERVER_LOCKED, message="locked", subject=SUBJECT, severity=Severity.WARNING)


def test_a_drain_is_feasible_without_blockers() -> None:
    assert DrainPlan(host="a", verdicts=(NOTE,)).feasible
    assert not DrainPlan(host="a", verdicts=(NOTE, BLOCKER)).feasible
