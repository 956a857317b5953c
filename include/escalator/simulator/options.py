"""What a simulated campaign is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.campaign import UpgradeMode
from escalator.model.durations import Durations, Quantiles
from escalator.model.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """How many nodes at once, how long things take, how much may be moved twice.

    :ivar spill: share of a domain's servers that may move twice to have more nodes out at once.
    :ivar concurrent_migrations: moves at the same time from one node.
    :ivar mode: smooth leaves nodes alone whose servers would have to be stopped; non-smooth stops them.
    :ivar seed: of the order's annealing.
    :ivar members_stay: members of HA groups stay on their node, their service being switched away.
    :ivar move_standbys: standbys may move to upgraded nodes before a switchover, which takes room there.
    :ivar soak_seconds: so long no node goes out after one was given back.
    :ivar mends: hosts that are out of service and the campaign's to mend.
    :ivar in_turn: hosts in the order that is wanted, whatever it costs; empty: the cheapest is found.
    :ivar hard_first: nodes whose servers ask for traits or for most memory go first, whatever it costs.
    """

    max_parallel: int = 1
    spill: float = 0.02
    concurrent_migrations: int = 1
    upgrade_seconds: float = 900.0
    migration_fixed_seconds: float = 8.0
    migration_seconds_per_gib: float = 1.07
    seed: int = 0
    mode: UpgradeMode = UpgradeMode.NON_SMOOTH
    members_stay: bool = True
    move_standbys: bool = True
    hard_first: bool = False
    soak_seconds: float = 0.0
    in_turn: tuple[str, ...] = ()
    mends: frozenset[str] = frozenset()

    @property
    def durations(self) -> Durations:
        """Return what the decisions are to expect: exactly what will be played."""
        upgrade = Quantiles(p50=self.upgrade_seconds, p90=self.upgrade_seconds)
        return Durations(
            steps={Step.UPGRADE: upgrade},
            move_fixed_seconds=self.migration_fixed_seconds,
            move_seconds_per_gib=self.migration_seconds_per_gib,
            moves_at_once=self.concurrent_migrations,
        )


def make_options(
    durations: Durations, *, max_parallel: int, members_stay: bool, mode: UpgradeMode
) -> SimulationOptions:
    """Return how a campaign with these expectations is played."""
    steps = sum(durations.of(step).p50 for step in Step)
    return SimulationOptions(
        max_parallel=max_parallel,
        spill=1.0,
        concurrent_migrations=durations.moves_at_once,
        upgrade_seconds=steps,
        migration_fixed_seconds=durations.move_fixed_seconds,
        migration_seconds_per_gib=durations.move_seconds_per_gib,
        members_stay=members_stay,
        mode=mode,
    )
