"""An ML2 mechanism driver for a lab without L2 agents: every port can be bound on every host, at once."""

# mypy: disable-error-code="import-not-found"
# ruff: noqa: INP001  (a module of its own distribution)

from ipaddress import IPv4Address
from typing import Any

from neutron.db.models_v2 import Port
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api

_VIF_DETAILS = {
    portbindings.CAP_PORT_FILTER: False,
    portbindings.OVS_HYBRID_PLUG: False,
    portbindings.OVS_DATAPATH_TYPE: "netdev",  # in user space: the kernel here has no module of Open vSwitch
}
_DRAWN = "fa:16:3e:"
"""What MAC addresses begin with that Neutron has drawn."""


class LabMechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """Bind ports as Open vSwitch ports that are active from the start."""

    def initialize(self) -> None:
        """Do nothing: there is nothing to connect to."""

    @property
    def connectivity(self) -> str:
        """Return the connectivity that the driver provides."""
        return str(portbindings.CONNECTIVITY_L2)

    def create_port_precommit(self, context: Any) -> None:  # noqa: ANN401
        """Make the MAC address tell the first IPv4 address: a guest finds its own without DHCP."""
        port = context.current
        given = (fixed["ip_address"] for fixed in port["fixed_ips"])
        address = next((text for text in given if ":" not in text), None)
        if address is None or not port["mac_address"].startswith(_DRAWN):
            return
        port["mac_address"] = "02:00:" + IPv4Address(address).packed.hex(":")
        session = context._plugin_context.session  # noqa: SLF001  (as the drivers of Neutron's own tree do)
        session.query(Port).filter_by(id=port["id"]).update({"mac_address": port["mac_address"]})

    def bind_port(self, context: Any) -> None:  # noqa: ANN401
        """Bind the port to the first segment that is offered."""
        for segment in context.segments_to_bind[:1]:
            context.set_binding(
                segment[api.ID],
                portbindings.VIF_TYPE_OVS,
                dict(_VIF_DETAILS),
                status=constants.PORT_STATUS_ACTIVE,
            )

    def update_port_postcommit(self, context: Any) -> None:  # noqa: ANN401
        """Say that a port is active again after a live migration, as the agent of its new host would."""
        if (
            context.vif_type == portbindings.VIF_TYPE_OVS
            and context.current["status"] == constants.PORT_STATUS_DOWN
        ):
            plugin = directory.get_plugin()
            plugin.update_port_status(
                context._plugin_context,  # noqa: SLF001  (as above)
                context.current["id"],
                constants.PORT_STATUS_ACTIVE,
                host=context.host,
            )
