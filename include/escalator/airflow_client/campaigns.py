"""Escalator's own REST API in Airflow's API server: how campaigns stand, and orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from escalator.airflow_client.errors import refuse_other_forms
from escalator.model.order import Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from escalator.airflow_client.transport import Transport

API = "/escalator/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """What an order does, in words, and when it took effect; empty: it has not yet."""

    effect: str
    effective_at: str
    in_flight: tuple[str, ...]
    waiting: tuple[str, ...]

    @classmethod
    @refuse_other_forms
    def from_json(cls, document: Mapping[str, Any]) -> OrderAnswer:
        """Read an answer."""
        order = document["order"]
        return cls(
            effect=order["effect"],
            effective_at=order["effective_at"] or "",
            in_flight=tuple(document["in_flight"]),
            waiting=tuple(document["waiting"]),
        )


class Campaigns:
    """Speaks of campaigns with one Airflow; every method raises the errors of ``Transport.request``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def fetch_board(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return how a campaign stands, as its board shows it."""
        return self._transport.request("GET", "campaigns", dag_id, run_id, api=API)

    def list_orders(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return what was ordered of a campaign, the earliest first."""
        return _list_orders(self._transport.request("GET", "campaigns", dag_id, run_id, "orders", api=API))

    def order(
        self,
        dag_id: str,
        run_id: str,
        verb: Verb,
        *,
        reason: str,
        host: str | None = None,
        confirm: Sequence[str] = (),
    ) -> OrderAnswer:
        """Order something of a campaign, or of one of its nodes.

        :param confirm: for the abort of moves: the name of the node, twice.
        :raises RequestRefusedError: it makes no sense now, or the user may not; nothing was written.
        """
        path = ("campaigns", dag_id, run_id, *(("nodes", host) if host else ()), str(verb))
        body: dict[str, Any] = {"reason": reason} | ({"confirm": list(confirm)} if confirm else {})
        return OrderAnswer.from_json(self._transport.request("POST", *path, body=body, api=API))


@refuse_other_forms
def _list_orders(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(order) for order in document["orders"]]
