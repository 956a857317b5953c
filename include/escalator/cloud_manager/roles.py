"""What the roles of a user let him see: some lists leave away what is of other projects, without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from openstack.connection import Connection

from escalator.cloud_manager.translation import translate_error
from escalator.model.cloud import NetworkAgent
from escalator.model.unread import CloudPart, Unread

ADMIN = "admin"
SEES_ALL_PORTS = frozenset({ADMIN, "advsvc", "service"})
"""Roles that Neutron shows the ports of all projects to, unless it is configured otherwise."""
_OTHERS = "are shown to administrators only, and this user has no role admin"


def find_roles(connection: Connection) -> frozenset[str] | None:
    """Return the roles of a connection's user, by its token; None when that does not tell."""
    with translate_error("roles of the user"):
        get_access = getattr(connection.session.auth, "get_access", None)
        access = get_access(connection.session) if get_access is not None else None
    return frozenset(access.role_names) or None if access is not None else None


def find_partial(
    roles: Collection[str] | None, *, agents: Collection[NetworkAgent] | None
) -> Iterator[Unread]:
    """Find the lists that may lack what belongs to other projects.

    Nova lists server groups, and Neutron ports, of one's own project for who is no administrator, whatever
    the policies say; agents that a policy hides are left away.

    :param roles: those of the user; None: not known, nothing is found.
    :param agents: those that Neutron listed; None: they were not asked for, or there is no Neutron.
    """
    if roles is None or ADMIN in roles:
        return
    yield Unread(part=CloudPart.SERVER_GROUPS, message=f"those of other projects {_OTHERS}", partly=True)
    if agents is None:
        return
    if SEES_ALL_PORTS.isdisjoint(roles):
        yield Unread(part=CloudPart.PORTS, message=f"those of other projects {_OTHERS}", partly=True)
    if not agents:
        yield Unread(part=CloudPart.AGENTS, message=f"none is listed; they {_OTHERS}", partly=True)
