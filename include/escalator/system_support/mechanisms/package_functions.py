"""Functions of sh that the mechanisms of packages share, over their own ``look`` and ``is_locked``."""

from __future__ import annotations

SHARED = r"""
is_ours() { [ "$(head -n 1 "$state/begun" 2>/dev/null)" = "$key" ]; }
# Which process a service has: boot, process id and when it began.
process() { pid=$(main_pid) && printf '%s %s %s\n' "$(boot)" "$pid" "$(began "$pid")"; }
# When $service began, in seconds since the boot: its process, or itself where it keeps none.
began_seconds() {
  if [ -n "$1" ]; then began "$1" | awk '{ printf "%.2f", $1 / 100 }'
  else systemctl show -P ActiveEnterTimestampMonotonic "$service" | awk '{ printf "%.2f", $1 / 1000000 }'; fi
}
# The moment that lies $1 seconds after the boot, on the clock that dates files.
moment() {
  read -r up _ </proc/uptime
  date +%s.%N | awk -v up="$up" -v at="$1" '{ printf "%.2f", $1 - up + at }'
}
# The rows that are not as the bundle wants them, and how they are; fails when there is one.
list_behind() {
  look | awk -F'|' -v compute="$compute" '
    function tell(words) { printf "%s%s", (bad++ ? "; " : ""), words }
    $5 != "installed" { tell($1 " is " $5); next }
    $6 != $2 { tell($1 " is " $6); next }
    $8 == "old" { tell("the process of " $4 " is from before " $1 " " $6) }
    $8 != "new" && $1 == compute { tell($4 " does not run: systemd says " $8) }
    END { exit (bad > 0) }'
}
# unit|package|service of what runs of the packages of the plan; $@ lists the files of a package.
list_units() {
  systemctl list-units --type=service --state=active,reloading,activating --plain --no-legend --no-pager |
    awk '{ print $1 }' >"$work/running"
  awk -F'|' '$1 == "plan" { print $3 }' "$work/plan" | while read -r package; do
    "$@" "$package" 2>/dev/null | sed -n 's|.*/systemd/system/\([^/]*\.service\)$|\1|p' | sort -u |
      awk -v package="$package" '
        NR == FNR { runs[$1] = 1; next }
        { template = $1; sub(/\.service$/, "", template)
          for (unit in runs)
            if (unit == $1 || (template ~ /@$/ && index(unit, template) == 1))
              print "unit|" package "|" unit }
        ' "$work/running" -
  done
}
# Run a command; where it fails, words say why. What it leaves behind holds no lock of ours.
run() {
  code=0
  "$@" >"$work/said" 2>&1 7>&- </dev/null || code=$?
  words=$(read_reason <"$work/said")
  return "$code"
}
# Run a command that may find the packages locked, until they are not.
patient() {
  tries=$lock_seconds
  while :; do
    code=0
    tell "$@" || code=$?
    [ "$code" != 0 ] || return 0
    is_locked && [ "$tries" -gt 0 ] || return "$code"
    tries=$((tries - 2))
    sleep 2
  done
}
# Run a command, and let what it says go to the log at once; no pipe, which a daemon could keep open.
tell() {
  log="/proc/$$/fd/1"
  if [ -f "$log" ]; then
    code=0
    old=$(wc -c <"$log")
    "$@" 2>&1 7>&- || code=$?
    tail -c "+$((old + 1))" <"$log" >"$work/said"  # opened in this order: some shells redirect themselves
    words=$(read_reason <"$work/said")
    return "$code"
  fi
  code=0
  run "$@" || code=$?
  cat "$work/said"
  return "$code"
}
# Note what the packages are before a plan is carried out: back|package|old|new, "-" for none; those of the
# bundle that stay as they are, too. Of what an older revision left half-way it is what that one noted.
note_back() {
  [ -s "$work/plan" ] || return 0
  older="$state-back/$(head -n 1 "$state/begun" 2>/dev/null || true)"
  [ -f "$older" ] || older=/dev/null
  mkdir -p "$state-back"
  look >"$work/rows"
  { sed 's/^/older|/' "$older"; cat "$work/plan"; sed 's/^/row|/' "$work/rows"; } | awk -F'|' -v OFS='|' '
    $1 == "older" { was[$3] = $4; next }
    $1 == "plan" && $2 == "Inst" { print "back", $3, ($3 in was ? was[$3] : $4), $5; told[$3] = 1 }
    $1 == "plan" && $2 == "Remv" { print "back", $3, $4, "-" }
    $1 == "row" && $6 == "installed" && !($2 in told) {
      print "back", $2, ($2 in was ? was[$2] : $7), $7 }' >"$state-back/$key.new"
  record "$state-back/$key"
}
# What the packages were before, as it was noted, or what they are now; and which of that a source has.
tell_back() {
  now=$(look | awk -F'|' -v compute="$compute" '$1 == compute && $5 != "not-installed" { print $6 }')
  echo "now|$now"
  noted="$state-back/$key"
  if [ -f "$noted" ] && { [ -s "$state/begun" ] || awk -F'|' -v compute="$compute" -v now="$now" '
      $2 == compute && ($3 == now || $4 == now) { found = 1 } END { exit !found }' "$noted"; }; then
    echo "noted|yes"
    cat "$noted" >"$work/back"
  else
    look | awk -F'|' '$5 == "installed" { print "back|" $1 "|" $6 "|" $2 }' >"$work/back"
  fi
  cat "$work/back"
  while IFS='|' read -r _ package old new; do
    if [ "$old" != - ] && [ "$old" != "$new" ] && has_source "$package" "$old" </dev/null; then
      echo "have|$package"
    fi
  done <"$work/back"
}
record() {
  sync "$1.new" 2>/dev/null || sync
  mv -T "$1.new" "$1"
}
# Restart what still runs the old files; of others than nova-compute only what runs.
restart_old() {
  look | while IFS='|' read -r package _ _ service _ _ _ activity _; do
    [ "$service" != - ] || continue
    stayed=no
    if grep -q "^plan|Inst|$package|" "$state/begun" &&
      grep -qx "process|$service|$(process)" "$state/begun"; then stayed=yes; fi
    case $package.$activity.$stayed in
      *.new.no) ;;
      "$compute".*|*.old.*|*.new.yes)
        systemctl reset-failed "$service" 2>/dev/null || true
        systemctl restart "$service" </dev/null 7>&- || fail "$service does not start" ;;
    esac
  done
}
"""
"""``is_locked`` tells from ``$work/said`` whether a foreign lock was in the way; ``has_source``, of a package
and a version, whether a source that the node knows has it; ``look`` says of a row
package|version|component|service|status|installed|before|activity|process.
"""
