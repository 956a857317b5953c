from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openstack.connection import Connection

from escalator.cloud_manager.token_check import TokenCheck, TokenFacts, fetch_token_facts, is_token
from escalator.model.errors import InvalidRequestError, TransientError

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
FACTS = TokenFacts(
    user="vnfm", project_id="p-1", roles=frozenset({"member"}), expires_at=NOW + timedelta(hours=1)
)
TOKENS = "/identity/v3/auth/tokens"


class Keystone:
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.now = NOW

    def ask(self, token: str) -> TokenFacts | None:
        self.asked.append(token)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def check(self, **options: Any) -> TokenCheck:
        return TokenCheck(self.ask, clock=lambda: self.now, **options)


def test_an_answer_holds_for_a_minute() -> None:
    keystone = Keystone(FACTS, None)
    check = keystone.check()
    assert check.find_facts("t") == FACTS
    keystone.now += timedelta(seconds=59)
    assert check.find_facts("t") == FACTS
    keystone.now += timedelta(seconds=1)
    assert check.find_facts("t") is None
    assert keystone.asked == ["t", "t"]


def test_a_refusal_holds_for_a_minute_too() -> None:
    keystone = Keystone(None, FACTS)
    check = keystone.check()
    assert [check.find_facts("t"), check.find_facts("t")] == [None, None]
    assert keystone.asked == ["t"]


def test_an_outage_of_keystone_is_no_refusal_and_is_not_remembered() -> None:
    keystone = Keystone(TransientError("away"), FACTS)
    check = keystone.check()
    with pytest.raises(TransientError):
        check.find_facts("t")
    assert check.find_facts("t") == FACTS


def test_a_token_does_not_outlive_itself_in_memory() -> None:
    keystone = Keystone(FACTS)
    keystone.now = FACTS.expires_at - timedelta(seconds=5)
    check = keystone.check()
    assert check.find_facts("t") == FACTS
    keystone.now = FACTS.expires_at
    assert check.find_facts("t") is None


def test_what_is_remembered_is_bounded_and_the_oldest_gives_way() -> None:
    keystone = Keystone(FACTS)
    check = keystone.check(most=2)
    for token in ("a", "b", "a", "c", "a"):
        check.find_facts(token)
    assert keystone.asked == ["a", "b", "c"]
    check.find_facts("b")
    assert keystone.asked[-1] == "b"
    assert len(check._kept) == 2


def test_no_token_is_kept_in_the_clear() -> None:
    check = Keystone(FACTS).check()
    check.find_facts("very-secret")
    assert "very-secret" not in repr(check._kept)


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX-Evil: 1", "ä", "x" * 8193, "\x00"])
def test_what_cannot_be_a_token_is_not_asked_about(text: str) -> None:
    keystone = Keystone(FACTS)
    assert not is_token(text)
    assert keystone.check().find_facts(text) is None
    assert keystone.asked == []


def answer_about(fake: Any, *answer: Any) -> None:
    """Tell what Keystone answers when it is asked about a token; a new one it gives as ever."""
    fake.first = lambda asked: answer if (asked.method, asked.path) == ("GET", TOKENS) else None


def test_keystone_is_asked_with_our_own_credentials(fake: Any, connection: Connection) -> None:
    told = fake._token()["token"] | {"project": {"id": "p-1"}, "roles": [{"name": "member"}]}
    answer_about(fake, 200, {"token": told})
    facts = fetch_token_facts(connection, "theirs")
    assert facts is not None
    assert (facts.user, facts.project_id, facts.roles) == ("admin", "p-1", {"member"})
    assert facts.expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert not facts.is_admin
    assert [asked.method for asked in fake.asked] == ["POST", "GET"]


def test_a_token_without_a_project_has_none(fake: Any, connection: Connection) -> None:
    told = fake._token()["token"]
    del told["project"]
    answer_about(fake, 200, {"token": told})
    facts = fetch_token_facts(connection, "theirs")
    assert facts is not None
    assert facts.project_id is None
    assert facts.is_admin


def test_a_token_that_keystone_does_not_know_does_not_count(fake: Any, connection: Connection) -> None:
    answer_about(fake, 404, {"error": {"code": 404, "message": "Could not find token."}})
    assert fetch_token_facts(connection, "theirs") is None


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_keystone_that_does_not_answer_is_an_error(fake: Any, connection: Connection, status: int) -> None:
    answer_about(fake, status, {})
    with pytest.raises(TransientError):
        fetch_token_facts(connection, "theirs")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_of_ours_are_no_refusal_of_theirs(
    fake: Any, connection: Connection, status: int
) -> None:
    answer_about(fake, status, {})
    with pytest.raises(InvalidRequestError):
        fetch_token_facts(connection, "theirs")


def test_an_answer_of_something_else_is_an_error(fake: Any, connection: Connection) -> None:
    answer_about(fake, 200, {"hello": "world"})
    with pytest.raises(TransientError, match="none of Keystone's"):
        fetch_token_facts(connection, "theirs")
