"""Whether canaries could start: flavor, image, network and quota, looked at before a node goes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.canary_choice import (
    choose_flavor,
    choose_image,
    fetch_flavors,
    fetch_images,
    fetch_port_room,
    find_lacks,
    find_network,
    find_other_architectures,
    read_architecture,
    read_wanted_traits,
)
from escalator.cloud_manager.quotas import Quotas
from escalator.model.canary import NO_NETWORK, CanaryFault, CanaryWish
from escalator.model.cloud import Node
from escalator.model.errors import EscalatorError, ForbiddenError, InvalidRequestError, TransientError
from escalator.model.quota import UNLIMITED
from escalator.model.wording import name_some

_QUOTA_REMEDY = "raise the quota of the project of the connection, or take something away from it"


class CanaryChecks:
    """Looks at what canaries would need; writes nothing."""

    def __init__(self, compute: ServiceApi, image: ServiceApi, network: ServiceApi, quotas: Quotas) -> None:
        self._compute = compute
        self._image = image
        self._network = network
        self._quotas = quotas

    def fetch_faults(
        self, nodes: Sequence[Node], wish: CanaryWish, *, at_once: int
    ) -> tuple[CanaryFault, ...]:
        """Find what would keep the canaries of some nodes from starting, in four to eight calls.

        :param at_once: canaries that there may be at one moment.
        :raises TransientError: a service does not answer.
        """
        found: list[CanaryFault] = []
        try:
            found.extend(self._find(nodes, wish, at_once))
        except TransientError:
            raise
        except EscalatorError as exc:
            found.append(CanaryFault(message=exc.message, remedy=exc.remedy or "see the message", sure=False))
        return tuple(found)

    def _find(self, nodes: Sequence[Node], wish: CanaryWish, at_once: int) -> Iterator[CanaryFault]:
        flavors, images = fetch_flavors(self._compute), fetch_images(self._image, wish.image)
        project_id = self._quotas.find_own_project()
        chosen: dict[str, Record] = {}
        kinds: dict[object, list[Node]] = {}
        for node in nodes:
            if node.inventory:
                kinds.setdefault(frozenset(node.inventory.items()), []).append(node)
        for alike in kinds.values():
            try:
                flavor = choose_flavor(flavors, wish.flavor, alike[0].inventory)
                image = choose_image(images, wish.image, flavor, project_id)
            except InvalidRequestError as exc:
                message = exc.message if wish.flavor else f"{_name(alike)}: {exc.message}"
                yield CanaryFault(message=message, remedy=exc.remedy or "see the message")
                continue
            chosen[str(flavor["id"])] = flavor
            yield from _find_unfit(flavor, alike)
            others = find_other_architectures(images, image, flavor, project_id)
            if others and wish.image is None:
                yield _doubt_architecture(image, others, alike)
        yield from self._find_network_faults(wish, project_id, at_once)
        if chosen and project_id is not None:
            yield from self._find_quota_faults(list(chosen.values()), project_id, at_once)

    def _find_network_faults(
        self, wish: CanaryWish, project_id: str | None, at_once: int
    ) -> Iterator[CanaryFault]:
        try:
            network = find_network(self._network, wish.network)
        except ForbiddenError:
            raise  # nobody looked
        except InvalidRequestError as exc:
            yield CanaryFault(message=exc.message, remedy=exc.remedy or "see the message")
            return
        if network == NO_NETWORK or project_id is None:
            return
        room = fetch_port_room(self._network, project_id)
        if room is not None and room < at_once:
            yield CanaryFault(
                message=f"canaries need {at_once} port(s) at once, and the quota has room for {room}",
                remedy=_QUOTA_REMEDY,
            )

    def _find_quota_faults(
        self, flavors: Sequence[Record], project_id: str, at_once: int
    ) -> Iterator[CanaryFault]:
        quota = self._quotas.fetch(project_id)
        largest = {
            "instances": 1,
            "cores": max(int(flavor["vcpus"]) for flavor in flavors),
            "ram": max(int(flavor["ram"]) for flavor in flavors),
        }
        for name, amount in largest.items():
            limit, used = quota.limits[name], quota.used[name]
            if limit != UNLIMITED and used + at_once * amount > limit:
                yield CanaryFault(
                    message=f"canaries need {at_once * amount} {name} at once, and of the quota of {limit} "
                    f"{used} are used",
                    remedy=_QUOTA_REMEDY,
                )


def _doubt_architecture(image: Record, others: Iterable[str], nodes: Sequence[Node]) -> CanaryFault:
    return CanaryFault(
        message=f"the image chosen for canaries, {image['name']}, is for {read_architecture(image)}, and "
        f"there are others for {', '.join(sorted(others))}: whether it boots on {_name(nodes)} is not known",
        remedy="name the image: canary_image in the connection, or canary in the bundle",
        sure=False,
    )


def _find_unfit(flavor: Record, alike: Sequence[Node]) -> Iterator[CanaryFault]:
    """Find that the flavor does not land on nodes of a kind, or not on some for their traits."""
    lacks = ", ".join(find_lacks(flavor, alike[0].inventory))
    if lacks:
        yield CanaryFault(
            message=f"flavor {flavor['name']} of canaries wants {lacks}, which does not fit on "
            f"{_name(alike)}",
            remedy="name a smaller flavor for canaries, or one for such nodes in a bundle of their own",
        )
    wanted = read_wanted_traits(flavor)
    without = [node for node in alike if not wanted <= node.traits]
    if without:
        yield CanaryFault(
            message=f"flavor {flavor['name']} of canaries requires {', '.join(sorted(wanted))}, which "
            f"{_name(without)} has not",
            remedy="name another flavor for canaries",
        )


def _name(nodes: Iterable[Node]) -> str:
    return name_some([node.host for node in nodes])
