"""Taking back: the rollbacks that an ended campaign starts by itself for nodes that failed in it.

A second run starts what the first one did not get to: the ids of the runs are made of what they are for.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from escalator.documents.rollback_request import make_rollback_conf
from escalator.ledger.codec import from_json, to_json
from escalator.ledger.records import Document
from escalator.ledger.run import CampaignRun
from escalator.ledger.undoable import read_before
from escalator.model.failed_nodes import OnFailedNode, OwnRollback
from escalator.model.naming import make_short
from escalator.model.procedure import ROLLBACK, UPGRADE
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.state.failed_nodes import find_to_take_back

log = logging.getLogger("escalator.steps.campaign.taking_back")
MOST_OF_RUN_ID = 250
"""Characters of a run's id that Airflow takes."""
NOT_RECORDED = "what these nodes had before is not recorded -> bring them back by hand"

StartRun = Callable[[OwnRollback, Mapping[str, Any]], str]
"""Starts a run with its parameters, or finds it started; returns why it could not, with what to do."""


def read_own_rollbacks(run: CampaignRun) -> tuple[OwnRollback, ...]:
    """Return the rollbacks that a run was to start by itself, as the last look at it left them."""
    kept = run.document(Document.OWN_ROLLBACKS) or {}
    return tuple(from_json(OwnRollback, each) for each in kept.get("rollbacks", ()))


def start_own_rollbacks(campaign: CampaignContext, start: StartRun) -> tuple[OwnRollback, ...]:
    """Start the rollbacks that the policy for failed nodes wants now that the nodes have come to their ends.

    :return: all that the run has started, and those that could not be, with the reason.
    """
    known = tuple(each for each in read_own_rollbacks(campaign.run) if each.is_started)
    for each in _find_new(campaign, known):
        reason = each.not_started or start(each, _make_conf(campaign, each))
        done = replace(each, not_started=reason)
        if reason:
            log.error("the rollback %s is not started: %s", done, reason)
        else:
            log.warning("a rollback is started by itself (%s): %s", done.policy, done)
        known = (*known, done)
        # At once: a second run that finds it here leaves its nodes to it.
        campaign.run.set_document(Document.OWN_ROLLBACKS, {"rollbacks": to_json(known)})
    return known


def _find_new(campaign: CampaignContext, known: tuple[OwnRollback, ...]) -> list[OwnRollback]:
    """Find the nodes to take back, one rollback for each set of versions that they go back to."""
    plan, run = campaign.plan, campaign.run
    policy = plan.request.on_failed_node or OnFailedNode.QUARANTINE
    if not policy.takes_back:
        return []
    facts = {host: run.facts(host) for host in plan.hosts}
    changed = {host for host, known_of in facts.items() if known_of.upgrade_begun is not None}
    at_work = {host for each in known for host in each.hosts}
    names = tuple(component.name for component in campaign.bundle.components)
    hosts_of: dict[tuple[str | None, ...], list[str]] = {}
    for host in find_to_take_back(plan, run.view(), changed, known=at_work):
        before = read_before(facts[host])
        hosts_of.setdefault(tuple(map(before.get, names)), []).append(host)
    free = _list_free_ids(policy, plan.run_id, known)
    return [
        OwnRollback(
            policy=policy,
            campaign=ROLLBACK.name + plan.campaign.removeprefix(UPGRADE.name),
            run_id=run_id,
            hosts=tuple(hosts),
            not_started=NOT_RECORDED if None in versions else "",
        )
        for run_id, (versions, hosts) in zip(free, hosts_of.items(), strict=False)
    ]


def _list_free_ids(policy: OnFailedNode, run_id: str, known: tuple[OwnRollback, ...]) -> Iterator[str]:
    """Give the ids that no rollback has yet: one that was started has it, whatever could not be before it."""
    taken = {each.run_id for each in known}
    ids = (_name_run(policy, number, run_id) for number in itertools.count(1))
    return (one for one in ids if one not in taken)


def _name_run(policy: OnFailedNode, number: int, run_id: str) -> str:
    name = f"{policy}-{number}__{run_id}"
    return name if len(name) <= MOST_OF_RUN_ID else make_short(name, name, MOST_OF_RUN_ID)


def _make_conf(campaign: CampaignContext, rollback: OwnRollback) -> dict[str, Any]:
    return make_rollback_conf(campaign.plan.request, campaign.run.run_id, rollback.hosts)
