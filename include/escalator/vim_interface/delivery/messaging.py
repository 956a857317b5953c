"""Publishes notices as OpenStack notifications, as Fenix did: Ceilometer and AODH carry them on.

It is beside the POST: whether a notice was delivered is told by the POST alone. The address of the message
bus holds a password: it is never logged, and no error shows it.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from typing import Any

from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.notice import NoticeRecord
from escalator.model.vnfm import Vnfm
from escalator.vim_interface.wire.envelopes import PUBLISHER, make_message_id, write_pairs
from escalator.vim_interface.wire.payloads import make_payload

TRANSPORT_VARIABLE = "ESCALATOR_VIM_TRANSPORT"
TOPIC = "notifications"
DRIVER = "messaging"
"""Messages without an envelope of their own, as Fenix sends them; every listener reads them."""
_RETRIES = 2

log = logging.getLogger(__name__)


class MessageBus:
    """Publishes on the topic ``notifications`` with priority info.

    :param transport_url: such as ``rabbit://user:password@host:5672/``; options of the driver may follow as
        ``?rabbit_quorum_queue=true``.
    :raises InvalidRequestError: it is no address that oslo.messaging knows.
    """

    def __init__(self, transport_url: str) -> None:
        import oslo_messaging  # noqa: PLC0415  a second of imports, for clouds with a message bus only
        from oslo_config import cfg  # noqa: PLC0415

        conf = cfg.ConfigOpts()
        conf(args=[], project="escalator", default_config_files=[], default_config_dirs=[])
        try:
            transport = oslo_messaging.get_notification_transport(conf, url=transport_url)
        except Exception as exc:  # noqa: BLE001 - a driver may fail in its own way; it may say the address
            raise InvalidRequestError(
                f"the address of the message bus cannot be used: {type(exc).__name__}",
                remedy=f"correct {TRANSPORT_VARIABLE}, or the connection, such as rabbit://user:password@host:5672/",
            ) from None
        self._transport: Any = transport
        self._notifier: Any = oslo_messaging.Notifier(
            transport, driver=DRIVER, publisher_id=PUBLISHER, topics=[TOPIC], retry=_RETRIES
        )

    def close(self) -> None:
        """Close its connections; a second time does nothing."""
        self._transport.cleanup()

    def publish(self, record: NoticeRecord, vnfm: Vnfm, base_url: str) -> None:
        """Publish a notice; that it fails is logged and no more.

        :param base_url: address of the cloud's API, ending in ``/v1``.
        """
        notice = record.notice
        try:
            payload = make_payload(record, vnfm.kind, base_url)
            said = {"message_id": make_message_id(record), "number": record.number}
            if "metadata" in payload:  # Ceilometer makes text of it: it shall be text that clients can read
                payload["metadata"] = write_pairs(payload["metadata"])
            self._notifier.info({}, str(notice.event), {**payload, **said})
        except EscalatorError as exc:
            log.warning("notice %d of session %s is not published: %s", record.number, notice.session_id, exc)
        except Exception as exc:  # noqa: BLE001 - what a driver says may hold the address
            name = type(exc).__name__
            log.warning(
                "notice %d of session %s is not published: %s", record.number, notice.session_id, name
            )


def open_message_bus(transport_url: str | None = None) -> MessageBus | None:
    """Open the message bus of an address, else of ``ESCALATOR_VIM_TRANSPORT``; None when there is neither.

    A process has one for an address: its connections stay open, and beat.

    :raises InvalidRequestError: it is no address that oslo.messaging knows.
    """
    url = transport_url or os.environ.get(TRANSPORT_VARIABLE)
    return _open(url) if url else None


@lru_cache(maxsize=8)
def _open(url: str) -> MessageBus:
    return MessageBus(url)
