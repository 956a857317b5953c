"""The L3 agent of the lab: lets the server that has an address in Neutron serve on it.

That is a floating IP that is associated with its port, or an allowed address pair of its port (a VIP).

``python -m escalator.lab.vnf.l3_agent --database DSN --guests FILE --log FILE``, with the interpreter of the
control plane (it has psycopg2). It reads Neutron's own tables, every 50 ms, because a read costs less than a
millisecond there and fifteen over the API; an agent of Neutron's is told the same over the message queue.

``--guests`` is a JSON file: ``[{"own": "127.0.75.12", "port": 8080}, …]``, the addresses of the servers whose
guests take part; it is read again when it changes.
"""

import argparse
import contextlib
import itertools
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from escalator.lab.vnf.database_reader import Ask, Rows, connect
from escalator.lab.vnf.guest import DEFAULT_PORT
from escalator.lab.vnf.json_file import JsonFile
from escalator.lab.vnf.json_server import OK, call
from escalator.lab.vnf.service_log import ServiceLog

POLL_SECONDS = 0.05
LOOK_EVERY = 10
ROLE_SECONDS = 0.2
SQL = """
    SELECT floating_ip_address, fixed_ip_address FROM floatingips WHERE fixed_ip_address IS NOT NULL
    UNION SELECT pair.ip_address, fixed.ip_address
    FROM allowedaddresspairs pair JOIN ipallocations fixed ON fixed.port_id = pair.port_id
"""

Associations = Mapping[str, AbstractSet[str]]
"""Floating IP or address of an allowed pair -> the fixed addresses of the ports that may have it."""


@dataclass(slots=True, kw_only=True)
class L3Agent:
    """Bring the guests into line with what Neutron says.

    :param ports: of the guests' own addresses.
    """

    log: ServiceLog
    ports: Mapping[str, int] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)

    def apply(self, wanted: Associations) -> None:
        """Let go first, then take: an address is served by nobody for the time between.

        Of several that may have an address, the one that has it keeps it.
        """
        owners = {own for owns in wanted.values() for own in owns}
        for own in self.ports.keys() - self._known - owners:
            if self._tell(own, "release", None):  # it may serve since before this agent was started
                self._known.add(own)
        for address, own in list(self.held.items()):
            if own not in wanted.get(address, set()) and self._tell(own, "release", address):
                del self.held[address]
        for address, owns in wanted.items():
            for own in sorted(owns & self.ports.keys()):
                if address not in self.held and self._tell(own, "activate", address):
                    self.held[address] = own

    def look(self) -> None:
        """Forget what a guest holds that was started again and does not know of it."""
        for address, own in list(self.held.items()):
            with contextlib.suppress(OSError):
                port = self.ports.get(own, DEFAULT_PORT)
                answer = call("GET", f"http://{own}:{port}/role", timeout_seconds=ROLE_SECONDS)
                if answer.body["role"] != "active":
                    del self.held[address]

    def _tell(self, own: str, verb: str, address: str | None) -> bool:
        """Tell a guest to take or to give up an address; one that is gone has given it up."""
        try:
            port = self.ports.get(own, DEFAULT_PORT)
            taken = call("POST", f"http://{own}:{port}/{verb}", {"address": address}).status == OK
        except OSError:
            taken = verb == "release"
        key = f"{verb} {own} {address}"
        if taken or key not in self._failing:
            self.log.write(verb if taken else f"{verb} refused", address=address, own=own)
        (self._failing.discard if taken else self._failing.add)(key)
        return taken


def follow(agent: L3Agent, guests: JsonFile, ask: Ask) -> None:
    """Follow Neutron for ever, and look now and then whether guests still serve what they were told to."""
    for turn in itertools.count():
        agent.ports = {guest["own"]: guest["port"] for guest in guests.fetch() or []}
        if turn % LOOK_EVERY == 0:
            agent.look()
        agent.apply(collect_owners(ask(SQL)))
        time.sleep(POLL_SECONDS)


def collect_owners(rows: Rows) -> Associations:
    """Return who may have each address."""
    found: dict[str, set[str]] = {}
    for address, own in rows:
        found.setdefault(str(address), set()).add(str(own))
    return found


def main() -> None:
    """Run the agent until it is killed."""
    parser = argparse.ArgumentParser(description="let servers serve on their floating IPs")
    parser.add_argument("--database", required=True)
    parser.add_argument("--guests", required=True, type=Path)
    parser.add_argument("--log", required=True, type=Path)
    args = parser.parse_args()
    agent = L3Agent(log=ServiceLog(args.log, "l3-agent"))
    agent.log.write("started")
    follow(agent, JsonFile(args.guests), connect(args.database))


if __name__ == "__main__":
    main()
