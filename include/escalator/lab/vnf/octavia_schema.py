"""Make the tables of Octavia, with the interpreter of the control plane: ``octavia_schema.py DATABASE``.

Octavia's migrations run on MySQL only, so the tables come from its models, and the words that its migrations
write into some of them from its constants, as in its own functional tests.
"""

# mypy: disable-error-code="import-not-found"

import sys

from octavia.common import constants
from octavia.db import base_models, models
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

WORDS = {
    models.ProvisioningStatus: constants.SUPPORTED_PROVISIONING_STATUSES,
    models.OperatingStatus: constants.SUPPORTED_OPERATING_STATUSES,
    models.HealthMonitorType: constants.SUPPORTED_HEALTH_MONITOR_TYPES,
    models.Algorithm: constants.SUPPORTED_LB_ALGORITHMS,
    models.Protocol: constants.SUPPORTED_PROTOCOLS,
    models.SessionPersistenceType: constants.SUPPORTED_SP_TYPES,
    models.AmphoraRoles: constants.SUPPORTED_AMPHORA_ROLES,
    models.LBTopology: constants.SUPPORTED_LB_TOPOLOGIES,
    models.VRRPAuthMethod: constants.SUPPORTED_VRRP_AUTH,
    models.L7RuleType: constants.SUPPORTED_L7RULE_TYPES,
    models.L7RuleCompareType: constants.SUPPORTED_L7RULE_COMPARE_TYPES,
    models.L7PolicyAction: constants.SUPPORTED_L7POLICY_ACTIONS,
    models.ClientAuthenticationMode: constants.SUPPORTED_CLIENT_AUTH_MODES,
}


def main() -> None:
    """Make the tables of an empty database."""
    engine = create_engine(sys.argv[1])
    base_models.BASE.metadata.create_all(engine)
    with Session(engine) as session:
        for model, words in WORDS.items():
            session.add_all(model(name=word) for word in words)
        session.commit()


if __name__ == "__main__":
    main()
