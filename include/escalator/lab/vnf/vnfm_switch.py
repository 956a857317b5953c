"""How a manager takes the load off a member: its pair switches, its address moves, its pool drains."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from escalator.lab.vnf.json_server import OK, call
from escalator.lab.vnf.vnfm_cloud import VnfmCloud

SWITCH_SECONDS = 30.0
"""How long a member may take until its peer serves: a real guest is emulated, beside all else that runs."""


class NotSwitchedError(OSError):
    """The load could not be taken off a member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfMember:
    """One server of the VNF.

    :param url: of its guest, on its own address.
    :param port_id: of its port in Neutron.
    """

    id: str
    name: str
    url: str
    port_id: str = ""


class Load(Protocol):
    """The load of a VNF."""

    def take_off(self, leaving: Collection[str]) -> dict[str, Any]:
        """Take the load off these members and return what was done.

        :raises OSError: when that is not possible.
        """

    def restore(self, staying: Collection[str]) -> None:
        """Give members their load back, where that is how the VNF works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLoad:
    """A pair whose active member hands over when it is told to."""

    members: Mapping[str, VnfMember]

    def take_off(self, leaving: Collection[str]) -> dict[str, Any]:
        """Let the active member hand over, if it is one of these."""
        for member in (self.members[key] for key in leaving if key in self.members):
            if call("GET", f"{member.url}/role").body["role"] == "active":
                order = {"from": member.id}
                answer = call("POST", f"{member.url}/switch", order, timeout_seconds=SWITCH_SECONDS)
                if answer.status != OK:
                    raise NotSwitchedError(f"{member.name}: {answer.body}")
                return {"from": member.name, **answer.body}
        return {"switched": False}

    def restore(self, staying: Collection[str]) -> None:
        """Leave the roles where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIpLoad:
    """A pair whose floating IP the manager moves itself, through Neutron, as OPNFV Doctor's sample does."""

    members: Mapping[str, VnfMember]
    floating_ip: str
    cloud: VnfmCloud

    def take_off(self, leaving: Collection[str]) -> dict[str, Any]:
        """Associate the floating IP with the port of another member, if one of these has it."""
        neutron = self.cloud.find_endpoint("network")
        url = f"{neutron}/v2.0/floatingips/{self.floating_ip}"
        at = self.cloud.send("GET", url).body["floatingip"]["port_id"]
        if at not in {self.members[key].port_id for key in leaving if key in self.members}:
            return {"switched": False}
        others = [member for key, member in self.members.items() if key not in leaving]
        if not others:
            raise NotSwitchedError("every member is leaving")
        answer = self.cloud.send("PUT", url, {"floatingip": {"port_id": others[0].port_id}})
        if answer.status != OK:
            raise NotSwitchedError(f"Neutron answered {answer.status}: {answer.body}")
        return {"switched": True, "to": others[0].name}

    def restore(self, staying: Collection[str]) -> None:
        """Leave the address where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLoad:
    """Members behind a balancer whose weights the manager sets.

    :param control: address of the balancer's control.
    """

    members: Mapping[str, VnfMember]
    control: str
    taken: dict[str, int] = field(default_factory=dict)

    def take_off(self, leaving: Collection[str]) -> dict[str, Any]:
        """Give the others their weights back, then let these run dry."""
        self.restore(self.members.keys() - set(leaving))
        weights = {m["name"]: m["weight"] for m in call("GET", f"{self.control}/members").body["members"]}
        changed = []
        for key in leaving:
            name = self.members[key].name if key in self.members else ""
            if weights.get(name, 0) > 0:
                self._set(name, 0)
                self.taken[key] = weights[name]
                changed.append(name)
        return {"switched": bool(changed), "drained": changed}

    def restore(self, staying: Collection[str]) -> None:
        """Give members the weight back that they had."""
        for key in [key for key in self.taken if key in staying]:
            self._set(self.members[key].name, self.taken[key])
            del self.taken[key]

    def _set(self, name: str, weight: int) -> None:
        answer = call("PUT", f"{self.control}/members/{name}", {"weight": weight})
        if answer.status != OK:
            raise NotSwitchedError(f"{name}: {answer.body}")
