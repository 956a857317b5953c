"""Switches VNFs without a manager over by their own means, and sees where their service is."""

from escalator.vim_interface.switching.act import SwitchOrder, SwitchOutcome, SwitchResult, switch_over
from escalator.vim_interface.switching.choice import make_switcher
from escalator.vim_interface.switching.cloud_side import BalancerSide, NetworkSide
from escalator.vim_interface.switching.restore import restore_switches
from escalator.vim_interface.switching.standby import StandbyChoice, choose_standby
from escalator.vim_interface.switching.switcher import Health, RoleView, Seen, Switcher, SwitchGroup
from escalator.vim_interface.switching.verify import (
    Verification,
    fetch_service_addresses,
    find_holder,
    verify_left,
)

__all__ = [
    "BalancerSide",
    "Health",
    "NetworkSide",
    "RoleView",
    "Seen",
    "StandbyChoice",
    "SwitchGroup",
    "SwitchOrder",
    "SwitchOutcome",
    "SwitchResult",
    "Switcher",
    "Verification",
    "choose_standby",
    "fetch_service_addresses",
    "find_holder",
    "make_switcher",
    "restore_switches",
    "switch_over",
    "verify_left",
]
