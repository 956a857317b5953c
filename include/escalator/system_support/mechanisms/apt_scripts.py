"""The shell scripts that bring packages by apt: pure text over :mod:`apt_functions`, everything quoted.

In ``STATE`` on the node lie: ``lock`` (one script at a time); ``begun``, an installation that was begun and
not proved to its end (the digest of what it was to bring, what apt was to do, which processes there were);
``holds``, what has to be held again. By them a second run knows that a broken state of dpkg's is our own.
Beside it, in ``STATE-back``, lies for each digest what the packages were before.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable
from dataclasses import replace

from escalator.model.bundle import COMPUTE, AptMechanism, ConffilePolicy
from escalator.system_support.mechanisms.apt_functions import FUNCTIONS
from escalator.system_support.mechanisms.shared_scripts import CHECK_ROOT, read_plain, write_check_tools

STATE = "/var/lib/escalator/apt"
"""Folder of the records on a node."""

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+](?::[a-z0-9-]+)?")
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_PATH = re.compile(r"/[^\x00-\x1f'\"]+")
_TOOLS = (
    "flock setsid systemctl timeout awk grep sed sort xargs df stat mktemp sha256sum"
    " apt-get apt-cache apt-mark apt-config dpkg dpkg-query"
)

_LOCKED = """\
mkdir -p "$state"
exec 7>"$state/lock"
flock 7
wait_for_lock
"""

_STAGE = """\
if is_reached && [ ! -e "$state/begun" ]; then say already-staged; exit 0; fi
if is_ours && recall && are_whole; then say already-staged; exit 0; fi
if foresee && are_whole; then say already-staged; exit 0; fi
patient ask update -o APT::Update::Error-Mode=any || fail "apt cannot read its sources: $words"
foresee || fail "apt finds no way to $wanted: $words"
drop_broken
patient ask install --download-only $wanted || fail "apt cannot download $wanted: $words"
are_whole || fail "what was downloaded is not what the index of its source says: $lacking"
say staged
"""

_ACTIVATE = """\
printf '%s\\n' "$approved" >"$work/approved"
if is_ours; then grep -E '^(plan|down|unit|held)[|]' "$state/begun" >>"$work/approved" || true; fi
sort_out
if is_reached && [ ! -e "$state/begun" ]; then
  put_holds_back || fail "a hold cannot be put back: $words"
  say already-active
  exit 0
fi
foresee || fail "apt finds no way to $wanted: $words"
outlook >"$work/outlook"
strip_old <"$work/approved" >"$work/may"
new=$(strip_old <"$work/outlook" | grep -vxFf "$work/may") || new=
[ -z "$new" ] || fail "apt would do what it would not when it was looked at: $(echo $new)"
are_whole || fail "$wanted is not staged: $lacking is not as it has to be"
begin
patient install || {
  why=$words
  broken=$(list_broken)
  fail "apt cannot install $wanted: $why${broken:+; dpkg is left with $(echo $broken)}"
}
broken=$(list_broken)
[ -z "$broken" ] || fail "apt ended well, but dpkg is left with $(echo $broken)"
put_holds_back || fail "a hold cannot be put back: $words"
show_conffiles
restart_old || exit 1
behind=$(list_behind) || fail "apt ended well, but $behind"
rm -f "$state/begun"
say activated
"""

_LOOK = """\
broken=$(list_broken)
for name in $broken; do echo "broken|$name"; done
if is_ours || { [ -n "$broken" ] && is_left; }; then sed -n 's/^plan|Inst|/begun|/p' "$state/begun"; fi
held_by=$(holder)
[ -z "$held_by" ] || echo "locked|$held_by"
if [ -z "$broken" ] || is_left; then
  if foresee; then outlook; space; else echo "trouble|$words"; fi
fi
"""

_SOURCE = """\
if is_reached; then exit 0; fi
if foresee; then outlook; space; exit 0; fi
mkdir -p "$work/lists/partial"
lists="-o Dir::State::Lists=$work/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
if ! run ask update -o APT::Update::Error-Mode=any; then
  echo "trouble|apt cannot read its sources: $words"
  exit 0
fi
if foresee; then outlook; space; exit 0; fi
echo "trouble|$words"
for name in $wanted; do
  known=$(only apt-cache madison "${name%%=*}" 2>/dev/null | awk '{ print $3 }' | sort -u | head -n 8)
  echo "known|${name%%=*}|$(echo $known)"
done
"""


def write_stage_script(mechanism: AptMechanism, version: str, state: str = STATE) -> str:
    """Write the script that downloads the packages, and what they need, into apt's cache.

    A second run proves what lies there by the checksums of apt's index: apt itself looks at the size only. No
    service is touched, and nothing is configured.

    :param version: of the package that carries nova-compute.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return _write_head(mechanism, version, state) + _LOCKED + _STAGE


def write_activate_script(
    mechanism: AptMechanism, version: str, approved: Iterable[str], state: str = STATE
) -> str:
    """Write the script that installs the packages, and has their services run them.

    It ends before anything is touched where apt would do anything that is not approved. A state of dpkg's
    that an earlier run of a bundle of ours left, this one or an older revision, is mended first; any other
    one is left alone, and named.

    :param approved: what apt may do, in lines of its outlook.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    lines = shlex.quote("\n".join(approved))
    return _write_head(mechanism, version, state) + f"approved={lines}\n" + _LOCKED + _ACTIVATE


def write_check_script(mechanism: AptMechanism, jobs: str, state: str = STATE) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps the mechanism from working.

    :param jobs: folder of the remote jobs.
    """
    lines = [
        f"mkdir -p {folder} 2>/dev/null && [ -w {folder} ] || echo 'path|a folder of ours cannot be written'"
        for folder in (shlex.quote(jobs), shlex.quote(state))
    ]
    for path in filter(None, (mechanism.sources, mechanism.keyring)):
        quoted = shlex.quote(read_plain(_PATH, "path", path))
        lines.append(f"[ -r {quoted} ] || echo 'path|{path} cannot be read'")
    return CHECK_ROOT + "\n".join(lines) + "\n" + write_check_tools(_TOOLS)


def write_outlook_script(mechanism: AptMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says, in lines ``kind|…``, how dpkg is, and what apt would do for a version."""
    return _write_head(mechanism, version, state) + _LOOK


def write_source_script(mechanism: AptMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says what apt would do once it has read its sources, in a folder of its own.

    Where the lists of the node know the version no source is asked; where all is there nothing is said.
    """
    return _write_head(mechanism, version, state) + _SOURCE


def write_way_back_script(mechanism: AptMechanism, version: str, state: str = STATE) -> str:
    """Write the script that says, in lines ``kind|…``, what a version replaced or would replace on the node.

    ``now`` is what it has of nova-compute, ``noted`` says that an installation noted it, ``back`` names a
    package with its versions before and after, and ``have`` one whose version of before a source has.
    """
    return _write_head(mechanism, version, state) + "tell_back\n"


def write_read_script(mechanism: AptMechanism, state: str = STATE) -> str:
    """Write the script that says, a line for each package, what dpkg has and what its service runs."""
    return _write_head(mechanism, mechanism.compute.version, state) + "look\n"


def _write_head(mechanism: AptMechanism, version: str, state: str) -> str:
    """Check the mechanism, and write what all scripts begin with."""
    packages = [replace(p, version=version) if p.component == COMPUTE else p for p in mechanism.packages]
    for package in packages:
        read_plain(_NAME, "package", package.name)
        read_plain(_VERSION, "version", package.version)
    for word in filter(None, (word for p in packages for word in (p.component, p.service))):
        read_plain(_WORD, "component or service", word)
    for path in filter(None, (mechanism.sources, mechanism.keyring)):
        read_plain(_PATH, "path", path)
    rows = "\n".join(f"{p.name}|{p.version}|{p.component or '-'}|{p.service or '-'}" for p in packages)
    policy = "new" if mechanism.conffiles is ConffilePolicy.REPLACE else "old"
    given = {
        "state": state,
        "rows": rows,
        "wanted": " ".join(f"{p.name}={p.version}" for p in packages),
        "compute": mechanism.compute.name,
        "key": hashlib.sha256(rows.encode()).hexdigest(),
        "lift": " ".join(read_plain(_NAME, "package", name) for name in mechanism.lift_holds),
        "policy": policy,
        "flags": _write_flags(mechanism),
        "lock_seconds": f"{mechanism.lock_seconds:.0f}",
        "sources": mechanism.sources or "",
        "keyring": mechanism.keyring or "",
    }
    return "".join(f"{name}={shlex.quote(text)}\n" for name, text in given.items()) + FUNCTIONS


def _write_flags(mechanism: AptMechanism) -> str:
    """Write what apt may do beyond what it does by itself; what it then does is looked at by name."""
    flags: list[str] = []
    if mechanism.downgrade:
        flags.append("--allow-downgrades")
    if mechanism.lift_holds:
        flags.append("--allow-change-held-packages")
    if not mechanism.removes:
        flags.append("--no-remove")
    return " ".join(flags)
