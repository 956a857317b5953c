"""Which nodes ask for a reboot now, said before the start where the bundle reboots those that do."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from escalator.model.boot import Boot
from escalator.model.bundle import Bundle
from escalator.model.check_report import Condition
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import count, met, unmet
from escalator.upgrade_manager.state.boots import find_reboot_doubts, find_reboot_reasons


def check_reboots(bundle: Bundle, hosts: Collection[str], boots: Mapping[str, Boot]) -> tuple[Condition, ...]:
    """Say which of the nodes that are to be upgraded ask for a reboot as they are.

    :param boots: of the nodes that were asked for their signs; those without are passed over.
    :return: nothing where no node was asked.
    """
    asked = {host: boots[host].signs for host in hosts if host in boots}
    known = {host: signs for host, signs in asked.items() if signs is not None}
    if not known:
        return ()
    doubts = {host: find_reboot_doubts(signs) for host, signs in known.items()}
    reasons = {host: (*find_reboot_reasons(signs), *doubts[host]) for host, signs in known.items()}
    wanting = [f"{host} ({'; '.join(why)})" for host, why in reasons.items() if why]
    said = f": {name_some(wanting)}" if wanting else ""
    subject = Subject.of_bundle(bundle.name)
    words = f"of {count(len(reasons), 'node')} {len(wanting)} would be rebooted as they are now{said}"
    return (met(Code.REBOOTS, subject, words), *_warn_of_doubts(doubts))


def _warn_of_doubts(doubts: Mapping[str, Collection[str]]) -> tuple[Condition, ...]:
    """Warn of nodes that would be rebooted only as nobody knows whether they have to."""
    return tuple(
        unmet(
            Code.REBOOT_UNSURE,
            Subject.of_node(host),
            f"{'; '.join(said)}, so it counts as required",
            "see what it says on the node and mend that, or say reboot: always or never in the bundle",
            Severity.WARNING,
        )
        for host, said in doubts.items()
        if said
    )
