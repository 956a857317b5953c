"""Who was told and asked what, and what was answered: the negotiation with managers of VNFs, in a report."""

from __future__ import annotations

from statistics import median
from typing import Any

from escalator.model.notice import NoticeRecord
from escalator.model.switch import SwitchRecord
from escalator.reports.askings import find_askings
from escalator.reports.facts import CampaignFacts
from escalator.reports.nodes import format_time, round_seconds

Row = dict[str, Any]


def describe_negotiations(facts: CampaignFacts) -> Row:
    """Describe what was told and asked, and the switchovers: notices in the order of their numbers."""
    own = [seconds for asking in find_askings(facts) if (seconds := asking.own_seconds) is not None]
    return {
        "answer_to_next_action_seconds": {
            "askings": len(own),
            "median": round_seconds(median(own)) if own else None,
            "max": round_seconds(max(own)) if own else None,
        },
        "switchovers": [_describe_switch(s) for s in sorted(facts.switches, key=lambda s: s.begun_at)],
        "notices": [_describe(r) for r in sorted(facts.notices, key=lambda r: r.number)],
    }


def _describe(record: NoticeRecord) -> Row:
    notice = record.notice
    return {
        "number": record.number,
        "vnfm": notice.vnfm,
        "project": notice.project_id,
        "event": str(notice.event),
        "state": str(notice.state),
        "host": notice.host,
        "instances": list(notice.instance_ids),
        "asking": notice.asking,
        "made": format_time(record.made_at),
        "delivered": format_time(record.delivered_at),
        "tries": record.tries,
        "error": record.error if record.delivered_at is None else "",
        "reply_at": format_time(notice.reply_at),
        "replied": format_time(record.replied_at),
        "answer": _name_answer(record),
    }


def _describe_switch(switch: SwitchRecord) -> Row:
    return {
        "group": switch.group,
        "host": switch.host,
        "method": str(switch.method),
        "from": switch.from_server,
        "to": switch.to_server,
        "begun": format_time(switch.begun_at),
        "ended": format_time(switch.ended_at),
        "verified": switch.verified,
        "message": switch.message,
        "restored": format_time(switch.restored_at),
    }


def _name_answer(record: NoticeRecord) -> str:
    """Return ``ack``, ``nack`` or ``silent``; empty where no answer is expected, or it may still come."""
    if record.reply is not None:
        return "ack" if record.reply.ack else "nack"
    return "silent" if record.notice.reply_at is not None and record.closed_at is not None else ""
