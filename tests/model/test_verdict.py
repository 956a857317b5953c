from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict, find_blockers

SUBJECT = Subject.of_server("3f", "web-1")
BLOCKER = Verdict(code=Code.CAPACITY, message="no room", subject=SUBJECT, remedy="make room")
NOTE = Verdict(code=Code.SERVER_LOCKED, message="locked", subject=SUBJECT, severity=Severity.INFO)


def test_verdicts_read_as_one_line() -> None:
    assert str(BLOCKER) == "server web-1 (3f): no room -> make room [capacity]"
    assert str(NOTE) == "server web-1 (3f): locked [server_locked]"
    assert str(Subject.of_node("a")) == "node a"


def test_only_a_blocker_blocks() -> None:
    assert [BLOCKER.blocks, NOTE.blocks] == [True, False]
    assert find_blockers((NOTE, BLOCKER)) == (BLOCKER,)


def test_subjects_are_named_by_what_they_are() -> None:
    assert Subject(type=SubjectType.SERVER, id="3f", name="web-1") == SUBJECT
    assert Subject.of_node("a") == Subject(type=SubjectType.NODE, id="a")
