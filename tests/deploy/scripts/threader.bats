#!/usr/bin/env bats
# The scripts of the Alert Threader, where systemctl, journalctl and curl only note what they were asked. What they
# do in a real systemd: tests/real/test_threader_unit.py.

setup() {
	scripts="$BATS_TEST_DIRNAME/../../../scripts"
	export THREADER_ETC="$BATS_TEST_TMPDIR/etc" THREADER_INSTANCES="$BATS_TEST_TMPDIR/instances"
	export THREADER_UNITS="$BATS_TEST_TMPDIR/units" THREADER_PATIENCE=1
	export ASKED="$BATS_TEST_TMPDIR/asked" SICK="$BATS_TEST_TMPDIR/sick"
	mkdir -p "$THREADER_ETC" "$THREADER_UNITS" "$BATS_TEST_TMPDIR/bin"
	: >"$ASKED"
	local program
	for program in systemctl journalctl; do
		printf '#!/bin/sh\necho "%s $*" >>"$ASKED"\ncase "$*" in is-failed*) exit 1 ;; is-active*) echo active ;; esac\n' \
			"$program" >"$BATS_TEST_TMPDIR/bin/$program"
	done
	# Well, unless the release that any instance points to is one of those listed as sick.
	cat >"$BATS_TEST_TMPDIR/bin/curl" <<-'END'
		#!/bin/sh
		echo "curl $*" >>"$ASKED"
		for link in "$THREADER_INSTANCES"/*; do
			grep -qxF "$(readlink "$link")" "$SICK" 2>/dev/null && exit 22
		done
		echo '{"status":"ok","impl":"python"}'
	END
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
	export PATH="$BATS_TEST_TMPDIR/bin:$PATH"
	for program in old new; do
		mkdir -p "$BATS_TEST_TMPDIR/$program/bin"
		printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/$program/bin/tocsin"
		chmod +x "$BATS_TEST_TMPDIR/$program/bin/tocsin"
	done
	env_file one 9009
	env_file two 9010
}

env_file() { # env_file NAME PORT
	printf 'THREADER_PORT=%s\nSLACK_BOT_TOKEN=xoxb-s3cret\n' "$2" >"$BATS_TEST_TMPDIR/$1.env"
}

deploy() { # deploy RELEASE NAME…
	local release=$1 files=() name
	shift
	for name in "$@"; do files+=("$BATS_TEST_TMPDIR/$name.env"); done
	run "$scripts/deploy_template_instances.sh" "$BATS_TEST_TMPDIR/$release" "${files[@]}"
}

manage() { run "$scripts/manage_instances.sh" "$@"; }

points_to() { [ "$(readlink "$THREADER_INSTANCES/$1")" = "$BATS_TEST_TMPDIR/$2" ]; }

@test "a deployment installs the unit once, and each instance's settings, link and service" {
	deploy old one two
	[ "$status" -eq 0 ]
	cmp "$THREADER_UNITS/alert-threader@.service" "$scripts/../deploy/systemd/alert-threader@.service"
	[ "$(stat -c %a "$THREADER_ETC/one.env")" = 640 ]
	points_to one old && points_to two old
	[ "$(grep -c daemon-reload "$ASKED")" -eq 1 ]
	grep -q 'systemctl restart alert-threader@one' "$ASKED"
	grep -q 'systemctl enable --quiet alert-threader@two' "$ASKED"
	grep -q '127.0.0.1:9010/health' "$ASKED"
	[[ $output != *s3cret* ]]
}

@test "what is there already is left alone" {
	deploy old one
	: >"$ASKED"
	deploy old one
	[ "$status" -eq 0 ]
	[[ $output == *already* ]]
	! grep -q restart "$ASKED"
}

@test "one that is not well gets back what it had, and the next is not touched" {
	deploy old one two
	echo "$BATS_TEST_TMPDIR/new" >"$SICK"
	env_file one 9011
	deploy new one two
	[ "$status" -eq 1 ]
	[[ $output == *"it runs $BATS_TEST_TMPDIR/old again"* ]]
	points_to one old && points_to two old
	grep -q THREADER_PORT=9009 "$THREADER_ETC/one.env"
	[ "$(stat -c %a "$THREADER_ETC/one.env")" = 640 ]
}

@test "a first one that is not well is stopped" {
	echo "$BATS_TEST_TMPDIR/new" >"$SICK"
	deploy new one
	[ "$status" -eq 1 ]
	[[ $output == *"nothing to go back to"* ]]
	grep -q 'systemctl disable --now --quiet alert-threader@one' "$ASKED"
}

@test "what cannot be deployed is refused before anything is done" {
	run "$scripts/deploy_template_instances.sh"
	[ "$status" -eq 2 ]
	deploy missing one
	[ "$status" -eq 1 ] && [[ $output == *"has no bin/tocsin"* ]]
	deploy old three
	[ "$status" -eq 1 ] && [[ $output == *"three.env cannot be read"* ]]
	cp "$BATS_TEST_TMPDIR/one.env" "$BATS_TEST_TMPDIR/-x y.env"
	deploy old "-x y"
	[ "$status" -eq 1 ] && [[ $output == *"no name of an instance"* ]]
	[ ! -s "$ASKED" ]
}

@test "instances are started, stopped and looked at, one or all" {
	deploy old one two
	: >"$ASKED"
	manage stop one
	manage restart
	manage status two
	manage logs two --follow
	manage logs
	[ "$(cat "$ASKED")" = "$(printf '%s\n' \
		'systemctl stop alert-threader@one.service' \
		'systemctl restart alert-threader@one.service alert-threader@two.service' \
		'systemctl --no-pager status alert-threader@two.service' \
		'journalctl --no-pager --unit alert-threader@two.service --follow' \
		'journalctl --no-pager --unit alert-threader@*')" ]
}

@test "the list has each instance's port, state and health" {
	deploy old one two
	manage list
	[ "$status" -eq 0 ]
	[[ ${lines[1]} =~ ^one\ +9009\ +active\ .*\ ok$ ]]
	[[ ${lines[2]} =~ ^two\ +9010\ +active\ .*\ ok$ ]]
}

@test "an instance that is not there, and a word that is none" {
	manage start three
	[ "$status" -eq 1 ] && [[ $output == *"there is no instance three"* ]]
	manage start '../one'
	[ "$status" -eq 1 ] && [[ $output == *"no name of an instance"* ]]
	manage start
	[ "$status" -eq 1 ] && [[ $output == *"holds no .env file"* ]]
	manage
	[ "$status" -eq 2 ]
	manage dance
	[ "$status" -eq 2 ]
}
