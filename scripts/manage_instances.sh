#!/usr/bin/env bash
# Start, stop and look at the instances of the Alert Threader on this machine.
#
#   manage_instances.sh start|stop|restart|status [INSTANCE…]   all of them where none is named
#   manage_instances.sh logs [INSTANCE] [journalctl's options]  such as: logs one --follow
#   manage_instances.sh list                                    each with its port, state and health
set -euo pipefail

etc=${THREADER_ETC:-/etc/alert-threader.d}

usage() {
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

fail() {
	echo "manage_instances.sh: $*" >&2
	exit 1
}

instances() {
	local file
	for file in "$etc"/*.env; do
		[[ -e $file ]] && basename "$file" .env
	done
	return 0
}

known() { # known INSTANCE: it has an env file
	[[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] || fail "'$1' is no name of an instance"
	[[ -e $etc/$1.env ]] || fail "there is no instance $1: $etc/$1.env is missing"
}

setting() { # setting INSTANCE NAME DEFAULT: from its env file
	local value
	value=$(sed -n "s/^$2=//p" "$etc/$1.env" | tail -n 1)
	value=${value%\"} value=${value#\"}
	echo "${value:-$3}"
}

health() { # health INSTANCE: what /health says, in a word
	local host answer
	host=$(setting "$1" THREADER_HOST 127.0.0.1)
	case $host in 0.0.0.0 | ::) host=127.0.0.1 ;; *:*) host="[$host]" ;; esac
	answer=$(curl --silent --max-time 3 "http://$host:$(setting "$1" THREADER_PORT 9009)/health") || true
	answer=$(sed -n 's/.*"status" *: *"\([a-z]*\)".*/\1/p' <<<"$answer")
	echo "${answer:-unreachable}"
}

list() {
	local name
	printf '%-24s %-6s %-10s %-10s %s\n' INSTANCE PORT STATE ENABLED HEALTH
	while read -r name; do
		printf '%-24s %-6s %-10s %-10s %s\n' "$name" "$(setting "$name" THREADER_PORT 9009)" \
			"$(systemctl is-active "alert-threader@$name" || true)" \
			"$(systemctl is-enabled "alert-threader@$name" 2>/dev/null || true)" "$(health "$name")"
	done < <(instances)
}

units() { # units INSTANCE…: their units, one a line
	local name
	for name in "$@"; do
		known "$name"
		echo "alert-threader@$name.service"
	done
}

logs() {
	local which=(--unit 'alert-threader@*')
	if [[ $# -gt 0 && $1 != -* ]]; then
		known "$1"
		which=(--unit "alert-threader@$1.service")
		shift
	fi
	exec journalctl --no-pager "${which[@]}" "$@"
}

verb=${1:-}
[[ $# -gt 0 ]] && shift
case $verb in
start | stop | restart | status)
	if [[ $# -eq 0 ]]; then
		mapfile -t chosen < <(instances)
		[[ ${#chosen[@]} -gt 0 ]] || fail "there is no instance: $etc holds no .env file"
		set -- "${chosen[@]}"
	fi
	told=$(units "$@")
	mapfile -t chosen <<<"$told"
	[[ $verb == status ]] && exec systemctl --no-pager status "${chosen[@]}"
	exec systemctl "$verb" "${chosen[@]}"
	;;
logs) logs "$@" ;;
list) list ;;
*) usage ;;
esac
