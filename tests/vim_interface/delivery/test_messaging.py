"""Notices as notifications: over oslo.messaging's own fake driver, and over the lab's RabbitMQ."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import oslo_messaging
import pytest
from tests.vim_interface.wire.notices import BASE, PROJECT_URL, SERVER, make_notice, make_record

from escalator.model.errors import InvalidRequestError
from escalator.model.notice import NoticeEvent, NoticeState
from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.vim_interface.delivery.messaging import MessageBus, open_message_bus
from escalator.vim_interface.wire.envelopes import make_message_id

if TYPE_CHECKING:
    from escalator.lab.lab import Lab

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
Heard = tuple[str, str, dict[str, Any]]
FAKE = "fake:///"


def manager(kind: VnfmKind = VnfmKind.FENIX_A) -> Vnfm:
    return Vnfm(id="one", cloud="lab", kind=kind, url="http://v.example/", projects=("p1",))


@contextmanager
def listening(url: str) -> Iterator[queue.Queue[Heard]]:
    """Listen as Ceilometer's notification agent does."""
    from oslo_config import cfg

    heard: queue.Queue[Heard] = queue.Queue()

    class Endpoint:
        def info(self, _ctxt: Any, publisher: str, event: str, payload: Any, _metadata: Any) -> None:
            heard.put((publisher, event, payload))

    conf = cfg.ConfigOpts()
    conf(args=[], project="test", default_config_files=[], default_config_dirs=[])
    transport = oslo_messaging.get_notification_transport(conf, url=url)
    targets = [oslo_messaging.Target(topic="notifications")]
    listener = oslo_messaging.get_notification_listener(
        transport, targets, [Endpoint()], executor="threading"
    )
    listener.start()
    try:
        yield heard
    finally:
        listener.stop()
        listener.wait()
        transport.cleanup()


def publish(url: str, kind: VnfmKind, **changes: Any) -> Heard:
    with listening(url) as heard:
        bus = open_message_bus(url)
        assert bus is not None
        bus.publish(make_record(make_notice(**changes)), manager(kind), BASE)
        return heard.get(timeout=20)


def test_notice_is_heard_as_fenix_would_have_sent_it() -> None:
    publisher, event, payload = publish(FAKE, VnfmKind.FENIX_A, metadata={"menu": "cpu"})
    assert (publisher, event) == ("fenix", "maintenance.scheduled")
    assert (payload["state"], payload["instance_ids"]) == ("PLANNED_MAINTENANCE", PROJECT_URL)
    assert payload["allowed_actions"] == ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"]
    assert payload["metadata"] == '{"menu": "cpu"}'
    assert (payload["message_id"], payload["number"]) == (make_message_id(make_record()), 3)


def test_event_of_a_node_is_heard() -> None:
    changes = {"state": NoticeState.IN_MAINTENANCE, "event": NoticeEvent.HOST}
    _, event, payload = publish(FAKE, VnfmKind.WEBHOOK, **changes)
    assert (event, payload["host"], payload["state"]) == (
        "maintenance.host",
        "compute-1",
        "IN_MAINTENANCE",
    )


def test_notice_that_cannot_be_written_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    MessageBus(FAKE).publish(make_record(make_notice(NoticeState.SCALE_LOCK)), manager(), BASE)
    assert "is not published: a manager of kind fenix-a does not know" in caplog.text


@pytest.mark.parametrize("url", ["nonsense://me:hunter2@host/", "rabbit://me:hunter2@host:port/", "hunter2"])
def test_bad_address_is_refused_and_never_shown(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidRequestError) as caught:
        MessageBus(url)
    assert "cannot be used" in caught.value.message
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {caplog.text}"


def test_failing_bus_is_logged_by_kind_only(caplog: pytest.LogCaptureFixture) -> None:
    bus = MessageBus(FAKE)

    def fail(*_: Any) -> None:
        raise RuntimeError("rabbit://me:hunter2@host/")

    bus._notifier.info = fail
    bus.publish(make_record(), manager(), BASE)
    assert "is not published: RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_without_an_address_there_is_no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESCALATOR_VIM_TRANSPORT", raising=False)
    assert open_message_bus() is None
    monkeypatch.setenv("ESCALATOR_VIM_TRANSPORT", FAKE)
    assert isinstance(open_message_bus(), MessageBus)


@pytest.mark.lab
def test_notices_are_heard_over_rabbitmq(lab: Lab) -> None:
    """From several threads at once, as the courier publishes."""
    with listening(lab.config.transport_url) as heard:
        bus = MessageBus(lab.config.transport_url)
        records = [make_record(number=number) for number in range(8)]
        threads = [
            threading.Thread(target=bus.publish, args=(record, manager(VnfmKind.FENIX_B), BASE))
            for record in records
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        found = [heard.get(timeout=30) for _ in records]
        bus.close()
    assert {payload["number"] for _, _, payload in found} == set(range(8))
    assert all(payload["instance_ids"] == [SERVER] for _, _, payload in found)
    assert {(publisher, event) for publisher, event, _ in found} == {("fenix", "maintenance.scheduled")}
