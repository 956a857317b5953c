"""Every variable of the environment that Escalator reads: who reads it, what it is without, who shares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COMPONENTS = "every component of Airflow, `escalator`"
SERVERS = "worker, triggerer"
COMMAND = "`escalator`"
SAME_EVERYWHERE = "the same for all of them"
THEIR_OWN = "each its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable.

    :ivar default: in words, what counts without it.
    :ivar readers: in words, whose environment it belongs into.
    :ivar shared: in words, whether they must have the same.
    """

    name: str
    meaning: str
    default: str
    readers: str = COMPONENTS
    shared: str = SAME_EVERYWHERE


VARIABLES: Final = (
    Variable(
        name="ESCALATOR_LEDGER_URL",
        meaning="the ledger, as an SQLAlchemy URL",
        default="`ledger.db` in `ESCALATOR_HOME`; refused where the components are several",
    ),
    Variable(
        name="ESCALATOR_INVENTORY_DIR",
        meaning="folder of inventories and their "
        "[settings](operations/before.md#what-a-cloud-does-not-tell-of-itself), `windows.yaml`, `vnfms.yaml`",
        default="`inventory` in `ESCALATOR_HOME`; refused where the components are several",
    ),
    Variable(
        name="ESCALATOR_HOME",
        meaning="folder for what is not set apart; set, it stands in for the two above",
        default="`~/.escalator` of each user",
    ),
    Variable(
        name="ESCALATOR_BUNDLE_DIR",
        meaning="folder of the bundles, the only one",
        default="`bundles` of the package, or `include/bundles` of a checkout",
    ),
    Variable(
        name="ESCALATOR_VNF_DIR",
        meaning="folder of the VNF files",
        default="`vnfs` of the package, or `include/vnfs` of a checkout",
    ),
    Variable(
        name="ESCALATOR_PLAYBOOK_DIR",
        meaning="folder of the playbooks of bundles, and of their inventories",
        default="`playbooks` of the package, or `include/playbooks` of a checkout",
        readers="worker",
        shared="the same for all workers",
    ),
    Variable(
        name="ESCALATOR_REPORT_DIR",
        meaning="folder that reports and checks are written to",
        default="`reports` in `ESCALATOR_HOME`",
        readers="worker",
        shared="the same for all workers, to find them in one place",
    ),
    Variable(
        name="ESCALATOR_BACKUP_URL",
        meaning="store of [backups](operations/backups.md#backups): an absolute path, or a URL of fsspec",
        default="none: no backups are taken",
        readers="worker, `escalator`",
        shared="the same for all workers, and reached by all of them",
    ),
    Variable(
        name="ESCALATOR_BACKUP_PATHS",
        meaning="files and folders of a node that are saved, as `/etc/nova:/etc/neutron`",
        default="the list in [operations](operations/backups.md#backups)",
        readers="worker",
        shared="the same for all workers",
    ),
    Variable(
        name="ESCALATOR_TOKEN_DIR",
        meaning="folder in memory for OpenStack tokens and servers of large clouds; empty: none are kept",
        default="`/dev/shm/escalator-<uid>`",
        readers="worker, triggerer, API server",
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_GUEST_EVENTS",
        meaning="event logs of hypervisors, paths with wildcards, for interruptions of guests in reports",
        default='none: "not measured"',
        readers="worker",
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_EVENTS_FILE",
        meaning="file that [events](monitoring/README.md#events) are appended to, one JSON line each",
        default="none: events are in the logs of the tasks only",
        readers="worker, triggerer, API server",
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_VIM_URL",
        meaning="address of the VIM interface as managers of VNFs reach it, up to `/vim`",
        default="`[api] base_url` of Airflow and `/vim`",
        readers=SERVERS,
    ),
    Variable(
        name="ESCALATOR_VIM_TRANSPORT",
        meaning="message bus for notifications: its address, or the id of an Airflow connection",
        default="none",
        readers=SERVERS,
    ),
    Variable(
        name="ESCALATOR_VIM_BUNDLE",
        meaning="bundle of sessions that name none",
        default="the only one there is; of several none: such a session is refused, and says which there are",
        readers="API server",
    ),
    Variable(
        name="ESCALATOR_VIM_MAX_SESSIONS",
        meaning="sessions of a cloud that may be open",
        default="20",
        readers="API server",
    ),
    Variable(
        name="ESCALATOR_PROBE_HZ",
        meaning="how often a second a service is probed, 1 to 50",
        default="10",
        readers="triggerer",
    ),
    Variable(
        name="ESCALATOR_LIVE_MIGRATABLE_PCI",
        meaning="PCI aliases that nova.conf marks `live_migratable`, as `a,b`",
        default="none: such servers do not move live",
    ),
    Variable(
        name="ESCALATOR_SHARED",
        meaning="why the components are several; the plugin sets it for what it starts",
        default="found in Airflow's executor and database",
        readers=COMPONENTS,
        shared="not for you to set",
    ),
    Variable(
        name="ESCALATOR_AIRFLOW_URL",
        meaning="address of Airflow's API server, for `run`, `status`, the orders and `leases`",
        default="none: `--airflow-url`",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_AIRFLOW_USER",
        meaning="user there",
        default="`admin`",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_AIRFLOW_PASSWORD_FILE",
        meaning="file with the password",
        default="none: `--airflow-password-file`",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_AIRFLOW_PASSWORD",
        meaning="the password itself",
        default="none",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_STACK_HOME",
        meaning="folder of `escalator airflow`",
        default="`escalator-airflow` in the user's cache",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_STACK_INSTANCE",
        meaning="number of the stack of `escalator airflow`, 0 to 9",
        default="0",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_LAB_HOME",
        meaning="folder of `escalator lab`",
        default="`escalator-lab` in the user's cache",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_LAB_INSTANCE",
        meaning="number of the lab, 0 to 9",
        default="0",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_LAB_SSH_PORT",
        meaning="port of SSH on the lab's nodes",
        default="22",
        readers=COMMAND,
        shared=THEIR_OWN,
    ),
    Variable(
        name="ESCALATOR_LAB_HYPERVISORS",
        meaning="folder of the lab's hypervisors; the lab sets it for its nova-compute",
        default="none",
        readers="the lab's nova-compute",
        shared="not for you to set",
    ),
)
"""docs/reference/settings.md is made from it: `make reference`."""


GIVEN_TO_COMMANDS = frozenset(
    {
        "ESCALATOR_ARTEFACTS",
        "ESCALATOR_HOOK",
        "ESCALATOR_HOST",
        "ESCALATOR_PREVIOUS",
        "ESCALATOR_SERVICE",
        "ESCALATOR_VERSION",
    }
)
"""No settings: what the commands of a bundle find in their environment on a node."""


def list_names() -> tuple[str, ...]:
    """Return the names of all of them."""
    return tuple(variable.name for variable in VARIABLES)
