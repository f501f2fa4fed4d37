#!/usr/bin/env bash
# Install or update instances of the Alert Threader on this machine, one after the other.
#
#   deploy_template_instances.sh RELEASE ENV_FILE…
#
# RELEASE is a folder with bin/tocsin, such as a virtual environment into which Tocsin was installed. Each
# ENV_FILE is called <instance>.env. An instance that is not well afterwards gets back its release and settings
# of before, and the rest is left as it is.
set -euo pipefail

etc=${THREADER_ETC:-/etc/alert-threader.d}
links=${THREADER_INSTANCES:-/opt/alert-threader/instances}
units=${THREADER_UNITS:-/etc/systemd/system}
patience=${THREADER_PATIENCE:-30}
unit=$(dirname "$0")/../deploy/systemd/alert-threader@.service

say() { echo "deploy_template_instances.sh: $*"; }

fail() {
	say "$*" >&2
	exit 1
}

setting() { # setting FILE NAME DEFAULT
	local value
	value=$(sed -n "s/^$2=//p" "$1" | tail -n 1)
	value=${value%\"} value=${value#\"}
	echo "${value:-$3}"
}

well() { # well INSTANCE [SECONDS]: whether it answers 200 before our patience ends
	local host url until=$((SECONDS + ${2:-$patience}))
	host=$(setting "$etc/$1.env" THREADER_HOST 127.0.0.1)
	case $host in 0.0.0.0 | ::) host=127.0.0.1 ;; *:*) host="[$host]" ;; esac
	url="http://$host:$(setting "$etc/$1.env" THREADER_PORT 9009)/health"
	while :; do
		if systemctl is-active --quiet "alert-threader@$1" && curl --silent --fail --max-time 3 "$url" >/dev/null; then
			return 0
		fi
		systemctl is-failed --quiet "alert-threader@$1" && return 1
		((SECONDS < until)) || return 1
		sleep 0.2
	done
}

point() { # point INSTANCE RELEASE: in one step, so that there is always one
	ln -s "$2" "$links/.$1.new"
	mv --no-target-directory "$links/.$1.new" "$links/$1"
}

put() { # put FILE INSTANCE: its settings, never readable for others
	install --mode=0640 "$1" "$etc/.$2.new"
	mv "$etc/.$2.new" "$etc/$2.env"
}

start() { # start INSTANCE: anew; an end that came too often before does not count
	systemctl reset-failed "alert-threader@$1" 2>/dev/null || true
	systemctl restart "alert-threader@$1" || true
}

deploy() { # deploy ENV_FILE
	local name before kept
	name=$(basename "$1" .env)
	before=$(readlink "$links/$name" || true)
	if [[ $before == "$release" && -z $renewed ]] && cmp --silent "$1" "$etc/$name.env" && well "$name" 1; then
		say "$name runs $release already"
		return
	fi
	kept=$(mktemp)
	[[ -e $etc/$name.env ]] && cat "$etc/$name.env" >"$kept"
	put "$1" "$name"
	point "$name" "$release"
	systemctl enable --quiet "alert-threader@$name"
	start "$name"
	if well "$name"; then
		rm "$kept"
		say "$name runs $release"
		return
	fi
	journalctl --no-pager --lines=20 --unit "alert-threader@$name" >&2 || true
	if [[ -z $before ]]; then
		rm "$kept"
		systemctl disable --now --quiet "alert-threader@$name"
		fail "$name is not well with $release, and there is nothing to go back to: it is stopped"
	fi
	point "$name" "$before"
	put "$kept" "$name"
	rm "$kept"
	start "$name"
	well "$name" || fail "$name is not well with $release, and neither with $before, which it has again"
	fail "$name is not well with $release: it runs $before again"
}

[[ $# -ge 2 ]] || {
	sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
release=$(realpath "$1")
shift
[[ -x $release/bin/tocsin ]] || fail "$release has no bin/tocsin"
for file in "$@"; do
	[[ $file == *.env && -r $file ]] || fail "$file cannot be read, or is not called <instance>.env"
	[[ $(basename "$file" .env) =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] || fail "$file: that is no name of an instance"
done
install --directory --mode=0750 "$etc"
install --directory --mode=0755 "$links"
renewed=
if ! cmp --silent "$unit" "$units/alert-threader@.service"; then
	install --mode=0644 "$unit" "$units/alert-threader@.service"
	systemctl daemon-reload
	renewed=yes
fi
for file in "$@"; do
	deploy "$file"
done
