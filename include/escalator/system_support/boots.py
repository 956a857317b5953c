"""The boot of a node, read by one script, and the order to begin another one.

Both are plain commands: an order is good for one boot only, so that it may be given as often as one likes.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from escalator.model.boot import Boot, RebootSigns, SystemState
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.shell import Shell, parse_pairs

_BOOT = """\
export LC_ALL=C
printf 'boot_id=%s\\n' "$(cat /proc/sys/kernel/random/boot_id)"
printf 'up=%s\\n' "$(cut -d' ' -f1 /proc/uptime)"
# When process 1 began, in ticks since the kernel did: later than that where the node is a container.
printf 'began=%s\\n' "$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)"
printf 'ticks=%s\\n' "$(getconf CLK_TCK 2>/dev/null || echo 100)"
printf 'system=%s\\n' "$(systemctl is-system-running 2>/dev/null)"
failed=$(systemctl list-units --state=failed --plain --no-legend --no-pager 2>/dev/null | cut -d' ' -f1)
printf 'failed=%s\\n' "$(echo $failed)"
"""
_SIGNS = """\
root={root}
flag=
for file in "$root/run/reboot-required" "$root/var/run/reboot-required"; do
  if [ -z "$flag" ] && [ -e "$file" ]; then flag=$file; fi
done
printf 'flag=%s\\n' "$flag"
asked=$(sort -u "$flag.pkgs" 2>/dev/null)
printf 'asked_by=%s\\n' "$(echo $asked)"
code=
if command -v needs-restarting >/dev/null 2>&1; then
  timeout 120 needs-restarting -r >/dev/null 2>&1
  code=$?
fi
printf 'needs_restarting=%s\\n' "$code"
printf 'kernel=%s\\n' "$(uname -r)"
kernels=
for file in "$root"/boot/vmlinuz-*; do
  if [ -e "$file" ]; then kernels="$kernels ${{file##*/vmlinuz-}}"; fi
done
if [ -z "$kernels" ]; then
  for file in "$root"/lib/modules/*/modules.dep; do
    if [ -e "$file" ]; then file=${{file%/modules.dep}}; kernels="$kernels ${{file##*/}}"; fi
  done
fi
printf 'kernels=%s\\n' "$(echo $kernels)"
"""
_ORDER = """\
export LC_ALL=C
[ "$(cat /proc/sys/kernel/random/boot_id)" = {boot_id} ] || exit 0
[ "$(systemctl is-system-running 2>/dev/null)" != stopping ] || exit 0
systemctl reboot </dev/null
"""
SIGNS_SECONDS = 150.0
"""How long the script with the signs may take: ``needs-restarting`` reads all of the node's packages."""


def write_boot_script(*, signs: bool = False, root: str = "") -> str:
    """Write the script that says, as ``key=value`` lines, which boot the node is in. It changes nothing.

    :param signs: say what asks for a reboot as well.
    :param root: where the files of these signs are, in place of ``/``.
    """
    return _BOOT + (_SIGNS.format(root=shlex.quote(root)) if signs else "")


def read_boot(shell: Shell, *, signs: bool = False) -> Boot:
    """Read which boot a node is in.

    :param signs: read what asks for a reboot as well.
    :raises TransientError: the node cannot be reached.
    :raises NodeFaultError: it does not say.
    """
    result = shell.run_as_root(write_boot_script(signs=signs), SIGNS_SECONDS if signs else None)
    said = parse_pairs(result.stdout)
    try:
        up = float(said["up"]) - int(said["began"]) / int(said["ticks"])
        boot_id = said["boot_id"].strip()
        found = _read_signs(said) if signs else None
    except (KeyError, ValueError, ZeroDivisionError):
        boot_id = ""
    if not boot_id:
        raise NodeFaultError(
            f"node {shell.host} does not say which boot it is in: {result.last_words}",
            remedy="see whether /proc is mounted on the node",
        )
    system = said.get("system", "")
    return Boot(
        boot_id=boot_id,
        up_seconds=max(0.0, up),
        system=SystemState(system) if system in set(SystemState) else SystemState.UNKNOWN,
        failed_units=tuple(said.get("failed", "").split()),
        signs=found,
    )


def order_reboot(shell: Shell, boot_id: str) -> None:
    """Order a node to reboot out of one boot; in any other, or when it is on its way already, do nothing.

    :param boot_id: of the boot that is to end.
    :raises TransientError: the connection is lost, which the reboot itself may do: it was ordered or not.
    :raises NodeFaultError: the node does not obey.
    """
    result = shell.run_as_root(_ORDER.format(boot_id=shlex.quote(boot_id)))
    if not result.ok:
        raise NodeFaultError(
            f"node {shell.host} cannot be rebooted: systemctl reboot: {result.last_words}",
            remedy="find out what keeps systemd from it on the node",
            code=Code.REBOOT_FAILED,
        )


def _read_signs(said: Mapping[str, str]) -> RebootSigns:
    code = said["needs_restarting"]
    return RebootSigns(
        flag=said["flag"],
        asked_by=tuple(said["asked_by"].split()),
        needs_restarting=int(code) if code else None,
        kernel=said["kernel"],
        kernels=tuple(said["kernels"].split()),
    )
