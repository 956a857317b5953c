"""What the scripts of the mechanism ``apt`` are made of: functions of sh over apt and dpkg, pure text.

They read variables that :mod:`apt_scripts` writes before them, among them ``wanted`` (``package=version …``)
and ``rows`` (``package|version|component|service``, ``-`` for none); no word of theirs has a blank in it. In
a folder of its own, ``work``, a script keeps what apt said it would do: ``plan`` and ``archives``.
"""

from __future__ import annotations

from escalator.system_support.mechanisms.package_functions import SHARED
from escalator.system_support.mechanisms.shared_scripts import PROCESSES, WORDS

READERS = r"""
# Packages that dpkg --audit names. One is whole without checksums of its files, in a strange architecture, or
# with triggers that wait: whoever runs dpkg next runs these.
read_audit() {
  awk '/^The following/ { counts = 1 } /md5sums|architecture|trigger/ { counts = 0 }
    /^ / && counts { sub(/:.*/, "", $1); print $1 }'
}
# Of a simulation: plan|Inst|name|old|new|architecture and plan|Remv|name|old.
read_plan() {
  awk '
    function bare(text) { gsub(/[][()]/, "", text); return text }
    $1 == "Inst" {
      at = 3; old = "-"
      if ($3 ~ /^\[/) { old = bare($3); at = 4 }
      match($0, /\[[a-z0-9-]+\]\)/)
      print "plan|Inst|" $2 "|" old "|" bare($at) "|" bare(substr($0, RSTART, RLENGTH))
    }
    $1 == "Remv" || $1 == "Purg" { print "plan|Remv|" $2 "|" bare($3) }'
}
# Of apt-cache show: file in the cache, its size, what it takes unpacked (KiB), its checksum. A package that
# does not say what it takes is taken for four times its size.
read_archives() {
  awk -F': ' '
    function out() {
      if (sum != "") {
        gsub(/:/, "%3a", version)
        print name "_" version "_" architecture ".deb", size, (takes == "" ? int(size / 256) : takes), sum
      }
      name = version = architecture = size = takes = sum = ""
    }
    $1 == "Package" { out(); name = $2 }
    $1 == "Version" { version = $2 }
    $1 == "Architecture" { architecture = $2 }
    $1 == "Size" { size = $2 }
    $1 == "Installed-Size" { takes = $2 }
    $1 == "SHA256" { sum = $2 }
    END { out() }'
}
# The reason among what apt and dpkg print: an error of dpkg's, else the first of apt's, else the last line.
# Of a script that failed, dpkg says which it was in the line below, and the script itself why in that above.
read_reason() {
  awk '
    awaited && /^ +[^ ]/ {
      sub(/^ +/, "")
      own = own " " $0 (/ script / && above != "" ? ", it said: " above : "")
    }
    { awaited = 0 }
    /^dpkg: error/ && own == "" {
      own = $0
      awaited = /:$/
      above = last
      if (above ~ /^(Setting|Preparing|Unpacking|Processing|Removing|Selecting|[(]Reading|dpkg:) /) above = ""
    }
    /^E: / && first == "" { first = substr($0, 4) }
    NF { last = $0 }
    END { print own != "" ? own : first != "" ? first : last }'
}
# The versions of package $1 that dpkg.log says were replaced after the second $2, the first one first.
read_log() {
  awk -v package="$1" -v since="$2" '
    $3 == "upgrade" { name = $4; sub(/:.*/, "", name); if (name == package && $1 " " $2 > since) print $5 }'
}
"""
"""Readers of what apt and dpkg print, each over its input."""

_TOOLS = r"""
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Downloads are made by a user of apt's own, who has to read what lies here.
chmod 0755 "$work"
if [ -n "$keyring" ]; then
  mkdir "$work/keys"
  cp "$keyring" "$work/keys/" && chmod 0644 "$work/keys/"* || true
fi
words=
lists=
# A tool of apt's, with the bundle's own sources where it has some, and never with unsigned ones.
only() {
  tool=$1
  shift
  if [ -n "$sources" ]; then
    set -- -o "Dir::Etc::SourceList=$sources" -o Dir::Etc::SourceParts=/dev/null \
      -o APT::Get::List-Cleanup=0 "$@"
  fi
  if [ -n "$keyring" ]; then
    set -- -o Dir::Etc::Trusted=/dev/null -o "Dir::Etc::TrustedParts=$work/keys" "$@"
  fi
  "$tool" $lists -o APT::Get::AllowUnauthenticated=0 -o Acquire::AllowInsecureRepositories=0 \
    -o Acquire::Retries=3 -o Acquire::http::Timeout=60 -o Acquire::https::Timeout=60 "$@"
}
# For a look and for downloads: what apt then would do is judged by its names.
ask() { only apt-get -q -y -o Dpkg::Use-Pty=0 --allow-downgrades --allow-change-held-packages "$@"; }
# For the installation: what the bundle allows, and no more. All archives are there.
install() {
  only apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=1 \
    -o "Dpkg::Options::=--force-conf$policy" --no-download $flags install $wanted
}
mend() { dpkg "--force-conf$policy" --configure -a; }
# Whether the last command found dpkg or apt's lists locked.
is_locked() {
  grep -Eqi 'could not get lock|unable to (lock|acquire)|lock was locked|locked by another' "$work/said"
}
# Who holds a lock of dpkg's, without touching it; nobody can say where there is no perl.
holder() {
  perl -MFcntl -e '
    for my $path (@ARGV) {
      open(my $file, "+<", $path) or next;
      my $lock = pack("s s x![q] q q i x![q]", F_WRLCK, 0, 0, 0, 0);
      fcntl($file, F_GETLK, $lock) or next;
      my ($type, undef, undef, undef, $pid) = unpack("s s x![q] q q i", $lock);
      if ($type != F_UNLCK) { print "process $pid holds $path\n"; last }
    }' /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock 2>/dev/null || true
}
wait_for_lock() {
  tries=$lock_seconds
  while [ -n "$(holder)" ]; do
    [ "$tries" -gt 0 ] || fail "dpkg is locked for more than $lock_seconds s: $(holder)"
    tries=$((tries - 2))
    sleep 2
  done
}
"""

_STATES = r"""
# Packages that dpkg did not bring to an end; "dpkg" where it was cut off and names none.
list_broken() {
  found=$(dpkg --audit | read_audit | sort -u)
  if [ -z "$found" ] && ls /var/lib/dpkg/updates | grep -q '^[0-9]'; then found=dpkg; fi
  [ -z "$found" ] || printf '%s\n' "$found"
}
# Whether process $1 has files of package $2 that are gone, or $service began ($3) before they were unpacked.
is_old() {
  dpkg -L "$2" >"$work/files" 2>/dev/null || true
  if [ -n "$1" ] && sed -n 's/^[^/]*\(\/.*\) (deleted)$/\1/p' "/proc/$1/maps" 2>/dev/null |
    grep -qxFf "$work/files"; then return 0; fi
  for list in "/var/lib/dpkg/info/$2.list" "/var/lib/dpkg/info/$2":*.list; do
    [ -e "$list" ] || continue
    stat -c %.2Y "$list" | awk -v at="$3" '{ exit !(at + 0.03 < $1) }' && return 0
  done
  return 1
}
log_of() { cat /var/log/dpkg.log.1 /var/log/dpkg.log 2>/dev/null | read_log "$1" "$2"; }
# Of every row: package|version|component|service|status|installed|before|activity|process. "before" is what
# runs, or was whole last, where that is not what is installed; "activity" is new or old where it runs.
look() {
  printf '%s\n' "$rows" | while IFS='|' read -r package version component service; do
    line=$(dpkg-query -W -f '${db:Status-Status}|${Version}|${Config-Version}\n' "$package" 2>/dev/null |
      head -n 1) || line=
    [ -n "$line" ] || line='not-installed||'
    status=${line%%|*} rest=${line#*|} before= activity=- pid=
    if [ "$service" != - ]; then
      activity=$(systemctl is-active "$service" 2>/dev/null) || true
      pid=$(main_pid) || pid=
      case $activity in
        active|reloading)
          at=$(moment "$(began_seconds "$pid")") activity=new
          if is_old "$pid" "${package%%:*}" "$at"; then
            activity=old
            before=$(log_of "${package%%:*}" "$(date -d "@${at%.*}" '+%F %T')" | head -n 1)
          fi ;;
      esac
    fi
    case $status in
      installed|not-installed|config-files) ;;
      *)
        before=${rest#*|}
        [ -n "$before" ] || before=$(log_of "${package%%:*}" '' | tail -n 1) ;;
    esac
    echo "$package|$version|$component|$service|$status|${rest%%|*}|$before|$activity|$pid"
  done
}
is_reached() { list_behind >/dev/null && [ -z "$(list_broken)" ]; }
"""

_PLANS = r"""
cache() { eval "$(apt-config shell at Dir::Cache::Archives/d)"; printf '%s\n' "${at%/}"; }
# What apt would do, and which archives it would do it with, by its index.
foresee() {
  run ask -s install $wanted || return 1
  read_plan <"$work/said" >"$work/plan"
  list_archives
}
recall() { grep '^plan|' "$state/begun" >"$work/plan" && list_archives; }
list_archives() {
  names=$(awk -F'|' '$2 == "Inst" { print $3 "=" $5 }' "$work/plan")
  : >"$work/archives"
  [ -z "$names" ] || only apt-cache show $names 2>/dev/null | read_archives >"$work/archives"
  awk -F'|' '$2 == "Inst" { gsub(/:/, "%3a", $5); sub(/:.*/, "", $3); print $3 "_" $5 "_" $6 ".deb" }' \
    "$work/plan" >"$work/wanted"
  folder=$(cache)
}
is_whole() {
  [ -f "$folder/$1" ] && sum=$(sha256sum <"$folder/$1" | cut -d' ' -f1) || return 1
  awk -v file="$1" -v sum="$sum" '$1 == file && $4 == sum { found = 1 } END { exit !found }' "$work/archives"
}
# Whether every archive of the plan is in the cache as the index has it; lacking is one that is not.
are_whole() {
  lacking=
  while read -r file; do is_whole "$file" || { lacking=$file; return 1; }; done <"$work/wanted"
}
drop_broken() {
  while read -r file; do is_whole "$file" || rm -f "$folder/$file"; done <"$work/wanted"
}
has_source() { [ -n "$(only apt-cache show "$1=$2" 2>/dev/null | read_archives)" ]; }
# The plan, and down|package of what would go back, unit|package|service of what runs of its packages, and
# held|package of those that are held.
outlook() {
  cat "$work/plan"
  awk -F'|' '$2 == "Inst" && $4 != "-" { print $3, $4, $5 }' "$work/plan" | while read -r package old new; do
    if dpkg --compare-versions "$new" lt "$old"; then echo "down|$package"; fi
  done
  list_units dpkg -L
  cut -d'|' -f3 "$work/plan" >"$work/names"
  apt-mark showhold | grep -xFf "$work/names" | sed 's/^/held|/' || true
}
# Lines of an outlook without the versions of before: of a package that was cut off these are others.
strip_old() { sed 's/^\(plan|Inst|[^|]*\)|[^|]*/\1/'; }
# space|mount|needed|free|what for, in KiB: what is to be downloaded, and all that is to be unpacked.
space() {
  lack=0
  while read -r file size _; do
    is_whole "$file" || lack=$((lack + size / 1024 + 1))
  done <"$work/archives"
  takes=$(awk '{ sum += $3 } END { print sum + 0 }' "$work/archives")
  df -Pk "$folder" | awk -v need="$lack" 'NR == 2 { print "space|" $6 "|" need "|" $4 "|downloads" }'
  df -Pk /usr | awk -v need="$takes" 'NR == 2 { print "space|" $6 "|" need "|" $4 "|packages" }'
}
"""

_CHANGES = r"""
# Whether another bundle of ours began an installation that was not proved to its end: an older revision.
is_left() { [ -s "$state/begun" ] && ! is_ours; }
# Mend what an earlier run of a bundle of ours left of dpkg's state; end where somebody else left it. What
# cannot be configured for a bug of its own is left to the version that comes.
sort_out() {
  broken=$(list_broken)
  [ -n "$broken" ] || return 0
  is_ours || is_left || fail "dpkg has packages in a broken state that no bundle left: $(echo $broken)"
  for name in $broken; do
    [ "$name" = dpkg ] || grep -q "^plan|Inst|$name[|:]" "$state/begun" ||
      fail "dpkg has a package in a broken state that no bundle left: $name"
  done
  patient mend || say "dpkg --configure -a does not mend all of it: $words"
  recall || return 0
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^half-installed //p' >"$work/half"
  while read -r name; do unpack "$name" || exit 1; done <"$work/half"
}
# Unpack a package that was cut off while it was unpacked: apt does not, where its version is the right one.
unpack() {
  file=$(awk -v start="$1_" 'index($0, start) == 1 { print; exit }' "$work/wanted")
  [ -n "$file" ] && is_whole "$file" || fail "$1 is half installed, and its archive is not as it was staged"
  patient dpkg "--force-conf$policy" --unpack "$folder/$file" || fail "$1 cannot be unpacked again: $words"
}
# Note what is begun, which processes there were before it, and which holds it lifts.
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
  for name in $lift; do
    if grep -qx "held|$name" "$work/outlook"; then echo "$name"; fi
  done >"$work/lifted"
  [ ! -s "$work/lifted" ] || {
    cat "$state/holds" "$work/lifted" 2>/dev/null | sort -u >"$state/holds.new"
    record "$state/holds"
  }
  trap 'put_holds_back >/dev/null 2>&1; rm -rf "$work"' EXIT
}
put_holds_back() {
  [ ! -s "$state/holds" ] || {
    patient apt-mark hold $(cat "$state/holds") && rm -f "$state/holds"
  }
}
# Say which configuration files were edited, and where the others lie.
show_conffiles() {
  for name in $(awk -F'|' '$2 == "Inst" { print $3 }' "$work/plan"); do
    dpkg-query -W -f '${Conffiles}\n' "$name" 2>/dev/null | awk '{ print $1 }' | while read -r file; do
      [ ! -e "$file.dpkg-dist" ] || say "$file was edited and stays; the new one is $file.dpkg-dist"
      [ ! -e "$file.dpkg-old" ] || say "$file was edited and replaced; the old one is $file.dpkg-old"
    done
  done
}
"""

FUNCTIONS = (
    r"""set -eu
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical
export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none APT_LISTBUGS_FRONTEND=none
case $policy in new) export UCF_FORCE_CONFFNEW=1 ;; *) export UCF_FORCE_CONFFOLD=1 ;; esac
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
"""What every script begins with, after its variables."""
