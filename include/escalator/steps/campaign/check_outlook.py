"""What a mechanism tells of nodes before the start that is in nobody's way, such as what it would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from escalator.model.bundle import Bundle
from escalator.model.check_report import Condition
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import met, unmet


def check_outlook(bundle: Bundle, told: Mapping[str, Sequence[Verdict]]) -> Iterator[Condition]:
    """Say each finding once, for all nodes that it was told of; a warning is a condition that is not met.

    :param told: host -> what its mechanism told of it; nothing that blocks.
    """
    subject = Subject.of_bundle(bundle.name)
    alike: dict[tuple[Code, str, Severity, str], list[str]] = {}
    for host, verdicts in told.items():
        for verdict in verdicts:
            key = (verdict.code, verdict.message, verdict.severity, verdict.remedy or "")
            alike.setdefault(key, []).append(host)
    for (code, said, severity, remedy), hosts in alike.items():
        message = f"{name_some(hosts)}: {said}"
        if severity is Severity.INFO:
            yield met(code, subject, message)
        else:
            yield unmet(code, subject, message, remedy, severity, hosts=hosts)
