#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# What the tests of real programs share; they source it with two arguments:
# the path of libwdz.so.1, and the folder where the programs of this folder were
# built.  Gives them an empty folder $scratch, data in it, and modes: a program
# runs "plain", or with libwdz preloaded and WDZ "auto" or "always" (everything
# that can go through a queue does).  What one mode wrote, another reads.
# Exit status of a test: 0 passed, 1 failed, 77 skipped.
set -u

if [ $# -ne 2 ]; then
	echo "usage: $0 LIBWDZ FOLDER" >&2
	exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
libwdz=$(realpath "$1")
built=$(realpath "$2")
# Debian's own programs, not what somebody has put in front of them.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset LD_PRELOAD LD_LIBRARY_PATH WDZ WDZ_DEFLATE_MIN WDZ_INFLATE_MIN WDZ_GATHER_KIB

# As short as can be: paths of sockets and LD_PRELOAD, which knows no quotes, hold it.
scratch=$(mktemp -d /tmp/wdz.XXXXXX) || exit 1
# Some programs give up their rights on the way.
chmod 755 "$scratch"
running=
failures=0
case_name=

clean_up()
{
	for pid in $running; do
		kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 1' HUP INT PIPE TERM

skip()
{
	echo "$1"
	exit 77
}

fail()
{
	echo "$0: $case_name: $*" >&2
	failures=$((failures + 1))
}

# need PROGRAM...
need()
{
	for needed in "$@"; do
		command -v "$needed" >/dev/null || skip "$needed is missing"
	done
}

# need_zlib FILE: skips where a program or library brings its own zlib
need_zlib()
{
	ldd "$1" 2>/dev/null | grep -q 'libz\.so\.1' || skip "$1 does not use libz.so.1"
}

# unpacked PACKAGE: the folder in $unpacked that holds the files of a Debian package.  For
# what must not be installed for a test: installing a daemon starts it.
unpacked()
{
	unpacked=$built/unpacked/$1
	[ ! -d "$unpacked" ] || return 0
	command -v dpkg-deb >/dev/null || skip "$1 is missing"
	mkdir -p "$built/unpacked" "$scratch/debs"
	# shellcheck disable=SC2015 # either may fail
	(cd "$scratch/debs" && apt-get -q download "$1") >"$scratch/apt.log" 2>&1 &&
		dpkg-deb -x "$scratch/debs/$1"_*.deb "$unpacked.$$" 2>>"$scratch/apt.log" ||
		skip "$1 is missing and cannot be downloaded: $(tail -n 1 "$scratch/apt.log")"
	rm -rf "$scratch/debs"
	mv "$unpacked.$$" "$unpacked"
}

# as USER COMMAND...: root gives up its rights for it
as()
{
	whom=$1
	shift
	setpriv --reuid="$whom" --regid=nogroup --clear-groups "$@"
}

# begin NAME: a new case in an empty folder of its own
begin()
{
	case_name=$1
	mkdir "$scratch/$1" && cd "$scratch/$1" || exit 1
}

# make_mode NAME [VARIABLE=VALUE...]: the script $scratch/in-NAME runs a command that way.
# A script, so that programs which start their other end through one can use it too.
make_mode()
{
	mode_file=$scratch/in-$1
	shift
	{
		echo '#!/bin/sh'
		echo 'unset LD_PRELOAD WDZ'
		[ $# -eq 0 ] || echo "export $*"
		echo 'exec "$@"'
	} >"$mode_file"
	chmod 755 "$mode_file"
}

# in_mode MODE COMMAND...
in_mode()
{
	run_mode=$1
	shift
	"$scratch/in-$run_mode" "$@"
}

# expect COMMAND...: succeeds; what it says goes to $scratch/out and $scratch/err
expect()
{
	"$@" >"$scratch/out" 2>"$scratch/err" ||
		fail "'$*' exits with $?: $(tail -n 5 "$scratch/err" "$scratch/out")"
}

# start MODE LOG COMMAND...: in the background, until the end of the test or stop; $started
# is its process
start()
{
	run_mode=$1
	run_log=$2
	shift 2
	"$scratch/in-$run_mode" "$@" >"$run_log" 2>&1 </dev/null &
	started=$!
	running="$running $started"
}

# stop SIGNAL: what was started last; its exit status in $stopped
stop()
{
	kill "-$1" "$started"
	wait "$started"
	# shellcheck disable=SC2034 # for the caller
	stopped=$?
	running=${running%" $started"}
}

# wait_for COMMAND...: until it succeeds, at most about 20 seconds
wait_for()
{
	attempts=0
	until "$@" 2>/dev/null; do
		attempts=$((attempts + 1))
		if [ $attempts -gt 400 ] || ! kill -0 "$started" 2>/dev/null; then
			return 1
		fi
		sleep 0.05
	done
}

same()
{
	cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

same_tree()
{
	diff -r "$1" "$2" >"$scratch/diff" 2>&1 || fail "$1 and $2 differ: $(head -n 5 "$scratch/diff")"
}

# through_queue: some program that ran with "always" since the last call had loaded libwd
through_queue()
{
	set -- "$scratch"/witness/*
	[ -e "$1" ] || fail "nothing went through a queue"
	rm -f "$scratch"/witness/*
}

# Data as programs meet it; the same on one machine, and of all kinds: text, machine code,
# what is compressed already, and hardly anything.
make_data()
{
	mkdir "$scratch/data"
	cat "$here"/../../src/*/*.c "$here"/../*/*.c | head -c 800000 >"$scratch/data/text"
	head -c 700000 "$(ldd /bin/sh | awk '/libc\.so/ { print $3 }')" >"$scratch/data/code"
	gzip -9 -c "$scratch/data/text" >"$scratch/data/packed.gz"
	head -c 2000000 /dev/zero >"$scratch/data/zeros"
	head -c 700 "$scratch/data/text" >"$scratch/data/small"
	printf x >"$scratch/data/one"
	: >"$scratch/data/empty"
}

# ephemeral_port: one that was free a moment ago, in $port
ephemeral_port()
{
	# shellcheck disable=SC2034 # for the caller
	port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
}

finish()
{
	[ $failures -eq 0 ]
	exit
}

case $libwdz$scratch in
*[!A-Za-z0-9_./+-]*) skip "LD_PRELOAD cannot name $libwdz" ;;
esac
mkdir -m 1777 "$scratch/witness"
witness="WITNESS_LIBRARY=libwd.so.1 WITNESS_FOLDER=$scratch/witness"
make_mode plain
make_mode auto "LD_PRELOAD=$libwdz" WDZ=auto
# shellcheck disable=SC2086 # two assignments
make_mode always "LD_PRELOAD=$libwdz:$built/witness.so" WDZ=always $witness
# The loader goes on without what it cannot preload, and every test would pass.
in_mode always cat /proc/self/maps >"$scratch/maps" 2>&1
for library in "$libwdz" "$built/witness.so"; do
	grep -qF "$library" "$scratch/maps" || {
		echo "$0: $library cannot be preloaded: $(head -n 2 "$scratch/maps")" >&2
		exit 1
	}
done
