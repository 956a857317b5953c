from __future__ import annotations

import pytest

from escalator.model.alerts import DEFAULT_SILENCE, Alert, Matcher
from escalator.model.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ("severity=critical", Matcher(name="severity", value="critical")),
        (' job != "node" ', Matcher(name="job", value="node", is_equal=False)),
        (r"instance=~a\.b{1,2}", Matcher(name="instance", value=r"a\.b{1,2}", is_regex=True)),
        ('team!~""', Matcher(name="team", value="", is_regex=True, is_equal=False)),
    ],
)
def test_a_matcher_is_read_and_written_as_it_was(text: str, matcher: Matcher) -> None:
    assert Matcher.parse(text) == matcher
    assert Matcher.parse(matcher.write()) == matcher


@pytest.mark.parametrize("text", ["critical", "=x", "a b=c", "1a=b", ""])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no matcher"):
        Matcher.parse(text)


def test_a_matcher_is_asked_for_with_its_value_escaped() -> None:
    assert str(Matcher.parse(r'instance=~"a\.b"')) == r'instance=~"a\\.b"'
    assert str(Matcher.parse("a!=b")) == 'a!="b"'


def test_the_name_of_a_node_is_no_pattern() -> None:
    (instance,), (hostname,) = DEFAULT_SILENCE
    assert instance.of_host("n-1.example.org").value == r"n\-1\.example\.org([.:].*)?"
    assert hostname.of_host("n-1.example.org").value == "n-1.example.org"


def test_an_alert_is_told_by_what_tells_most() -> None:
    labels = {"severity": "critical", "instance": "n1:9100", "alertname": "HostDown", "x": "y"}
    assert str(Alert(fingerprint="f", labels=labels)) == "HostDown (instance=n1:9100, severity=critical)"
    assert str(Alert(fingerprint="f", labels={"x": "y"})) == "f"
