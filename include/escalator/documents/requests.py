"""Read the request of a campaign: from the parameters of a run to a :class:`CampaignRequest`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from escalator.documents.fields import Fields, did_you_mean, shown
from escalator.model.campaign import CampaignRequest, UpgradeMode
from escalator.model.errors import InvalidRequestError

KEYS = (
    "bundle",
    "hosts",
    "max_parallel",
    "max_failed_nodes",
    "dry_run",
    "migration_timeout_seconds",
    "window_end",
    "mode",
    "spill",
)
"""What a request may say."""
CHECK_KEYS = ("bundle", "hosts", "max_parallel", "mode", "rollback")
"""What the request of a check may say."""
_MIGRATION_SECONDS = 900
_LEAST_MIGRATION_SECONDS = 10
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def parse_request(
    conf: Mapping[str, object],
    *,
    cloud: str,
    domain: str,
    known_hosts: Collection[str],
    bundles: Collection[str],
    now: datetime | None = None,
) -> CampaignRequest:
    """Read what an operator asks for; what is left out takes its default.

    :param conf: the parameters of the run, of any form.
    :param cloud: name of the cloud.
    :param domain: drain domain that the run is for.
    :param known_hosts: nova-compute service hosts of the domain.
    :param bundles: names of the bundles there are.
    :param now: an aware time; with it, a window that has ended already is refused.
    :raises InvalidRequestError: names every fault at once; nothing was written.
    """
    faults: list[str] = []
    fields = Fields.of(conf, faults, path="", keys=KEYS)
    where = f"domain {domain}"
    if not known_hosts:
        faults.append(f"{where} of cloud {cloud} has no node")
    request = CampaignRequest(
        cloud=cloud,
        domain=domain,
        bundle=_bundle(fields, bundles),
        hosts=_hosts(fields, where, known_hosts),
        max_parallel=_max_parallel(fields, where, known_hosts),
        max_failed_nodes=fields.whole("max_failed_nodes", default=0, least=0),
        dry_run=fields.flag("dry_run", default=False),
        migration_timeout_seconds=fields.whole(
            "migration_timeout_seconds", default=_MIGRATION_SECONDS, least=_LEAST_MIGRATION_SECONDS
        ),
        window_end=_window_end(fields, now),
        mode=_mode(fields),
        spill=fields.share("spill", 1.0),
    )
    _refuse(faults)
    return request


def parse_check(
    conf: Mapping[str, object], *, cloud: str, known_hosts: Collection[str], bundles: Collection[str]
) -> tuple[CampaignRequest, bool]:
    """Read what a check of a cloud is about; what is left out takes its default.

    :param known_hosts: nova-compute service hosts of the cloud.
    :return: the campaign that is asked about, in whatever domains, and whether its way back is meant.
    :raises InvalidRequestError: names every fault at once.
    """
    faults: list[str] = []
    fields = Fields.of(conf, faults, path="", keys=CHECK_KEYS)
    where = f"cloud {cloud}"
    if not known_hosts:
        faults.append(f"{where} has no node")
    request = CampaignRequest(
        cloud=cloud,
        domain="",
        bundle=_bundle(fields, bundles),
        hosts=_hosts(fields, where, known_hosts),
        max_parallel=_max_parallel(fields, where, known_hosts),
        mode=_mode(fields),
    )
    rollback = fields.flag("rollback", default=False)
    _refuse(faults)
    return request, rollback


def _refuse(faults: list[str]) -> None:
    if faults:
        raise InvalidRequestError(
            f"the request is refused: {'; '.join(faults)}",
            remedy="correct it and start again; nothing was changed",
        )


def _mode(fields: Fields) -> UpgradeMode:
    return UpgradeMode(fields.choice("mode", tuple(UpgradeMode), UpgradeMode.SMOOTH))


def _bundle(fields: Fields, bundles: Collection[str]) -> str:
    name = fields.text("bundle", required=True)
    if name and name not in bundles:
        known = f"known are {', '.join(sorted(bundles))}" if bundles else "there is no bundle at all"
        fields.fault("bundle", f"{shown(name)} is not known{did_you_mean(name, bundles)} ({known})")
    return name


def _hosts(fields: Fields, where: str, known_hosts: Collection[str]) -> tuple[str, ...]:
    hosts = fields.texts("hosts")
    for host, times in Counter(hosts).items():
        if times > 1:
            fields.fault("hosts", f"{shown(host)} stands there {times} times")
        if host not in known_hosts:
            hint = did_you_mean(host, known_hosts)
            fields.fault("hosts", f"{shown(host)} is not a node of {where}{hint}")
    return hosts


def _max_parallel(fields: Fields, where: str, known_hosts: Collection[str]) -> int:
    """Read how many nodes may be out at once; one node at least must stay in."""
    value = fields.whole("max_parallel", default=1, least=1)
    nodes = len(set(known_hosts))
    if nodes == 1:
        fields.fault("max_parallel", f"{where} has one node only: its servers have nowhere to go")
    elif 1 <= nodes <= value:
        fields.fault(
            "max_parallel",
            f"{shown(value)} is impossible: {where} has {nodes} nodes and one must stay in, "
            f"so at most {nodes - 1}",
        )
    return value


def _window_end(fields: Fields, now: datetime | None) -> datetime | None:
    form = "a date and time with its offset, such as 2026-11-22T08:00:00Z"
    text = fields.text("window_end", pattern=_RFC_3339, form=form)
    if not text:
        return None
    try:
        end = datetime.fromisoformat(text.upper())
    except ValueError:
        fields.fault("window_end", f"{shown(text)} is not a date and time that exists")
        return None
    if now is not None and end <= now:
        fields.fault("window_end", f"{text} is in the past")
    return end
