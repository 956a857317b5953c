"""How a bundle is brought to a node: ``choose_mechanism`` gives what carries a bundle's mechanism out.

To add one: a dataclass in ``model.bundle``, its keys in ``documents.mechanisms``, a module here that fulfils
``protocol.NodeMechanism``, a case in ``choice``, an example for the contract suite: see ADR 0012.
"""

from escalator.system_support.mechanisms.choice import choose_mechanism
from escalator.system_support.mechanisms.going_back import GoingBack, find_brought, turn_around
from escalator.system_support.mechanisms.hooks import HookCommands, RunHook, run_hook
from escalator.system_support.mechanisms.node_job import Effect, JobFailedError, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, NodeMechanism, UnitState
from escalator.system_support.mechanisms.restoring import Restoring, SavedNode, make_restoring

__all__ = [
    "Effect",
    "GoingBack",
    "HookCommands",
    "InstalledVersion",
    "JobFailedError",
    "NodeJob",
    "NodeMechanism",
    "Restoring",
    "RunHook",
    "SavedNode",
    "UnitState",
    "choose_mechanism",
    "find_brought",
    "make_restoring",
    "run_hook",
    "turn_around",
]
