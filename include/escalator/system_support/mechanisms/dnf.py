"""The bundle mechanism ``dnf``: RPM packages in exact versions, and nothing else that nobody named."""

from __future__ import annotations

from escalator.model.bundle import DnfMechanism, Impact
from escalator.system_support import remote_job
from escalator.system_support.mechanisms import dnf_scripts
from escalator.system_support.mechanisms.apt_outlook import DNF
from escalator.system_support.mechanisms.packages import PackagesOnNode


class DnfOnNode(PackagesOnNode[DnfMechanism]):
    """Downloads packages into dnf's cache, and installs them from there.

    :param impact: what the bundle says that it touches: what dnf would touch is held against it.
    :param base: folder of the remote jobs on the nodes.
    :param state: folder of the records of what was begun.
    """

    def __init__(
        self,
        mechanism: DnfMechanism,
        impact: Impact = Impact.CONTROL,
        *,
        base: str = remote_job.DEFAULT_BASE,
        state: str = dnf_scripts.STATE,
    ) -> None:
        super().__init__(mechanism, impact, dnf_scripts, DNF, base=base, state=state)
