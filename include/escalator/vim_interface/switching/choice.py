"""Which module carries out which means."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from escalator.model.vnf_means import (
    CommandMeans,
    FloatingIpMeans,
    HttpMeans,
    OctaviaMeans,
    SwitchoverMeans,
    VipPortMeans,
)
from escalator.vim_interface.switching.cloud_side import BalancerSide, NetworkSide
from escalator.vim_interface.switching.command import CommandSwitcher, Run
from escalator.vim_interface.switching.floating_ip import FloatingIpSwitcher
from escalator.vim_interface.switching.octavia import OctaviaSwitcher
from escalator.vim_interface.switching.switcher import Switcher, SwitchGroup
from escalator.vim_interface.switching.vip_port import VipPortSwitcher

if TYPE_CHECKING:
    import httpx


def make_switcher(
    means: SwitchoverMeans,
    group: SwitchGroup,
    *,
    network: NetworkSide,
    balancers: BalancerSide,
    client: httpx.Client | None = None,
    run: Run | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Switcher:
    """Make what switches a group over by its means; nothing is sent yet.

    :param client: for the method http; None: one of its own.
    :param run: for the method command; None: programs are really run.
    """
    match means:
        case FloatingIpMeans():
            return FloatingIpSwitcher(means, group, network)
        case VipPortMeans():
            return VipPortSwitcher(means, group, network)
        case OctaviaMeans():
            return OctaviaSwitcher(means, group, network, balancers, clock=clock, sleep=sleep)
        case HttpMeans():
            from escalator.vim_interface.switching.http_role import (  # noqa: PLC0415  (httpx: few tasks need it)
                HttpSwitcher,
                make_client,
            )

            return HttpSwitcher(means, group, network, client or make_client())
        case CommandMeans():
            return CommandSwitcher(means, group, run)
        case _:
            assert_never(means)
