"""What the shell scripts of several mechanisms share: pure text, and the check of what goes into it.

The parts are put into a script as they are, so nothing in them is escaped for ``str.format``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from escalator.model.errors import InvalidRequestError

WORDS = """\
say() { printf 'escalator: %s\\n' "$1"; }
fail() { printf 'escalator: %s\\n' "$1" >&2; exit 1; }
"""
"""How a script says what it did, or why it ends; ``node_job`` reads the last of it."""

PROCESSES = """\
main_pid() {
  found=$(systemctl show --property=MainPID "$service" 2>/dev/null | sed -n 's/^MainPID=//p')
  [ "${found:-0}" != 0 ] && printf '%s\\n' "$found"
}
# When process $1 began. The kernel counts ticks of 1/100 s since the boot.
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
boot() { cat /proc/sys/kernel/random/boot_id; }
"""
"""Which process ``$service`` has, and since when."""

CHECK_ROOT = """\
[ "$(id -u)" = 0 ] || echo 'privilege|the user is not root'
"""


def write_check_tools(tools: str) -> str:
    """Write the lines that say ``tool|message`` of each program that is lacking.

    :param tools: words of a shell, quoted where they have to be.
    """
    return f"""\
for tool in {tools}; do
  command -v "$tool" >/dev/null 2>&1 || echo "tool|the command $tool is not on the PATH of the user"
done
"""


_BOOT_UNITS = """\
is_started_at_boot() {
  case $2 in enabled|alias|generated|not-found|'') return 0 ;; masked*|*-runtime) return 1 ;; esac
  systemctl show --property=WantedBy,RequiredBy,TriggeredBy -- "$1" | grep -q '=.'
}
for unit in UNITS; do
  state=$(systemctl is-enabled -- "$unit" 2>/dev/null) || true
  is_started_at_boot "$unit" "$state" ||
    echo "unit|$unit is $state for systemd: nothing would start it after the reboot"
done
"""


def write_check_boot(units: Iterable[str]) -> str:
    """Write the lines that say ``unit|message`` of each unit that a reboot would leave stopped.

    One that systemd does not know is passed over: that it is missing is said by who needs it.
    """
    return _BOOT_UNITS.replace("UNITS", " ".join(map(shlex.quote, units)))


def read_plain(pattern: re.Pattern[str], name: str, text: str) -> str:
    """Read a text that may stand in a script and in the name of a file; refuse any other.

    :raises InvalidRequestError: it does not look as the pattern wants it.
    """
    if not pattern.fullmatch(text):
        raise InvalidRequestError(
            f"{name} {text!r} of the mechanism is not possible", remedy="correct the bundle"
        )
    return text
