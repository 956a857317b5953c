"""What the scripts of the mechanism ``dnf`` are made of: functions of sh over dnf and rpm, pure text.

They read variables that :mod:`dnf_scripts` writes before them, among them ``wanted`` (``name-version …``) and
``rows`` (``package|version|component|service``, ``-`` for none); no word of theirs has a blank in it. In a
folder of its own, ``work``, a script keeps what dnf said it would do: ``plan``.
"""

from __future__ import annotations

from escalator.system_support.mechanisms.dnf_readers import READERS
from escalator.system_support.mechanisms.package_functions import SHARED
from escalator.system_support.mechanisms.shared_scripts import PROCESSES, WORDS

_TOOLS = r"""
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
words=
# dnf with the bundle's own repositories, where it names some, and without the locks that it lifts. What has
# to be missing is an error; packages that lost their last user stay.
only() {
  [ -z "$repositories" ] || set -- "--repo=$repositories" "$@"
  set -- dnf --setopt=best=True --setopt=keepcache=True --setopt=clean_requirements_on_remove=False \
    --setopt=*.skip_if_unavailable=False "$@"
  if [ -n "$lift" ]; then unlocked "$@"; else "$@"; fi
}
# Where dnf 4 and dnf 5 have their locks.
list_lock_files() {
  for file in $(sed -n 's/^ *locklist *= *//p' /etc/dnf/plugins/versionlock.conf 2>/dev/null) \
    /etc/dnf/versionlock.toml; do
    if [ -f "$file" ]; then echo "$file"; fi
  done
}
# Run a command that sees no locks of the packages in lift: the lists themselves stay as they are, so that
# nothing has to be put back after a kill.
unlocked() {
  number=0
  : >"$work/hide"
  for file in $(list_lock_files); do
    number=$((number + 1))
    drop_locks $lift <"$file" >"$work/locks.$number"
    echo "mount --bind $work/locks.$number $file" >>"$work/hide"
  done
  unshare --mount --propagation slave sh -ec '. "$1"; shift; exec "$@"' sh "$work/hide" "$@"
}
# Whether the last command found dnf or rpm locked.
is_locked() {
  grep -Eqi 'locked by|existing lock|another (copy|transaction) is|(obtain|get) .*lock|waiting for process' \
    "$work/said"
}
# Download what lacks; from the cache alone it proves that all is there, with the checksums of the index.
fetch() { only "$@" -y install --downloadonly $wanted; }
install() { only -C -y install $wanted; }
"""

_STATES = r"""
# What rpm has of a package: version|architecture|moment of its installation, a line for each that is there.
query() {
  rpm -q --qf '%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}|%{ARCH}|%{INSTALLTIME}\n' "$1" 2>/dev/null |
    sed 's/^0://'
}
# The version that counts of several: the wanted one, else the one that came last.
version_of() {
  query "$1" | sort -t'|' -k3,3n | awk -F'|' -v wanted="$2" '
    { last = $1 } $1 == wanted { found = $1 } END { print found != "" ? found : last }'
}
# Packages with two versions, as an interrupted transaction leaves them; kernels are meant to have several.
list_broken() {
  for name in $(printf '%s\n' "$rows" | cut -d'|' -f1); do
    case $name in kernel|kernel-*) continue ;; esac
    if query "$name" | awk -F'|' 'seen[$2]++ { twice = 1 } END { exit !twice }'; then echo "$name"; fi
  done
}
# Whether process $1 has files of package $2 that are gone, or $service began ($3) before it was installed.
is_old() {
  rpm -ql "$2" >"$work/files" 2>/dev/null || true
  if [ -n "$1" ] && sed -n 's/^[^/]*\(\/.*\) (deleted)$/\1/p' "/proc/$1/maps" 2>/dev/null |
    grep -qxFf "$work/files"; then return 0; fi
  query "$2" | cut -d'|' -f3 | sort -n | tail -n 1 | awk -v at="$3" '{ exit !(at < $1) }'
}
# Of every row: package|version|component|service|status|installed|before|activity|process. "before" is what
# runs where that is not what is installed, as the note of an installation tells it.
look() {
  printf '%s\n' "$rows" | while IFS='|' read -r package version component service; do
    found=$(version_of "$package" "$version")
    status=installed before= activity=- pid=
    [ -n "$found" ] || status=not-installed
    if [ "$service" != - ]; then
      activity=$(systemctl is-active "$service" 2>/dev/null) || true
      pid=$(main_pid) || pid=
      case $activity in
        active|reloading)
          activity=new
          if is_old "$pid" "$package" "$(moment "$(began_seconds "$pid")")"; then
            activity=old
            before=$(awk -F'|' -v name="$package" -v now="$found" '
              $1 == "plan" && $2 == "Inst" && $3 == name && $4 != "-" && $5 == now { print $4; exit }
              ' "$state/begun" 2>/dev/null) || before=
          fi ;;
      esac
    fi
    echo "$package|$version|$component|$service|$status|$found|$before|$activity|$pid"
  done
}
is_reached() { list_behind >/dev/null && [ -z "$(list_broken)" ]; }
"""

_PLANS = r"""
# What dnf would do by what its cache knows. It ends with 1 when it was asked and would do something.
foresee() {
  run only -C --setopt=exit_on_lock=True --assumeno install $wanted || true
  if ! grep -Eq '^Operation aborted|^Nothing to do' "$work/said"; then return 1; fi
  read_transaction <"$work/said" >"$work/transaction"
  if grep -q '^unread|' "$work/transaction"; then
    words="what dnf says cannot be read: $(sed -n 's/^unread|//p' "$work/transaction" | head -n 1)"
    return 1
  fi
  while IFS='|' read -r kind name version architecture; do
    old=$(version_of "$name" -)
    case $name in kernel|kernel-core|kernel-modules*) old= ;; esac
    case $kind in
      Remv) echo "plan|Remv|$name|$version" ;;
      *) echo "plan|Inst|$name|${old:--}|$version|$architecture" ;;
    esac
    [ "$kind" != Down ] || echo "down|$name"
  done <"$work/transaction" >"$work/plan"
}
# The same, where another program may have dnf locked for $1 seconds; dnf looks at nothing under a lock.
foresee_within() {
  tries=$1
  until foresee; do
    is_locked && [ "$tries" -gt 0 ] || return 1
    tries=$((tries - 2))
    sleep 2
  done
}
# The plan, and unit|package|service of what runs of its packages.
outlook() {
  cat "$work/plan"
  list_units rpm -ql
}
has_source() {
  only -C repoquery --qf '%{evr}\n' "$1" 2>/dev/null | sed 's/^0://' | grep -qxF -e "$2"
}
# Which packages of the bundle are locked, by name or by pattern; those that it lifts are not.
list_held() {
  for file in $(list_lock_files); do drop_locks $lift <"$file" | read_locks; done | sort -u >"$work/locked"
  printf '%s\n' "$rows" | cut -d'|' -f1 | while read -r name; do
    while read -r lock; do
      case $name in $lock) echo "held|$name"; break ;; esac
    done <"$work/locked"
  done
}
"""

_CHANGES = r"""
# Note what is begun, and which processes there were before it.
begin() {
  if is_ours; then grep '^process|' "$state/begun" >"$work/before" || true
  else
    note_back
    printf '%s\n' "$rows" | while IFS='|' read -r _ _ _ service; do
      [ "$service" = - ] || echo "process|$service|$(process)"
    done >"$work/before"
  fi
  { echo "$key"; cat "$work/approved" "$work/before"; } >"$state/begun.new"
  record "$state/begun"
}
# Lock the packages that were lifted to what they are now.
renew_locks() {
  for name in $lift; do
    for file in $(list_lock_files); do
      read_locks <"$file" | grep -qxF -e "$name" || continue
      run dnf -C versionlock delete "$name" && run dnf -C versionlock add "$name" || return 1
      break
    done
  done
}
# Keep the number of dnf's transaction, for a person.
note_history() {
  number=$(dnf -C history info 2>/dev/null | read_transaction_id) || number=
  [ -n "$number" ] || return 0
  echo "$number $wanted" >>"$state/history"
  say "transaction $number of dnf's"
}
# Services of others that dnf's plugin finds with old files: they are said, and left alone.
tell_old() {
  old=$(timeout 120 dnf -C needs-restarting -s 2>/dev/null | grep '\.service$' | sort -u) || old=
  [ -z "$old" ] || say "these services still run files from before: $(echo $old)"
}
"""

FUNCTIONS = (
    r"""set -euf
umask 022
export LC_ALL=C COLUMNS=400
"""
    + WORDS
    + PROCESSES
    + SHARED
    + READERS
    + _TOOLS
    + _STATES
    + _PLANS
    + _CHANGES
)
"""What every script begins with, after its variables. Nothing in it is a pattern of file names."""
