"""What Nova's own check says of the control plane, asked on a controller where the inventory names one."""

from __future__ import annotations

from escalator.model.check_report import Condition
from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.steps.running.context import CampaignContext
from escalator.system_support.controller import read_upgrade_check
from escalator.upgrade_manager.conditions.question import met, unmet


def check_controller(campaign: CampaignContext) -> tuple[Condition, ...]:
    """Run ``nova-status upgrade check`` on the controller; what cannot be asked is a warning, no obstacle.

    :return: nothing, where no controller is declared.
    """
    controller = campaign.inventory.controller
    if controller is None:
        return ()
    try:
        with campaign.shell(controller.address) as shell:
            verdicts = read_upgrade_check(shell, controller)
    except EscalatorError as exc:
        message = f"`nova-status upgrade check` was not run on {controller.address}: {exc.message}"
        remedy = "correct the controller in the inventory settings, or run it there by hand"
        subject = Subject.of_node(controller.address)
        return (unmet(Code.NOT_CHECKED, subject, message, remedy, Severity.WARNING),)
    return tuple(map(_condition, verdicts))


def _condition(verdict: Verdict) -> Condition:
    if verdict.code is Code.CONTROL_PLANE:
        return met(verdict.code, verdict.subject, verdict.message)
    return unmet(verdict.code, verdict.subject, verdict.message, verdict.remedy or "", verdict.severity)
