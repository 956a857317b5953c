"""What the answers about a node mean: who stays, who is moved, who refused, and whose silence counts how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from escalator.model.moves import Agreement
from escalator.model.notice import InstanceAction, NoticeRecord
from escalator.model.verdict import Code
from escalator.model.vnfm import OnNack, OnSilence, Vnfm


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A manager that did not cooperate, in words.

    :ivar policy: what is done about it: ``migrate`` (go on), ``hold``, ``fail``, or ``ask-again``.
    """

    code: Code
    policy: OnSilence | OnNack
    vnfm: str
    project_id: str
    message: str

    def __str__(self) -> str:
        """Say what happened and what follows."""
        return f"[{self.code}] {self.message}: {_FOLLOWS[self.policy]}"


_FOLLOWS: Mapping[OnSilence | OnNack, str] = {
    OnSilence.MIGRATE: "its servers are moved",
    OnSilence.HOLD: "the node is held",
    OnSilence.FAIL: "the node counts as failed",
    OnNack.ASK_AGAIN: "it is asked again later",
    OnNack.MIGRATE: "its servers are moved all the same",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the answers come to.

    :ivar agreement: which servers stay, and which are moved.
    :ivar troubles: what was not as it should be, one a notice.
    """

    agreement: Agreement
    troubles: tuple[Trouble, ...] = ()

    def having(self, *policies: OnSilence | OnNack) -> tuple[Trouble, ...]:
        """Return the troubles that such a policy answers."""
        return tuple(t for t in self.troubles if t.policy in policies)


def judge_answers(
    records: Iterable[NoticeRecord],
    managers: Mapping[str, Vnfm],
    *,
    now: datetime,
    refused_since: Mapping[str, datetime],
) -> Judgement:
    """Judge closed notices of a node.

    :param managers: by their ids; who is not among them any more has no policy: the node is held.
    :param refused_since: id of a manager -> when it refused this node first.
    """
    stays: set[str] = set()
    leaves: set[str] = set()
    cold: set[str] = set()
    troubles: list[Trouble] = []
    for record in records:
        vnfm, asked = managers.get(record.notice.vnfm), set(record.notice.instance_ids)
        if vnfm is None:
            troubles.append(_miss(record))
            leaves |= asked
            continue
        trouble = _find_trouble(record, vnfm, now, refused_since.get(vnfm.id))
        if trouble is not None:
            troubles.append(trouble)
            leaves |= asked
            continue
        own = {s for s in asked if _action(record, s) is InstanceAction.OWN_ACTION}
        stays |= own
        leaves |= asked - own
        if vnfm.strict_migrate:
            cold |= {s for s in asked - own if _action(record, s) is InstanceAction.MIGRATE}
    agreement = Agreement(stays=_sorted(stays - leaves), leaves=_sorted(leaves), cold=_sorted(cold))
    return Judgement(agreement=agreement, troubles=tuple(troubles))


def _miss(record: NoticeRecord) -> Trouble:
    """Say that nobody knows any more how to speak with the manager, nor what its answer is to mean."""
    notice = record.notice
    return Trouble(
        code=Code.VNF_UNREGISTERED,
        policy=OnSilence.HOLD,
        vnfm=notice.vnfm,
        project_id=notice.project_id,
        message=f"VNF manager {notice.vnfm} (project {notice.project_id}) is no longer registered",
    )


def _find_trouble(
    record: NoticeRecord, vnfm: Vnfm, now: datetime, refused_since: datetime | None
) -> Trouble | None:
    notice, reply = record.notice, record.reply
    who = f"VNF manager {vnfm.id} (project {notice.project_id})"
    if reply is None:
        why = f"; the last try to reach it: {record.error}" if record.error else ""
        return Trouble(
            code=Code.VNF_SILENT,
            policy=vnfm.on_silence,
            vnfm=vnfm.id,
            project_id=notice.project_id,
            message=f"{who} did not answer {notice.state} of {notice.host}{why}",
        )
    if reply.ack:
        return None
    limit = vnfm.nack_deadline_seconds
    since = refused_since or record.replied_at or now
    overdue = limit is not None and (now - since).total_seconds() >= limit
    return Trouble(
        code=Code.VNF_REFUSED,
        policy=OnNack.MIGRATE if overdue else vnfm.on_nack,
        vnfm=vnfm.id,
        project_id=notice.project_id,
        message=f"{who} refused {notice.state} of {notice.host}",
    )


def _action(record: NoticeRecord, server_id: str) -> InstanceAction:
    """Return what a manager wants done; who agrees and does not say gets what Fenix does: a move."""
    actions = record.reply.actions if record.reply is not None else {}
    return actions.get(server_id, InstanceAction.MIGRATE)


def _sorted(ids: set[str]) -> tuple[str, ...]:
    return tuple(sorted(ids))
