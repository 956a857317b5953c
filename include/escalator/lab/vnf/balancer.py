"""A TCP balancer before the members of a trio: weights, connections, and members that do not answer.

``python -m escalator.lab.vnf.balancer --listen 127.0.75.9:8080 --control 127.0.75.9:8081 --log FILE
--member web-1=127.0.75.12:8080 …``

``GET /members`` tells weight and open connections; ``PUT /members/NAME {"weight": 0}`` lets a member run dry:
what is open stays open, nothing new comes. Standard library only.
"""

import argparse
import asyncio
import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from escalator.lab.vnf.guest import parse_endpoint
from escalator.lab.vnf.json_server import BAD_REQUEST, NOT_FOUND, Answer, JsonServer, Request
from escalator.lab.vnf.service_log import BOUND, UNBOUND, ServiceLog

CONNECT_SECONDS = 1.0
CHUNK_BYTES = 1 << 16
MAX_WEIGHT = 256
"""Octavia's."""


@dataclass(slots=True, kw_only=True)
class Member:
    """One member. ``credit`` is what smooth weighted round robin remembers of it."""

    name: str
    address: str
    port: int
    weight: int = 1
    connections: int = 0
    served: int = 0
    credit: int = 0


@dataclass(slots=True, kw_only=True)
class Members:
    """The members of a pool, in the order in which the next connection tries them."""

    members: dict[str, Member] = field(default_factory=dict)

    def list_next(self) -> list[Member]:
        """Return those with a weight: the one whose turn it is first, then the others by weight."""
        able = [member for member in self.members.values() if member.weight > 0]
        if not able:
            return []
        for member in able:
            member.credit += member.weight
        first = max(able, key=lambda member: member.credit)
        first.credit -= sum(member.weight for member in able)
        others = sorted((m for m in able if m is not first), key=lambda member: -member.weight)
        return [first, *others]


class Balancer:
    """Hand each connection on to a member."""

    def __init__(self, members: Members, log: ServiceLog) -> None:
        self.members = members
        self._log = log

    async def run(self, address: str, port: int) -> None:
        """Balance until the process is told to end."""
        server = await asyncio.start_server(self.serve, address, port, reuse_address=True)
        self._log.write(BOUND, address=address, port=port)
        ended = asyncio.Event()
        for sig in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sig, ended.set)
        async with server:
            await ended.wait()
        self._log.write(UNBOUND, address=address, port=port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection from its start to its end."""
        with contextlib.suppress(asyncio.CancelledError):  # the end of the process, which needs no words
            await self._hand_on(reader, writer)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            for member in self.members.list_next():
                with contextlib.suppress(OSError, TimeoutError):
                    connect = asyncio.open_connection(member.address, member.port)
                    back = await asyncio.wait_for(connect, CONNECT_SECONDS)
                    await self._carry(member, (reader, writer), back)
                    return
            self._log.write("refused", why="no member answers")

    @staticmethod
    async def _carry(
        member: Member,
        front: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        member.connections += 1
        member.served += 1
        try:
            async with _closing(back[1]):
                forth = asyncio.ensure_future(_copy(front[0], back[1]))
                await _copy(back[0], front[1])
                forth.cancel()
        finally:
            member.connections -= 1

    def answer(self, request: Request) -> Answer:
        """Answer a request on the address of control."""
        parts = [part for part in request.path.partition("?")[0].split("/") if part]
        match request.method, parts:
            case "GET", ["members"]:
                return Answer(body={"members": [_tell(member) for member in self.members.members.values()]})
            case "PUT", ["members", name] if name in self.members.members:
                return self._set_weight(self.members.members[name], request.body)
            case "GET", []:
                return Answer(body={"members": len(self.members.members)})
        return Answer(status=NOT_FOUND, body={"error": f"nothing at {request.method} {request.path}"})

    def set_weight(self, name: str, weight: int) -> None:
        """Change the weight of a member: with 0 it gets nothing new, and keeps what is open."""
        member = self.members.members[name]
        if weight != member.weight:
            self._log.write("weight", member=name, was=member.weight, weight=weight)
            member.weight, member.credit = weight, 0

    def _set_weight(self, member: Member, body: Any) -> Answer:  # noqa: ANN401
        weight = body.get("weight") if isinstance(body, dict) else None
        if not isinstance(weight, int) or not 0 <= weight <= MAX_WEIGHT:
            return Answer(status=BAD_REQUEST, body={"error": f"weight is a number from 0 to {MAX_WEIGHT}"})
        self.set_weight(member.name, weight)
        return Answer(body=_tell(member))


def _tell(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "address": member.address,
        "port": member.port,
        "weight": member.weight,
        "connections": member.connections,
        "served": member.served,
    }


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction, its end included: the other side still may answer."""
    with contextlib.suppress(OSError):
        while content := await reader.read(CHUNK_BYTES):
            writer.write(content)
            await writer.drain()
        writer.write_eof()


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> Any:  # noqa: ANN401
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def add_words(parser: argparse.ArgumentParser) -> None:
    """Add what a balancer is told."""
    parser.add_argument("--listen", required=True, type=parse_endpoint)
    parser.add_argument("--control", required=True, type=parse_endpoint)
    parser.add_argument("--member", action="append", required=True, type=parse_member)
    parser.add_argument("--log", required=True, type=Path)


def parse_member(text: str) -> Member:
    """Return the member of ``name=address:port``."""
    name, _, where = text.partition("=")
    address, port = parse_endpoint(where)
    return Member(name=name, address=address, port=port)


def make_balancer(args: argparse.Namespace) -> Balancer:
    """Return the balancer that the words describe."""
    members = Members(members={member.name: member for member in args.member})
    return Balancer(members, ServiceLog(args.log, "balancer"))


def run_balancer(balancer: Balancer, args: argparse.Namespace) -> None:
    """Balance until the process is told to end."""
    address, port = args.control
    JsonServer(address, port, balancer.answer).start()
    asyncio.run(balancer.run(*args.listen))


def main() -> None:
    """Run one balancer until it is told to end."""
    parser = argparse.ArgumentParser(description="a TCP balancer with weights")
    add_words(parser)
    args = parser.parse_args()
    run_balancer(make_balancer(args), args)


if __name__ == "__main__":
    main()
