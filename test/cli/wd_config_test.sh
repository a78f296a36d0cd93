#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_config_test.sh WD
#
# wd config: what each origin says, which of them counts, and what is said of
# wrong ones.
. "$(dirname "$0")/cli_lib.sh"

unset WD_CONFIG WD_DEVICE WD_EMBED WD_EMBED_WORKERS WD_EMBED_SPIN_US WD_EMBED_DEPTH \
	WD_BOUNCE_MIB WD_SMALL_BYTES WD_HANG_MS WD_STATS
# What this machine's own file sets is no business of ours.
[ ! -e /etc/warpdrive.conf ] || exit 77

# line TEXT: the last expect wrote this line; blanks stand for any number of them
line()
{
	tr -s ' ' <"$scratch/out" | grep -qxF -e "$1" || fail "no '$1' in: $(cat "$scratch/out")"
}

begin defaults
expect 0 wd config
silent
cat >wanted <<END
device - default
embed hisi_zip,dummy default
embed_workers 0 default
embed_spin_us 20 default
embed_depth 0 default
bounce_mib 64 default
small_bytes auto default
hang_ms 0 default
stats off default
END
tr -s ' ' <"$scratch/out" >all
same all wanted
# Aligned: the origins begin in one column.
[ "$(sed 's/default$//' "$scratch/out" | awk '{ print length }' | sort -u | wc -l)" -eq 1 ] ||
	fail "not aligned: $(cat "$scratch/out")"
while read -r name value origin; do
	expect 0 wd config "$name"
	[ "$value" != - ] || value=
	[ "$(cat "$scratch/out")" = "$value" ] || fail "$name is '$(cat "$scratch/out")', not '$value'"
	expect 0 wd help config
	grep -q "^  $name " "$scratch/out" || fail "no help for $name from $origin"
done <wanted
expect 0 wd config --help
cp "$scratch/out" text
expect 0 wd help config
same "$scratch/out" text

begin usage
expect 1 wd config nonsense
says "nonsense: no such setting"
expect 1 wd config embed stats
grep -qF "one setting at a time" "$scratch/err" || fail "$(cat "$scratch/err")"
expect 1 wd config --nonsense
grep -qF "'--nonsense' is not an option" "$scratch/err" || fail "$(cat "$scratch/err")"

begin precedence
cat >file <<END
# for the tests
	embed_workers = 2	# a comment

embed_depth=128
END
expect 0 env WD_CONFIG=file WD_EMBED_WORKERS=3 WD_XYZ=4 "$under_test" config
silent
line "embed_workers 3 WD_EMBED_WORKERS"
line "embed_depth 128 file:4"
line "stats off default"
long=$(printf 'dummy,%.0s' 1 2 3 4 5 6 7 8 9)dummy
expect 0 env WD_EMBED="$long" "$under_test" config
line "embed $long WD_EMBED"
line "stats off default"
expect 0 env WD_DEVICE= "$under_test" config device
[ "$(cat "$scratch/out")" = "" ] || fail "device is '$(cat "$scratch/out")'"
# The other commands go by the same.
echo 'embed = none' >nothing
expect 2 env WD_CONFIG=nothing "$under_test" list
says "no device found"
echo 'device = embed:dummy-0' >other
expect 1 env WD_CONFIG=other "$under_test" compress -c other
says "no device for gzip"

begin complaints
# wrong TEXT NAME=VALUE...: one line with TEXT in these surroundings, for all commands
wrong()
{
	text=$1
	shift
	for command in config "config stats" list; do
		# shellcheck disable=SC2086 # words on purpose
		expect 1 env "$@" "$under_test" $command
		says "$text"
		[ ! -s "$scratch/out" ] || fail "'$*': '$command' writes to standard output"
	done
}
wrong "WD_EMBED_WORKERS: embed_workers cannot be '65': expected a whole number from 0 to 64" \
	WD_EMBED_WORKERS=65
wrong "WD_STATS: stats cannot be '': expected on or off" WD_STATS=
wrong "expected queues=1 to 1024, not 'queues=x'" WD_EMBED=dummy:queues=x
wrong "WD_CONFIG: No such file or directory: 'absent'" WD_CONFIG=absent
wrong "WD_CONFIG: No such file or directory: ''" WD_CONFIG=
mkdir folder
wrong "folder: is a directory" WD_CONFIG=folder
wrong "/dev/null: is not a plain file" WD_CONFIG=/dev/null
mkfifo pipe
wrong "pipe: is not a plain file" WD_CONFIG=pipe
printf 'stats = on\nhang_ms = soon\n' >bad
wrong "bad:2: hang_ms cannot be 'soon'" WD_CONFIG=bad
wrong "bad:2: hang_ms cannot be 'soon'" WD_CONFIG=bad WD_HANG_MS=1
echo 'colour = blue' >bad
wrong "bad:1: no setting is called 'colour'" WD_CONFIG=bad
printf '\nstats\0= on\n' >bad
wrong "bad:2: byte 6 is 0x00, which is no text" WD_CONFIG=bad
if [ "$(id -u)" -ne 0 ]; then
	echo 'stats = on' >bad
	chmod 0 bad
	wrong "WD_CONFIG: Permission denied: 'bad'" WD_CONFIG=bad
fi

finish
