"""The bundle mechanism ``apt``: Debian packages in exact versions, and nothing else that nobody named."""

from __future__ import annotations

from escalator.model.bundle import AptMechanism, Impact
from escalator.system_support import remote_job
from escalator.system_support.mechanisms import apt_scripts
from escalator.system_support.mechanisms.apt_outlook import APT
from escalator.system_support.mechanisms.packages import PackagesOnNode


class AptOnNode(PackagesOnNode[AptMechanism]):
    """Downloads packages into apt's cache, and installs them from there.

    :param impact: what the bundle says that it touches: what apt would touch is held against it.
    :param base: folder of the remote jobs on the nodes.
    :param state: folder of the records of what was begun.
    """

    def __init__(
        self,
        mechanism: AptMechanism,
        impact: Impact = Impact.CONTROL,
        *,
        base: str = remote_job.DEFAULT_BASE,
        state: str = apt_scripts.STATE,
    ) -> None:
        super().__init__(mechanism, impact, apt_scripts, APT, base=base, state=state)
