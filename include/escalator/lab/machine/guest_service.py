"""The service of a real guest that is one of a pair: a few commands over HTTP, for a busybox."""

from __future__ import annotations

COMMANDS = ("configure", "role", "switch", "switchover", "activate", "release")
"""What a guest can be asked for, each below ``PATH``."""
PATH = "/cgi-bin"
ASK_SECONDS = 20
"""How long a member waits for its peer, on a computer with much else to do."""
KEPT = "/run/pair"
"""Folder of the guest that keeps what it was told, and which process announces the service's address."""

SERVICE = f"""#!/bin/sh
# One command of a member of a pair, by the name of this file. Who has the service's address is active.
kept=${{PAIR_KEPT:-{KEPT}}}
body= name= server= service= peer= active=
if [ "${{CONTENT_LENGTH:-0}}" -gt 0 ]; then IFS= read -r body || :; fi
if [ -e "$kept/told" ]; then
    {{ read -r name; read -r server; read -r service; read -r peer; }} <"$kept/told"
fi
told() {{
    case "$body" in
    *"\\"$1\\":"*) rest=${{body#*"\\"$1\\":"}}; rest=${{rest#*\\"}}; echo "${{rest%%\\"*}}" ;;
    *) echo ;;
    esac
}}
look() {{
    active=
    if [ -n "$service" ]; then
        case "$(ip -4 addr show dev eth0)" in *" $service/"*) active=yes ;; esac
    fi
}}
answer() {{
    if [ -n "$active" ]; then role=active; else role=standby; fi
    printf 'Status: %s\r\nContent-Type: application/json\r\n\r\n' "$1"
    printf '{{"role": "%s", "server": "%s"%s}}\n' "$role" "$server" "${{2:+, $2}}"
    exit 0
}}
take() {{
    if [ -n "$active" ]; then return; fi
    ip addr add "$service/32" dev eth0
    arping -q -U -I eth0 "$service" </dev/null >/dev/null 2>&1 &
    echo $! >"$kept/announcer"
    active=yes
}}
give_up() {{
    if [ -z "$active" ]; then return; fi
    ip addr del "$service/32" dev eth0
    read -r announcer <"$kept/announcer" && kill "$announcer" || :
    active=
}}
alone() {{
    until (set -C; : >"$kept/lock") 2>/dev/null; do sleep 0.05; done
    trap 'rm -f "$kept/lock"' EXIT
}}
ask_peer() {{ timeout {ASK_SECONDS} wget -q -O /dev/null --post-data '{{}}' "$peer/$1"; }}
configure() {{
    for key in name server service peer; do told $key; done >"$kept/told"
    {{ read -r name; read -r server; read -r service; read -r peer; }} <"$kept/told"
    look
    if [ "$(told role)" = active ]; then take; fi
    answer 200
}}
switch() {{
    leaving=$(told from)
    [ -n "$active" ] || answer 200 '"switched": false'
    case "${{leaving:-$server}}" in "$server" | "$name") ;; *) answer 200 '"switched": false' ;; esac
    [ -n "$peer" ] || answer 409 '"error": "there is no peer"'
    give_up
    if ask_peer activate; then answer 200 '"switched": true'; fi
    if arping -q -D -c 2 -w 2 -I eth0 "$service"; then take; fi
    answer 503 '"error": "the peer does not take over"'
}}
switchover() {{
    if [ -n "$active" ]; then answer 200 '"switched": false'; fi
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
release() {{ give_up; answer 200; }}
command=${{0##*/}}
case "$command" in switchover | role) ;; *) alone ;; esac
look
if [ "$command" = role ]; then answer 200; fi
"$command"
"""
"""Who takes the address says so once a second, in one process that stays, as the guest does for its own.
A switch that failed takes the address back only when nobody answers for it: an answer may have been lost.
``switchover`` holds no lock, as its peer, which it asks, may be in a switch itself. Few programs are started:
each is long under emulation, and the service is away meanwhile."""
