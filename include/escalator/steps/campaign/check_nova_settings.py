"""Check what the Nova of the nodes allows the servers that will leave them, as their nova.conf says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from escalator.model.check_report import Condition
from escalator.model.migration_settings import MigrationSettings
from escalator.model.verdict import Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Question, unmet
from escalator.upgrade_manager.drain.busy_servers import check_settings


def check_nova_settings(question: Question, settings: Mapping[str, MigrationSettings]) -> Iterator[Condition]:
    """Say it once for all nodes whose Nova has the same options; nothing of nodes that did not tell.

    :param settings: host -> what was read there.
    """
    subject = Subject.of_cloud(question.snapshot.cloud)
    alike: dict[MigrationSettings, list[str]] = {}
    for host in question.pending:
        if host in settings:
            alike.setdefault(settings[host], []).append(host)
    for found, hosts in alike.items():
        leaving = question.book.movable(hosts)
        for verdict in check_settings(found, leaving, question.plan.expected, subject):
            message = f"{name_some(hosts)}: {verdict.message}"
            yield unmet(verdict.code, subject, message, verdict.remedy or "", verdict.severity, hosts=hosts)
