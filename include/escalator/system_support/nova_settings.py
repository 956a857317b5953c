"""Reads what the Nova of a node allows a live migration, from its nova.conf; the rest of that stays there."""

from __future__ import annotations

from escalator.model.errors import NodeFaultError
from escalator.model.migration_settings import MigrationSettings
from escalator.system_support.shell import Shell, parse_pairs

SCRIPT = r"""
for f in /etc/nova/nova.conf /etc/nova/nova.conf.d/*.conf \
  /etc/nova/nova-compute.conf /etc/nova/nova-compute.conf.d/*.conf \
  /etc/kolla/nova-compute/nova.conf; do
  [ -r "$f" ] || continue
  echo "file=$f"
  sed -n '/^[[:space:]]*\[libvirt\]/,/^[[:space:]]*\[/ {
    s/^[[:space:]]*\(live_migration_[a-z_]*\)[[:space:]]*=/\1=/p
  }' "$f"
done
"""
"""Prints the options of live migrations, of the files that nova-compute reads, in their order."""
_TRUE = frozenset({"true", "1", "on", "yes"})


def read_migration_settings(shell: Shell) -> MigrationSettings | None:
    """Read the options of a node; None when it does not tell: no such file is there, or it cannot be read.

    :raises TransientError: the node cannot be reached.
    """
    try:
        result = shell.run_as_root(SCRIPT)
    except NodeFaultError:
        return None
    return parse_migration_settings(result.stdout) if result.ok else None


def parse_migration_settings(text: str) -> MigrationSettings | None:
    """Read what the script printed; a value that cannot be read counts as Nova's default."""
    found = parse_pairs(text)
    if "file" not in found:
        return None
    said = {name.removeprefix("live_migration_"): value.strip() for name, value in found.items()}
    defaults, timeout = MigrationSettings(), said.get("completion_timeout", "")
    return MigrationSettings(
        auto_converge=said.get("permit_auto_converge", "").lower() in _TRUE,
        post_copy=said.get("permit_post_copy", "").lower() in _TRUE,
        timeout_action=said.get("timeout_action") or defaults.timeout_action,
        completion_timeout=int(timeout) if timeout.isdecimal() else defaults.completion_timeout,
        inbound_address=said.get("inbound_addr") or None,
    )
