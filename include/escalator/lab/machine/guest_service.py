"""The service of a real guest that is one of a pair: a few commands over HTTP, for a busybox."""

from __future__ import annotations

COMMANDS = ("configure", "role", "switch", "switchover", "activate", "release")
"""What a guest can be asked for, each below ``PATH``."""
PATH = "/cgi-bin"
KEPT = "/run/pair"
"""Folder of the guest that keeps what it was told: its name, server, service and peer, a file each; and who
announces the address of the service."""

SERVICE = f"""#!/bin/sh
# One command of a member of a pair, by the name of this file. Who has the service's address is active.
kept=${{ESCALATOR_GUEST_KEPT:-{KEPT}}}
body=
if [ "${{CONTENT_LENGTH:-0}}" -gt 0 ]; then body=$(head -c "$CONTENT_LENGTH"); fi
told() {{ printf '%s' "$body" | sed -n "s/.*\\"$1\\": *\\"\\([^\\"]*\\)\\".*/\\1/p"; }}
known() {{ cat "$kept/$1" 2>/dev/null || :; }}
service=$(known service) server=$(known server) name=$(known name) peer=$(known peer)
holds() {{ [ -n "$service" ] && ip -4 addr show dev eth0 | grep -q " $service/"; }}
role() {{ if holds; then echo active; else echo standby; fi; }}
answer() {{
    printf 'Status: %s\\r\\nContent-Type: application/json\\r\\n\\r\\n' "$1"
    printf '{{"role": "%s", "server": "%s"%s}}\\n' "$(role)" "$server" "${{2:+, $2}}"
    exit 0
}}
take() {{
    if holds; then return; fi
    ip addr add "$service/32" dev eth0
    arping -q -U -I eth0 "$service" </dev/null >/dev/null 2>&1 &
    echo $! >"$kept/announcer"
}}
give_up() {{
    if ! holds; then return; fi
    kill "$(known announcer)" || :
    ip addr del "$service/32" dev eth0
}}
alone() {{
    until mkdir "$kept/lock" 2>/dev/null; do sleep 0.05; done
    trap 'rmdir "$kept/lock"' EXIT
}}
ask_peer() {{ timeout 5 wget -q -O /dev/null --post-data '{{}}' "$peer/$1"; }}
configure() {{
    for key in name server service peer; do told $key >"$kept/$key"; done
    service=$(known service) server=$(known server)
    if [ "$(told role)" = active ]; then take; fi
    answer 200
}}
switch() {{
    leaving=$(told from)
    holds || answer 200 '"switched": false'
    case "${{leaving:-$server}}" in "$server" | "$name") ;; *) answer 200 '"switched": false' ;; esac
    [ -n "$peer" ] || answer 409 '"error": "there is no peer"'
    give_up
    if ask_peer activate; then answer 200 '"switched": true'; fi
    if arping -q -D -c 2 -w 2 -I eth0 "$service"; then take; fi
    answer 503 '"error": "the peer does not take over"'
}}
switchover() {{
    if holds; then answer 200 '"switched": false'; fi
    [ -n "$service" ] || answer 409 '"error": "no address was told"'
    ask_peer release || :
    take
    answer 200 '"switched": true'
}}
activate() {{
    [ -n "$service" ] || answer 409 '"error": "no address was told"'
    take
    answer 200
}}
command=${{0##*/}}
case "$command" in
role) answer 200 ;;
switchover) switchover ;;
configure | switch | activate) alone; "$command" ;;
release) alone; give_up; answer 200 ;;
esac
"""
"""Who takes the address says so once a second, in one process that stays, as the guest does for its own.
A switch that failed takes the address back only when nobody answers for it: an answer may have been lost.
``switchover`` holds no lock, as its peer, which it asks, may be in a switch itself."""
