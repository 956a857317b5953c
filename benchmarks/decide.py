"""How long one admission decision takes: a domain of a cloud, or all of it, from a fresh snapshot.

Prints the best CPU time of five: 500 nodes are to take less than 50 ms, 5,000 less than 250 ms.
"""

from __future__ import annotations

import sys
import time

from fleets import Fleet  # beside this script

from escalator.model.campaign import CampaignPlan, CampaignRequest, LedgerView
from escalator.model.cloud import CloudSnapshot
from escalator.upgrade_manager.schedule.admission import decide_admissions

LIMITS_MS = {500: 50.0, 5000: 250.0}
TRIES = 5


def main() -> int:
    """Measure and print a row each; 1 when one is over its limit."""
    late = False
    for nodes, limit in LIMITS_MS.items():
        snapshot = Fleet(nodes=nodes).snapshot()
        domain = snapshot.nodes[0].domain
        own = tuple(n.host for n in snapshot.nodes if n.domain == domain)
        everyone = tuple(n.host for n in snapshot.nodes)
        for hosts, parallel in ((own, 1), (own, max(1, len(own) // 20)), (everyone, 1)):
            best = min(_milliseconds(snapshot, hosts, parallel) for _ in range(TRIES))
            late |= best > limit
            print(
                f"{nodes:>5} nodes, {len(hosts):>4} asked, K={parallel:<3} {best:6.0f} ms (limit {limit:.0f})"
            )
    return int(late)


def _milliseconds(snapshot: CloudSnapshot, hosts: tuple[str, ...], parallel: int) -> float:
    request = CampaignRequest(cloud="fleet", domain="", bundle="none", max_parallel=parallel)
    plan = CampaignPlan(campaign="bench", run_id="1", request=request, hosts=hosts, target_version="1.0.0")
    started = time.process_time()
    decide_admissions(snapshot, plan, LedgerView(), snapshot.taken_at)
    return (time.process_time() - started) * 1000


if __name__ == "__main__":
    sys.exit(main())
