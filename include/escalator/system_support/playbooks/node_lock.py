"""The lock of a node that a worker holds while Ansible works there: a marker on the node, for a short time.

Two workers may have the same work: one that was cut off from everything but does not know it, and the one
that took over. A lock on a worker does not keep them apart, a lock that a connection holds is gone with the
first lost packet. So the marker says who holds it, in which boot of the node, and until when by the clock of
that boot; whoever holds it says so again every ``RENEW_SECONDS``, and ends its own run when it could not for
``SILENCE_SECONDS``, which is before anybody else may take it. After a reboot nothing of the old run is left
on the node, but its worker may come back to it: the marker counts for as long again.

What a run began on the node may outlive it: a module of Ansible's still at work keeps the lock from being
taken as well. It is known by the folder that our runs use for modules.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from escalator.model.errors import NodeFaultError
from escalator.system_support.shell import Shell

FOLDER = "/var/lib/escalator/ansible"
LASTS_SECONDS = 180
"""For so long a marker counts that nobody renews."""
SILENCE_SECONDS = 150.0
"""After so long without a renewal a run is ended by its own worker."""
RENEW_SECONDS = 20.0
REMOTE_TMP = "~/.ansible/escalator"
"""Where modules of our runs lie on the node, below the home of whoever they run as."""
_MODULES = "/.ansible/escalator/ansible-tmp-"
_BUSY = 75

_HEAD = """\
set -eu
umask 022
folder={folder}
owner={owner}
lasts={lasts}
boot=$(cat /proc/sys/kernel/random/boot_id)
now=$(cut -d. -f1 /proc/uptime)
mkdir -p "$folder"
exec 7>"$folder/.lock"
flock -w 20 7
holder= ; was= ; until=0
if [ -s "$folder/holder" ]; then
  holder=$(sed -n 1p "$folder/holder"); was=$(sed -n 2p "$folder/holder"); until=$(sed -n 3p "$folder/holder")
  [ "$was" = "$boot" ] || until=$lasts
fi
write() {{
  printf '%s\\n%s\\n%s\\n' "$owner" "$boot" "$((now + lasts))" >"$folder/holder.new"
  mv -T "$folder/holder.new" "$folder/holder"
}}
"""
_TAKE = """\
if [ -n "$holder" ] && [ "$holder" != "$owner" ] && [ "$now" -lt "$until" ]; then
  echo "$holder holds it, for $((until - now)) s more if it does not say otherwise"
  exit {busy}
fi
busy=$(grep -lsz -e '^/.*{modules}' /proc/[0-9]*/cmdline | head -n 1) || true
if [ -n "$busy" ]; then
  echo "a module of an earlier run is still at work: process $(echo "$busy" | cut -d/ -f3)"
  exit {busy}
fi
write
"""
_RENEW = """\
[ "$holder" = "$owner" ] || {{ echo "${{holder:-nobody}} holds it now"; exit {busy}; }}
write
"""
_RELEASE = """\
if [ "$holder" = "$owner" ]; then rm -f "$folder/holder"; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLock:
    """The lock of a node, for one run.

    :ivar owner: who holds it, in words without a line break, and no one else's.
    :ivar folder: where the marker is on the node.
    :ivar lasts_seconds: for how long it counts unless it is renewed.
    """

    owner: str
    folder: str = FOLDER
    lasts_seconds: int = LASTS_SECONDS

    def take(self, shell: Shell) -> str:
        """Take it, or say who has it; empty: it is ours. Whoever has it takes it again.

        :raises TransientError: the connection was lost; it may be ours or not.
        :raises NodeFaultError: the node cannot keep the marker.
        """
        return self._ask(shell, _TAKE.format(busy=_BUSY, modules=_MODULES))

    def renew(self, shell: Shell) -> str:
        """Hold it for longer; says who has it when it is not ours any more.

        :raises TransientError: the connection was lost; :raises NodeFaultError: as for take.
        """
        return self._ask(shell, _RENEW.format(busy=_BUSY))

    def release(self, shell: Shell) -> None:
        """Give it back, if it is ours."""
        self._ask(shell, _RELEASE)

    def _ask(self, shell: Shell, script: str) -> str:
        head = _HEAD.format(
            folder=shlex.quote(self.folder), owner=shlex.quote(self.owner), lasts=self.lasts_seconds
        )
        result = shell.run_as_root(head + script)
        if result.ok:
            return ""
        if result.exit_code != _BUSY:
            raise NodeFaultError(
                f"node {shell.host}: the lock of Ansible's runs cannot be kept: {result.last_words}",
                remedy=f"see that {self.folder} can be written there",
            )
        return result.last_words
