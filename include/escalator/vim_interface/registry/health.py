"""Asks managers of VNFs whether they are well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import httpx

from escalator.model.vnfm import Vnfm
from escalator.vim_interface.delivery.http_call import Answer, call_async

HEALTH_SECONDS = 2.0


class Health(StrEnum):
    """How a manager is; not told: it has no address to ask."""

    UP = "up"
    DOWN = "down"
    NOT_TOLD = "not told"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerHealth:
    """A manager and how it is; ``reason``: why it counts as down."""

    vnfm: Vnfm
    health: Health
    reason: str = ""


def fetch_health(vnfms: Sequence[Vnfm], *, seconds: float = HEALTH_SECONDS) -> tuple[ManagerHealth, ...]:
    """Ask all managers at once, without credentials; up is who answers with a good status (2xx) in time.

    :return: in the order given.
    """

    async def ask_all() -> list[ManagerHealth]:
        return await asyncio.gather(*(_ask(vnfm, seconds) for vnfm in vnfms))

    return tuple(asyncio.run(ask_all()))


async def _ask(vnfm: Vnfm, seconds: float) -> ManagerHealth:
    if vnfm.health_url is None:
        return ManagerHealth(vnfm=vnfm, health=Health.NOT_TOLD)
    try:
        request = httpx.Request("GET", vnfm.health_url, headers={"Connection": "close"})
    except (httpx.InvalidURL, ValueError):
        return ManagerHealth(vnfm=vnfm, health=Health.DOWN, reason="its address cannot be read")
    found = await call_async(request, connect_seconds=seconds, seconds=seconds)
    if isinstance(found, Answer):
        if found.is_good:
            return ManagerHealth(vnfm=vnfm, health=Health.UP)
        return ManagerHealth(vnfm=vnfm, health=Health.DOWN, reason=f"HTTP {found.status}")
    return ManagerHealth(vnfm=vnfm, health=Health.DOWN, reason=found.error)
