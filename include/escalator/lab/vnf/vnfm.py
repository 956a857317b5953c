"""A manager of a VNF (VNFM): takes Escalator's messages, takes the load off, answers; well or badly.

``python -m escalator.lab.vnf.vnfm --config FILE --dialect a|b|webhook --behaviour good``

It is written from the contract of Vi-Vnfm alone, reads alarms as strictly as OPNFV Doctor's sample and Tacker
do together, and behaves as the sample: it answers inside the handler of the message, crashes (500) on what it
does not know, finds Escalator in the catalogue as the public endpoint of the type ``maintenance``, puts its
constraints there at its start, and deletes them at its end.
"""

import argparse
import json
import os
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from escalator.lab.vnf.guest import catch_end, parse_endpoint
from escalator.lab.vnf.json_server import BAD_REQUEST, NOT_FOUND, OK, Answer, JsonServer, Request
from escalator.lab.vnf.service_log import ServiceLog
from escalator.lab.vnf.vnfm_cloud import Account, VnfmCloud
from escalator.lab.vnf.vnfm_constraints import Constraints
from escalator.lab.vnf.vnfm_messages import EVENTS, Message, UnreadableError, read_message
from escalator.lab.vnf.vnfm_switch import FloatingIpLoad, Load, PairLoad, PoolLoad, VnfMember

ABOUT_INSTANCES = ("PREPARE_MAINTENANCE", "PLANNED_MAINTENANCE")
ABOUT_SESSIONS = ("MAINTENANCE", "SCALE_IN", "MAINTENANCE_COMPLETE")
WITHOUT_REPLY = ("INSTANCE_ACTION_DONE", "SCALE_LOCK", "SCALE_UNLOCK")
REPLY_TRIES, REPLY_AGAIN_SECONDS = 5, 5.0
"""As Tacker has it."""
UNAUTHORIZED, SERVER_ERROR = 401, 500
EXIT_OF_THE_DEAD = 9


class Behaviour(StrEnum):
    """How a manager meets a message of the states that it is told to be bad in.

    silent: takes it and never answers. nack: refuses. nack-once: refuses the first time. late: acts and
    answers after the deadline. liar: agrees and does nothing. dies: its process ends before it acts. slow:
    takes its time.
    """

    GOOD = "good"
    SILENT = "silent"
    NACK = "nack"
    NACK_ONCE = "nack-once"
    LATE = "late"
    LIAR = "liar"
    DIES = "dies"
    SLOW = "slow"


@dataclass(slots=True, kw_only=True)
class Manner:
    """How a manager behaves.

    :param on: the states of messages in which it behaves so; in others it is good.
    :param seconds: of ``slow``: how long it takes; of ``late``: how long after the deadline it answers.
    :param action: what it wants done with its instances.
    """

    behaviour: Behaviour = Behaviour.GOOD
    on: tuple[str, ...] = ABOUT_INSTANCES
    seconds: float = 3.0
    action: str = "OWN_ACTION"
    _refused: set[str] = field(default_factory=set)

    def decide(self, message: Message) -> Behaviour:
        """Return how this message is met."""
        if message.state not in self.on:
            return Behaviour.GOOD
        if self.behaviour is Behaviour.NACK_ONCE:
            first = message.session_id not in self._refused
            self._refused.add(message.session_id)
            return Behaviour.NACK if first else Behaviour.GOOD
        return self.behaviour


class Vnfm:
    """One manager.

    :param dialect: ``a``, ``b`` or ``webhook``.
    :param authorization: what the header of that name must be; None: anybody may send.
    """

    def __init__(
        self,
        *,
        dialect: str,
        manner: Manner,
        cloud: VnfmCloud,
        load: Load,
        log: ServiceLog,
        authorization: str | None = None,
    ) -> None:
        self.dialect, self.manner, self.cloud, self.load = dialect, manner, cloud, load
        self._log, self._authorization = log, authorization

    def answer(self, request: Request) -> Answer:
        """Answer a request: a message of Escalator's, or a question of how it goes."""
        match request.method, request.path.partition("?")[0].rstrip("/"):
            case "GET", "" | "/health":
                return Answer(body={"behaviour": self.manner.behaviour, "dialect": self.dialect})
            case "POST", "/behaviour":
                return self._change(request.body)
            case "POST", _:
                return self._receive(request)
        return Answer(status=NOT_FOUND, body={"error": "POST a message"})

    def _change(self, body: Any) -> Answer:  # noqa: ANN401
        try:
            self.manner = Manner(
                **{
                    **body,
                    "behaviour": Behaviour(body["behaviour"]),
                    "on": tuple(body.get("on", ABOUT_INSTANCES)),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            return Answer(status=BAD_REQUEST, body={"error": str(error)})
        self._log.write("behaviour", behaviour=self.manner.behaviour)
        return Answer(body={"behaviour": self.manner.behaviour})

    def _receive(self, request: Request) -> Answer:
        if self._authorization is not None and request.headers.get("authorization") != self._authorization:
            self._log.write("unauthorized")
            return Answer(status=UNAUTHORIZED, body={"error": "not from Escalator"})
        try:
            message = read_message(request.body, dialect=self.dialect)
            self._log.write("received", state=message.state, session=message.session_id, body=request.body)
            self._act(message)
        except (UnreadableError, OSError, LookupError, TypeError) as error:
            self._log.write("crashed", error=repr(error), body=request.body)
            return Answer(status=SERVER_ERROR, body={"error": repr(error)})
        return Answer()

    def _act(self, message: Message) -> None:
        if message.event == EVENTS[1] or message.state in WITHOUT_REPLY:
            return
        if message.state not in (*ABOUT_INSTANCES, *ABOUT_SESSIONS):
            raise UnreadableError(f"unknown state {message.state}")
        behaviour = self.manner.decide(message)
        match behaviour:
            case Behaviour.SILENT:
                self._log.write("silent", state=message.state)
                return
            case Behaviour.DIES:
                self._log.write("dies", state=message.state)
                os._exit(EXIT_OF_THE_DEAD)
            case Behaviour.NACK:
                self._reply(message, {"state": f"NACK_{message.state}"})
                return
            case Behaviour.LATE:
                time.sleep(max(0.0, _seconds_until(message.reply_at)) + self.manner.seconds)
            case Behaviour.SLOW:
                time.sleep(self.manner.seconds)
        self._agree(message, is_true=behaviour is not Behaviour.LIAR)

    def _agree(self, message: Message, *, is_true: bool) -> None:
        """Do what the message asks for, then say so; a liar says so only."""
        ids = self._instances(message)
        reply: dict[str, Any] = {"state": f"ACK_{message.state}"}
        if message.state in ABOUT_INSTANCES:
            if is_true:
                self._log.write("switched", instance_ids=ids, **self.load.take_off(ids))
            reply |= self._actions(ids)
        elif message.state == "MAINTENANCE_COMPLETE":
            self.load.restore(self._known_instances())
        if message.state in ABOUT_SESSIONS:
            reply["instance_ids"] = ids
        self._reply(message, reply)

    def _known_instances(self) -> list[str]:
        return list(getattr(self.load, "members", {}))

    def _instances(self, message: Message) -> list[str]:
        """Return the ids: a URL is asked with our token, and must answer 200."""
        if not isinstance(message.instance_ids, str):
            return list(message.instance_ids)
        answer = self.cloud.send("GET", message.instance_ids)
        self._log.write("asked", url=message.instance_ids, status=answer.status, answer=answer.body)
        if answer.status != OK:
            raise UnreadableError(f"{message.instance_ids} answered {answer.status}")
        return list(answer.body["instance_ids"])

    def _actions(self, ids: list[str]) -> dict[str, Any]:
        if self.dialect == "b":
            return {"instance_action": self.manner.action}
        return {"instance_actions": dict.fromkeys(ids, self.manner.action)}

    def _reply(self, message: Message, reply: dict[str, Any]) -> None:
        """Send a reply until it is taken (200 only, as Tacker has it), five times at most."""
        body = {"session_id": message.session_id, **reply}
        for attempt in range(1, REPLY_TRIES + 1):
            begun = time.monotonic()
            try:
                answer = self.cloud.send("PUT", message.reply_url, body)
            except OSError as error:
                answer = Answer(status=0, body=repr(error))
            about = {"status": answer.status, "answer": answer.body, "attempt": attempt}
            seconds = round(time.monotonic() - begun, 6)
            self._log.write("replied", url=message.reply_url, body=body, seconds=seconds, **about)
            if answer.status == OK:
                return
            if attempt < REPLY_TRIES:
                time.sleep(REPLY_AGAIN_SECONDS)


def _seconds_until(moment: str) -> float:
    """Return the seconds until a time in ISO form; one without a zone is in UTC."""
    if not moment:
        return 0.0
    then = datetime.fromisoformat(moment)
    return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


def make_load(config: dict[str, Any], cloud: VnfmCloud) -> Load:
    """Return the load that a configuration describes: a balancer's, a floating IP's, or a pair's own."""
    members = {each["id"]: VnfMember(**each) for each in config["members"]}
    if config.get("balancer"):
        return PoolLoad(members=members, control=config["balancer"])
    if config.get("floating_ip"):
        return FloatingIpLoad(members=members, floating_ip=config["floating_ip"], cloud=cloud)
    return PairLoad(members=members)


def main() -> None:
    """Run one manager until it is told to end."""
    parser = argparse.ArgumentParser(description="a manager of a VNF, well-behaved or not")
    parser.add_argument(
        "--config", required=True, type=Path, help="JSON: listen, account, members, constraints"
    )
    parser.add_argument("--dialect", choices=("a", "b", "webhook"), default="a")
    parser.add_argument("--behaviour", type=Behaviour, choices=list(Behaviour), default=Behaviour.GOOD)
    parser.add_argument("--on", nargs="*", default=ABOUT_INSTANCES, help="states of messages to behave so in")
    parser.add_argument("--seconds", type=float, default=3.0, help="of slow and late")
    parser.add_argument("--action", default="OWN_ACTION", help="what is to be done with its instances")
    args = parser.parse_args()
    config = json.loads(args.config.read_text())
    log = ServiceLog(Path(config["log"]), config["name"])
    cloud = VnfmCloud(account=Account(**config["account"]))
    manner = Manner(behaviour=args.behaviour, on=tuple(args.on), seconds=args.seconds, action=args.action)
    load = make_load(config, cloud)
    manager = Vnfm(
        dialect=args.dialect,
        manner=manner,
        cloud=cloud,
        load=load,
        log=log,
        authorization=config.get("authorization"),
    )
    ended = catch_end()
    JsonServer(*parse_endpoint(config["listen"]), manager.answer).start()
    log.write("started", behaviour=args.behaviour, dialect=args.dialect)
    constraints = Constraints(
        cloud=cloud, groups=config.get("groups", []), instances=config.get("instances", []), log=log
    )
    threading.Thread(target=constraints.push, daemon=True).start()
    ended.wait()
    constraints.delete()
    log.write("ended")


if __name__ == "__main__":
    main()
