"""The Alertmanager of Debian's package, on loopback: silences and the gate as a campaign uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.alerts.running import running_alertmanager

from escalator.alerts.alertmanager import Access, Alertmanager
from escalator.alerts.watch import AlertWatch
from escalator.model.alerts import AlertSettings, Matcher
from escalator.model.errors import EscalatorError, InvalidRequestError

pytestmark = pytest.mark.lab
COMMENT = "Escalator: node-01 is out, campaign c, run r, token t"
GATE = ((Matcher.parse("severity=critical"),), (Matcher.parse('severity="page"'),))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an Alertmanager for these tests; `escalator lab install` brings its package."""
    with running_alertmanager(tmp_path_factory.mktemp("alertmanager")) as address:
        yield address


Fire = Callable[..., None]


@pytest.fixture
def fire(url: str) -> Fire:
    """Let alerts fire, or be resolved."""

    def send(*alerts: dict[str, str], resolved: bool = False) -> None:
        ends = {"endsAt": datetime.now(UTC).isoformat()} if resolved else {}
        body = [{"labels": labels, **ends} for labels in alerts]
        httpx.post(f"{url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()

    return send


def make_watch(url: str, **changes: object) -> AlertWatch:
    settings = AlertSettings(conn_id="alertmanager", gate=GATE, **changes)  # type: ignore[arg-type]
    return AlertWatch(settings, lambda: Alertmanager(Access(url=url)))


def names(watch: AlertWatch) -> list[str]:
    return sorted(alert.labels["alertname"] for alert in watch.find_firing())


def test_a_node_is_silenced_for_longer_and_heard_again(url: str, fire: Fire) -> None:
    source, watch = Alertmanager(Access(url=url)), make_watch(url)
    down = {"alertname": "HostDown", "instance": "node-01:9100", "severity": "critical"}
    named = {"alertname": "DiskFull", "hostname": "node-01", "severity": "page"}
    other = {"alertname": "HostDown2", "instance": "node-010:9100", "severity": "critical"}
    fire(down, named, other, {"alertname": "Small", "severity": "warning"})
    assert names(watch) == ["DiskFull", "HostDown", "HostDown2"]

    now = datetime.now(UTC)
    for hours in (1, 1, 2):
        until = now + timedelta(hours=hours)
        watch.ensure_silent("node-01", COMMENT, now=now, until=until)
        found = source.fetch_silences(COMMENT)
        assert len(found) == 2, "it is made longer, not made anew"
        assert {silence.ends_at.replace(microsecond=0) for silence in found} == {until.replace(microsecond=0)}
    assert names(watch) == ["HostDown2"]
    assert source.fetch_silences("Escalator: another") == ()

    for _ in range(2):
        watch.end_silent(COMMENT)
        assert source.fetch_silences(COMMENT) == ()
    assert names(watch) == ["DiskFull", "HostDown", "HostDown2"]
    fire(down, named, other, resolved=True)
    assert names(watch) == []


def test_a_matcher_that_it_does_not_take_is_said_in_its_words(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="error parsing regexp"):
        Alertmanager(Access(url=url)).fetch_alerts((Matcher.parse("a=~b("),))
    watch = make_watch(url, silence=((Matcher.parse("a=~b("),),))
    with pytest.raises(InvalidRequestError, match="Alertmanager at http"):
        watch.ensure_silent("n", "x", now=datetime.now(UTC), until=datetime.now(UTC) + timedelta(hours=1))


def test_a_silence_that_is_gone_is_ended(url: str) -> None:
    source = Alertmanager(Access(url=url))
    gone = "b7a1f0a1-0000-4000-8000-000000000000"
    source.end_silence(gone)
    assert httpx.get(f"{url}/api/v2/silence/{gone}").status_code == httpx.codes.NOT_FOUND


def test_another_server_is_no_alertmanager(url: str) -> None:
    with pytest.raises(EscalatorError):
        Alertmanager(Access(url=f"{url}/elsewhere")).fetch_alerts(())
