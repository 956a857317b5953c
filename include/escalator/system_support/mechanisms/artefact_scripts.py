"""The shell scripts that bring a bundle's files to a node and look at them: pure text, everything quoted.

They lie in a folder of the bundle's list, under ``FOLDER``: another list has another folder. A file has its
name only when its checksum and its signature are right; until then it is ``.<name>.part``.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence

from escalator.model.bundle import Artefact
from escalator.system_support.mechanisms.shared_scripts import WORDS

FOLDER = "/var/lib/escalator/artefacts"
VARIABLE = "ESCALATOR_ARTEFACTS"
"""In the environment of what is run after a look: the folder of the files."""

_FUNCTIONS = """\
folder={folder}
sum() {{ sha256sum <"$1" | cut -d' ' -f1; }}
has_sum() {{ [ -f "$1" ] && [ "$(sum "$1")" = "$2" ]; }}
# Whether $1 was signed by a key of ring $3 with signature $2; no signature is wanted where $2 is empty.
is_signed() {{ [ -z "$2" ] || gpgv --quiet --keyring "$3" "$2" "$1" >/dev/null 2>&1; }}
"""

_FETCH = """\
umask 022
mkdir -p "$folder"
exec 6>"$folder/.lock"
flock 6
get() {{
  case $1 in
    http://*|https://*)
      if command -v curl >/dev/null 2>&1; then
        curl --netrc-optional --fail --silent --show-error --location --retry 3 --connect-timeout 20 \\
          --speed-limit 1000 --speed-time 60 --output "$2" -- "$1"
      else
        wget --no-verbose --tries=3 --timeout=60 --output-document="$2" -- "$1"
      fi ;;
    *) cp -- "$1" "$2" ;;
  esac
}}
# Artefact $1 from $2 with sum $3, signature $4 and ring $5.
bring() {{
  file="$folder/$1"
  new="$folder/.$1.part"
  new_signature="$folder/.$1.signature.part"
  signature="${{4:+$folder/.$1.signature}}"
  if has_sum "$file" "$3" && is_signed "$file" "$signature" "$5"; then return 0; fi
  rm -f "$file" "$folder/.$1.signature" "$new" "$new_signature"
  get "$2" "$new" || {{ rm -f "$new"; fail "artefact $1 cannot be fetched from $2"; }}
  if ! has_sum "$new" "$3"; then
    found=$(sum "$new")
    rm -f "$new"
    remedy="mend $2, or correct sha256 in the bundle"
    fail "artefact $1 has the checksum $found, not $3: it is not used -> $remedy"
  fi
  if [ -n "$4" ]; then
    get "$4" "$new_signature" || {{
      rm -f "$new" "$new_signature"
      fail "the signature of artefact $1 cannot be fetched from $4"
    }}
    if ! is_signed "$new" "$new_signature" "$5"; then
      rm -f "$new" "$new_signature"
      fail "artefact $1 is not signed by a key of $5: it is not used"
    fi
    mv -T "$new_signature" "$signature"
  fi
  sync "$new" 2>/dev/null || sync
  mv -T "$new" "$file"
}}
"""

_LOOK = """\
bring() {{
  has_sum "$folder/$1" "$3" || fail "artefact $1 is not there as it was staged: stage it again"
  is_signed "$folder/$1" "${{4:+$folder/.$1.signature}}" "$5" ||
    fail "artefact $1 is not signed by a key of $5"
}}
"""

_SOURCE = """\
reach() {{
  case $1 in
    http://*|https://*)
      if command -v curl >/dev/null 2>&1; then
        look() {{ curl --netrc-optional --fail --silent --location --max-time 30 --output /dev/null "$@"; }}
        look --head -- "$1" || look --range 0-0 -- "$1"
      else
        wget --no-verbose --tries=1 --timeout=30 --spider -- "$1"
      fi >/dev/null 2>&1 ;;
    *) [ -r "$1" ] ;;
  esac
}}
bring() {{
  if has_sum "$folder/$1" "$3"; then return 0; fi
  reach "$2" || echo "artefact $1 is not there: $2"
  [ -z "$4" ] || reach "$4" || echo "the signature of artefact $1 is not there: $4"
}}
"""


def name_folder(artefacts: Sequence[Artefact], base: str = FOLDER) -> str:
    """Return the folder of a list of artefacts; the same list has the same one."""
    return f"{base}/{hashlib.sha256(repr(tuple(artefacts)).encode()).hexdigest()[:16]}"


def write_fetch(artefacts: Sequence[Artefact], base: str = FOLDER) -> str:
    """Write what brings every artefact, and ends the script that it stands in when one cannot be proved.

    A second run only looks. What has the wrong checksum or signature is removed at once, and so is what came
    only in part: the node's disk may be full.
    """
    return _write(_FETCH, artefacts, base)


def write_look(artefacts: Sequence[Artefact], base: str = FOLDER) -> str:
    """Write what proves every artefact again, and ends the script that it stands in when one is not good.

    :return: empty when there is none.
    """
    return _write(_LOOK, artefacts, base) if artefacts else ""


def write_source_script(artefacts: Sequence[Artefact], base: str = FOLDER) -> str:
    """Write the script that says, a line each, which artefacts are neither there nor to be had."""
    return _write(_SOURCE, artefacts, base)


def write_check_script(artefacts: Sequence[Artefact], base: str = FOLDER) -> str:
    """Write the script that says, as ``kind|message`` lines, what keeps artefacts from being brought."""
    tools = ["sha256sum", "flock"]
    lines: list[str] = []
    if any(artefact.signature for artefact in artefacts):
        tools.append("gpgv")
        rings = sorted({shlex.quote(a.keyring) for a in artefacts if a.signature})
        lines += [f"[ -r {ring} ] || printf 'path|the keyring %s cannot be read\\n' {ring}" for ring in rings]
    for tool in tools:
        words = f"tool|the command {tool} is not on the PATH of the user"
        lines.append(f"command -v {tool} >/dev/null 2>&1 || echo '{words}'")
    places = [place for artefact in artefacts for place in (artefact.source, artefact.signature) if place]
    if not all(place.startswith("/") for place in places):
        words = "tool|neither curl nor wget is on the PATH of the user"
        lines.append(f"command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || echo '{words}'")
    folder = shlex.quote(base)
    words = "path|the folder of artefacts cannot be written"
    lines.append(f"mkdir -p {folder} 2>/dev/null && [ -w {folder} ] || echo '{words}'")
    return "\n".join(lines) + "\n"


def _write(functions: str, artefacts: Sequence[Artefact], base: str) -> str:
    folder = shlex.quote(name_folder(artefacts, base))
    calls = [
        " ".join(["bring", *map(shlex.quote, (a.name, a.source, a.sha256, a.signature or "", a.keyring))])
        for a in artefacts
    ]
    own = WORDS + _FUNCTIONS.format(folder=folder) + functions.format() + "\n".join(calls)
    return f"set -eu\n(\n{own}\n)\nexport {VARIABLE}={folder}\n"
