"""Readers of what dnf and rpm print: functions of sh over awk, pure text; for dnf 4 and dnf 5."""

from __future__ import annotations

READERS = r"""
# Of what dnf shows before it asks: Inst|name|version|architecture, Down|… of what goes back, and
# Remv|name|version.
# A table that cannot be read whole says unread|why: its rows are counted, and compared with dnf's own count.
read_transaction() {
  awk '
    function is_architecture(word) {
      return word ~ /^(noarch|x86_64|aarch64|i[3-6]86|ppc64le|s390x|riscv64)$/
    }
    function take(text,   word, count) {
      count = split(text, word, " ")
      if (count >= 3 && is_architecture(word[2])) {
        last = word[1]
        if (word[3] == "<-") word[3] = word[5]
        if (kind != "") { rows++; print kind "|" word[1] "|" word[3] (kind == "Remv" ? "" : "|" word[2]) }
        return 1
      }
      return 0
    }
    function replace(   name, version) {
      name = $2; version = $3
      if (is_architecture($3)) version = $4
      else sub(/\.[^.]*$/, "", name)
      if (name != last) print "Remv|" name "|" version
    }
    /^ *Package +Arch/ { inside = 1; next }
    /^Transaction Summary/ { inside = 0; counting = 1; next }
    counting && $2 ~ /^[0-9]+$/ && $3 ~ /^[Pp]ackages?$/ &&
      $1 ~ /^(Install|Upgrade|Downgrade|Reinstall|Remove|((Install|Reinstall|Upgrad|Downgrad|Remov)ing:))$/ {
      told += $2
    }
    !inside || /^=+$/ || /^[[:space:]]*$/ || /^\(/ { next }
    /^[A-Z].*:$/ {
      held = ""
      if ($0 ~ /^(Installing|Upgrading|Reinstalling)( dependencies| weak dependencies)?:$/) kind = "Inst"
      else if ($0 ~ /^Downgrading:$/) kind = "Down"
      else if ($0 ~ /^Removing( dependent packages| unused dependencies)?:$/) kind = "Remv"
      else if ($0 ~ /^(Skipping|Changing reason)/) kind = ""
      else { print "unread|" $0; kind = "" }
      next
    }
    $1 == "replacing" { replace(); next }
    {
      if (take($0)) { held = ""; next }
      if (held != "" && take(held " " $0)) { held = ""; next }
      held = NF < 3 ? $0 : ""
    }
    END { if (told != rows) print "unread|" told + 0 " packages are announced, and " rows + 0 " are shown" }'
}
# The reason among what dnf prints: what the solver found, else what is filtered or not there, else its error.
read_reason() {
  awk '
    /^[[:space:]]*Problem( [0-9]+)?: / && problem == "" {
      sub(/^[[:space:]]*/, ""); problem = $0; below = 1; next
    }
    below && /^[[:space:]]*- / { sub(/^[[:space:]]*- */, ""); problem = problem ": " $0 }
    { below = 0 }
    /^All matches were filtered|^Argument .* filtered/ && filtered == "" { filtered = $0 }
    /^No match(es)? for argument|^No match for/ && lacking == "" { lacking = $0 }
    /already locked by|existing lock/ && locked == "" { locked = $0 }
    /^Error: ./ && error == "" { error = substr($0, 8) }
    /scriptlet failed|^Error in .* scriptlet/ && script == "" { script = $0 }
    NF { last = $0 }
    END {
      if (locked != "") print locked
      else if (problem != "") print problem
      else if (filtered != "") print filtered
      else if (lacking != "") print lacking
      else if (script != "") print script
      else print error != "" ? error : last
    }'
}
# The names, or patterns of names, in a list of locks: of dnf 4 (name-version-release.*), of dnf 5 (TOML).
read_locks() {
  sed -n -e '/^[[:space:]]*#/d' -e 's/^[[:space:]]*name *= *"\([^"]*\)".*/\1/p;t' \
    -e '/=/d' -e '/^[[:space:]]*\[/d' -e 's/^!//' -e 's/-[^-]*-[^-]*$//p'
}
# A list of locks without those of the packages $@.
drop_locks() {
  awk -v names="$*" '
    BEGIN { count = split(names, listed, " "); for (i = 1; i <= count; i++) lifted[listed[i]] = 1 }
    function out() { if (block != "" && !drop) printf "%s", block; block = ""; drop = 0 }
    /^\[\[packages\]\]/ { out(); block = $0 "\n"; next }
    block != "" {
      block = block $0 "\n"
      if ($1 == "name") {
        name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
        if (name in lifted) drop = 1
      }
      next
    }
    { name = $0; sub(/^!/, "", name); sub(/-[^-]*-[^-]*$/, "", name); if (!(name in lifted)) print }
    END { out() }'
}
read_transaction_id() { sed -n 's/^Transaction ID *: *\([0-9][0-9]*\).*/\1/p' | head -n 1; }
"""
