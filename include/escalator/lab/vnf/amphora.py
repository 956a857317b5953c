"""The amphora of a load balancer of Octavia's: a balancer whose weights are those that Octavia has.

``python -m escalator.lab.vnf.amphora --database DSN --load-balancer ID``, then the words of ``balancer``,
with the interpreter of the control plane. Octavia's own driver of amphorae is the no-op one: this takes the
place of what it would make. It tells Octavia how many connections are open, as the health manager would.
"""

import argparse
import threading
import time

from escalator.lab.vnf.balancer import Balancer, add_words, make_balancer, run_balancer
from escalator.lab.vnf.database_reader import Ask, Rows, connect

POLL_SECONDS = 0.1
WEIGHTS = """
    SELECT member.name, CASE WHEN member.enabled THEN member.weight ELSE 0 END
    FROM member JOIN pool ON pool.id = member.pool_id
    WHERE pool.load_balancer_id = %s AND member.provisioning_status = 'ACTIVE'
"""
STATISTICS = """
    INSERT INTO listener_statistics (listener_id, amphora_id, active_connections, total_connections,
                                     bytes_in, bytes_out, request_errors)
    SELECT id, id, %s, %s, 0, 0, 0 FROM listener WHERE load_balancer_id = %s
    ON CONFLICT (listener_id, amphora_id) DO UPDATE SET
        active_connections = excluded.active_connections, total_connections = excluded.total_connections
    RETURNING listener_id
"""


def apply(balancer: Balancer, rows: Rows) -> None:
    """Give the members their weights; what Octavia is still changing has its old one."""
    for name, weight in rows:
        if name in balancer.members.members:
            balancer.set_weight(str(name), int(weight))


def follow(balancer: Balancer, ask: Ask, load_balancer: str) -> None:
    """Follow Octavia, and tell it what is counted when that changes, for ever."""
    told = (-1, -1)
    while True:
        apply(balancer, ask(WEIGHTS, load_balancer))
        members = balancer.members.members.values()
        counted = (sum(m.connections for m in members), sum(m.served for m in members))
        if counted != told and ask(STATISTICS, *counted, load_balancer):
            told = counted
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Run one amphora until it is told to end."""
    parser = argparse.ArgumentParser(description="the amphora of a load balancer")
    parser.add_argument("--database", required=True)
    parser.add_argument("--load-balancer", required=True)
    add_words(parser)
    args = parser.parse_args()
    balancer = make_balancer(args)
    following = (balancer, connect(args.database), args.load_balancer)
    threading.Thread(target=follow, args=following, daemon=True).start()
    run_balancer(balancer, args)


if __name__ == "__main__":
    main()
