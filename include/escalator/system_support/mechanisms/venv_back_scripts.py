"""The shell scripts that bring a node back to the virtual environment of before: pure text.

``<venv>.previous`` says where the link pointed before its last switch, and that environment stays on the
node. While the link points to what the bundle brought, that is the way back; where it points elsewhere
nothing of the bundle is left to undo. Going back leaves ``.previous`` as it is: a second
run finds the link back.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from escalator.model.bundle import Artefact, VenvMechanism
from escalator.system_support.mechanisms.venv_install import name_environment
from escalator.system_support.mechanisms.venv_scripts import MANIFEST, SWITCH, write_functions

_PREVIOUS = """\
find_previous() { cat "$link.previous" 2>/dev/null || true; }
# Why nobody can go back to environment $1; nothing: one can. One that was made by hand has no marks of ours.
find_unusable() {
  if [ -z "$1" ]; then echo 'nothing is noted of an environment that was used before'
  elif [ ! -d "$1" ]; then echo "the environment of before, $1, is gone"
  elif ! metadata "$1" >/dev/null 2>&1; then echo "$package cannot be read in the environment of before, $1"
  elif [ -e "$1/MANIFEST" ] && ! whole "$1"; then echo "the environment of before, $1, is not as it was"
  fi
}
""".replace("MANIFEST", MANIFEST)

_ROLL_BACK = """\
exec 7>"$link.lock"
flock 7
current=$(readlink -f "$link" || true)
target=$current
# Whether it is we who pointed the link to where it points: the service then has to run that.
is_switched() {
  switched_to=
  read -r _ _ switched_to <"$link.switched" 2>/dev/null || true
  [ "$switched_to" = "$target" ]
}
# Whether the service still has what the bundle brought, or does not run since we switched.
is_behind() {
  pid=$(main_pid) || { is_switched; return; }
  running=$(loaded "$pid")
  if [ -n "$running" ]; then [ "$running" = "$environment" ]
  else is_switched && ! began_after_switch "$pid" "$target"; fi
}
outcome=already-back
if [ "$current" = "$base-$environment" ]; then
  [ -L "$link" ] || fail "$link is not a symbolic link"
  target=$(find_previous)
  why=$(find_unusable "$target")
  [ -z "$why" ] || fail "there is no way back: $why"
  switch_link
  outcome=rolled-back
fi
if is_behind; then
  restart_service
  outcome=rolled-back
fi
if is_switched; then say_outcome; else say "$outcome"; fi
"""

_WAY_BACK = """\
target=$(readlink -f "$link" || true)
[ "$target" != "$base-$environment" ] || target=$(find_previous)
why=$(find_unusable "$target")
printf 'why=%s\\n' "$why"
[ -n "$why" ] || printf 'version=%s\\n' "$(metadata "$target" || true)"
"""


def write_roll_back_script(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact] = ()) -> str:
    """Write the script that points the link to where it pointed before a version, and restarts the service.

    Where the link points elsewhere already nothing is touched, but for a service that a run which was cut
    short left on the old files. It ends before anything is touched where the environment of before is gone.

    :param version: what the bundle brought.
    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return _write_head(mechanism, version, artefacts) + SWITCH + _ROLL_BACK


def write_way_back_script(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact] = ()) -> str:
    """Write the script that says, as ``key=value`` lines, to what the node would go back, or why it cannot.

    :raises InvalidRequestError: when the mechanism or the version is not usable.
    """
    return _write_head(mechanism, version, artefacts) + _WAY_BACK


def _write_head(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact]) -> str:
    environment = shlex.quote(name_environment(mechanism, version, artefacts))
    return f"{write_functions(mechanism)}environment={environment}\n{_PREVIOUS}"
