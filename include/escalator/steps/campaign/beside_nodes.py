"""What goes on beside the nodes of a campaign: managers get their notices, services are probed."""

from __future__ import annotations

import logging
from typing import Protocol

from escalator.model.errors import EscalatorError
from escalator.vim_interface.desk import VimDesk

log = logging.getLogger("escalator.steps.campaign.beside_nodes")


class Watch(Protocol):
    """Probes the services of a run."""

    def look(self) -> bool:
        """Probe; tell whether the way of every node is at its end."""

    def close(self) -> None:
        """End the probes."""


class BesideNodes:
    """Sends what the steps have queued, so that an answer may come while its step still waits in its worker.

    Used by one thread at a time. A notice that is not sent here is sent by who waits for its answer.

    :param desk: of the run; None: there is nobody to speak with.
    """

    def __init__(self, desk: VimDesk | None, watch: Watch) -> None:
        self._desk = desk
        self._watch = watch
        self._said = ""

    def look(self) -> bool:
        """Send what is due and probe; tell whether the way of every node of the campaign is at its end."""
        if self._desk is not None:
            self._send(self._desk)
        return self._watch.look()

    def close(self) -> None:
        """End the probes; a second call changes nothing."""
        self._watch.close()

    def _send(self, desk: VimDesk) -> None:
        """Send what is due; what goes wrong keeps nothing from being probed."""
        try:
            desk.courier.deliver_due(desk.session_id)
        except EscalatorError as exc:
            message = f"no notice is sent from here for now: {exc}"
        else:
            message = ""
        if message and message != self._said:
            log.warning("%s", message)
        self._said = message
