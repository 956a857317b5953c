"""The shell scripts that bring packages by dnf: pure text over :mod:`dnf_functions`, everything quoted.

In ``STATE`` on the node lie: ``lock`` (one script at a time); ``begun``, an installation that was begun and
not proved to its end (the digest of what it was to bring, what dnf was to do, which processes there were);
``history``, the numbers of dnf's transactions. Beside it, in ``STATE-back``, lies for each digest what the
packages were before.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable
from dataclasses import replace

from escalator.model.bundle import COMPUTE, DnfMechanism
from escalator.system_support.mechanisms.dnf_functions import FUNCTIONS
from escalator.system_support.mechanisms.shared_scripts import CHECK_ROOT, read_plain, write_check_tools

STATE = "/var/lib/escalator/dnf"
"""Folder of the records on a node."""

LOOK_SECONDS = 30
"""How long a look waits for the lock of another program (s)."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_VERSION = re.compile(r"(?:[1-9][0-9]*:)?[A-Za-z0-9][A-Za-z0-9._+~^]*(?:-[A-Za-z0-9][A-Za-z0-9._+~^]*)?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]*")
_TOOLS = "flock setsid systemctl timeout awk grep sed sort mktemp dnf rpm"

_LOCKED = """\
mkdir -p "$state"
exec 7>"$state/lock"
flock 7
"""

_STAGE = """\
if is_reached && [ ! -e "$state/begun" ]; then say already-staged; exit 0; fi
if run fetch -C; then say already-staged; exit 0; fi
patient fetch --refresh || fail "dnf cannot download $wanted: $words"
run fetch -C || fail "what was downloaded is not what the index of its repository says: $words"
say staged
"""

_ACTIVATE = """\
printf '%s\\n' "$approved" >"$work/approved"
if is_ours; then grep -E '^(plan|down|unit)[|]' "$state/begun" >>"$work/approved" || true; fi
broken=$(list_broken)
[ -z "$broken" ] || fail "rpm has two versions of $(echo $broken): a transaction was cut off"
if is_reached && [ ! -e "$state/begun" ]; then
  renew_locks || fail "a lock cannot be renewed: $words"
  say already-active
  exit 0
fi
foresee_within "$lock_seconds" || fail "dnf finds no way to $wanted: $words"
outlook >"$work/outlook"
new=$(grep -vxFf "$work/approved" "$work/outlook") || new=
[ -z "$new" ] || fail "dnf would do what it would not when it was looked at: $(echo $new)"
run fetch -C || fail "$wanted is not staged: $words"
begin
patient install || fail "dnf cannot install $wanted: $words"
if grep -Eq 'scriptlet failed|^Error in .* scriptlet' "$work/said"; then
  fail "dnf ended well, but a script of a package failed: $words"
fi
note_history
renew_locks || fail "a lock cannot be renewed: $words"
restart_old || exit 1
behind=$(list_behind) || fail "dnf ended well, but $behind"
rm -f "$state/begun"
tell_old
say activated
"""

_LOOK = """\
for name in $(list_broken); do echo "broken|$name"; done
if foresee_within "$look_seconds"; then outlook
elif is_locked; then echo "locked|$words"
else
  list_held >"$work/held"
  if [ -s "$work/held" ]; then cat "$work/held"; else echo "trouble|$words"; fi
fi
"""

_SOURCE = """\
if is_reached; then exit 0; fi
if foresee_within "$look_seconds"; then outlook; exit 0; fi
list_held >"$work/held"
if [ -s "$work/held" ]; then exit 0; fi
if ! patient only makecache --refresh >/dev/null; then
  echo "trouble|dnf cannot read its repositories: $words"
  exit 0
fi
if foresee; then outlook; exit 0; fi
echo "trouble|$words"
printf '%s\\n' "$rows" | cut -d'|' -f1 | while read -r name; do
  only -C repoquery --qf '%{evr}\\n' "$name" 2>/dev/null | sort -u | grep . | tail -n 8 >"$work/known" || true
  echo "known|$name|$(echo $(cat "$work/known"))"
done
"""


def write_stage_script(mechanism: DnfMechanism, version: str, state: str = STATE) -> str:
    """Write the script that downloads the packages, and what they need, into dnf's cache.

    A second run proves what lies there, by dnf itself: by the checksums of its index. No service is touched.

    :param version: of the package that carries nova-compute.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return _write_head(mechanism, version, state) + _LOCKED + _STAGE


def write_activate_script(
    mechanism: DnfMechanism, version: str, approved: Iterable[str], state: str = STATE
) -> str:
    """Write the script that installs the packages, and has their services run them.

    It ends before anything is touched where dnf would do anything that is not approved.

    :param approved: what dnf may do, in lines of its outlook.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    lines = shlex.quote("\n".join(approved))
    return _write_head(mechanism, version, state) + f"approved={lines}\n" + _LOCKED + _ACTIVATE


def write_check_script(mechanism: DnfMechanism, jobs: str, state: str = STATE) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps the mechanism from working.

    :param jobs: folder of the remote jobs.
    """
    lines = [
        f"mkdir -p {folder} 2>/dev/null && [ -w {folder} ] || echo 'path|a folder of ours cannot be written'"
        for folder in (shlex.quote(jobs), shlex.quote(state))
    ]
    tools = f"{_TOOLS} unshare" if mechanism.lift_holds else _TOOLS
    return CHECK_ROOT + "\n".join(lines) + "\n" + write_check_tools(tools)


def write_outlook_script(mechanism: DnfMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says, in lines ``kind|…``, how rpm is, and what dnf would do for a version."""
    return _write_head(mechanism, version, state) + _LOOK


def write_source_script(mechanism: DnfMechanism, version: str, state: str = STATE) -> str:
    """Write the script that reads the repositories where dnf's cache does not know a version yet.

    dnf's cache of their indexes is then newer; nothing else is changed.
    """
    return _write_head(mechanism, version, state) + _SOURCE


def write_way_back_script(mechanism: DnfMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says, in lines ``kind|…``, what a version replaced or would replace on the node.

    ``now`` is what it has of nova-compute, ``noted`` says that an installation noted it, ``back`` names a
    package with its versions before and after, and ``have`` one whose version of before a repository has, as
    far as dnf's cache knows.
    """
    return _write_head(mechanism, version, state) + "tell_back\n"


def write_read_script(mechanism: DnfMechanism, state: str = STATE) -> str:
    """Write the script that says, a line for each package, what rpm has and what its service runs."""
    return _write_head(mechanism, mechanism.compute.version, state) + "look\n"


def _write_head(mechanism: DnfMechanism, version: str, state: str) -> str:
    """Check the mechanism, and write what all scripts begin with."""
    packages = [replace(p, version=version) if p.component == COMPUTE else p for p in mechanism.packages]
    for package in packages:
        read_plain(_NAME, "package", package.name)
        read_plain(_VERSION, "version", package.version)
    words = [word for p in packages for word in (p.component, p.service)]
    for word in filter(None, (*words, *mechanism.repositories)):
        read_plain(_WORD, "component, service or repository", word)
    rows = "\n".join(f"{p.name}|{p.version}|{p.component or '-'}|{p.service or '-'}" for p in packages)
    given = {
        "state": state,
        "rows": rows,
        "wanted": " ".join(f"{p.name}-{p.version}" for p in packages),
        "compute": mechanism.compute.name,
        "key": hashlib.sha256(rows.encode()).hexdigest(),
        "lift": " ".join(read_plain(_NAME, "package", name) for name in mechanism.lift_holds),
        "repositories": ",".join(mechanism.repositories),
        "lock_seconds": f"{mechanism.lock_seconds:.0f}",
        "look_seconds": str(LOOK_SECONDS),
    }
    return "".join(f"{name}={shlex.quote(text)}\n" for name, text in given.items()) + FUNCTIONS
