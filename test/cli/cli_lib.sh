#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# What the tests of the command line share; they source it with WD's path in $1
# of theirs. Gives each case an empty folder and says nothing unless one fails.
# Exit status of a test: 0 passed, 1 failed, 77 skipped.
set -u

if [ $# -ne 1 ]; then
	echo "usage: $0 PATH" >&2
	exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
under_test=$(realpath "$1")
for tool in gzip python3; do
	command -v "$tool" >/dev/null || exit 77
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
failures=0
case_name=
LC_ALL=C
export LC_ALL

wd()
{
	"$under_test" "$@"
}

fail()
{
	echo "$0: $case_name: $*" >&2
	failures=$((failures + 1))
}

# begin NAME: a new case in an empty folder of its own
begin()
{
	case_name=$1
	mkdir "$scratch/$1" && cd "$scratch/$1" || exit 1
}

# expect STATUS COMMAND...: its output goes to $scratch/out and $scratch/err
expect()
{
	wanted=$1
	shift
	"$@" >"$scratch/out" 2>"$scratch/err"
	got=$?
	[ $got -eq "$wanted" ] || fail "'$*' exits with $got, not $wanted: $(cat "$scratch/err")"
}

# says TEXT: the last expect wrote it to standard error, on its only line
says()
{
	grep -qF -e "$1" "$scratch/err" || fail "no '$1' in: $(cat "$scratch/err")"
	[ "$(wc -l <"$scratch/err")" -eq 1 ] || fail "more than a line: $(cat "$scratch/err")"
}

# silent: the last expect wrote nothing to standard error
silent()
{
	[ ! -s "$scratch/err" ] || fail "not silent: $(cat "$scratch/err")"
}

same()
{
	cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

absent()
{
	for name in "$@"; do
		[ ! -e "$name" ] || fail "$name exists"
	done
}

present()
{
	for name in "$@"; do
		[ -e "$name" ] || fail "$name does not exist"
	done
}

# only NAME...: the folder holds these and nothing else, hidden or not
only()
{
	listed=$(ls -A)
	wanted=$(printf '%s\n' "$@" | sort)
	[ "$listed" = "$wanted" ] || fail "folder holds $listed, not $*"
}

# text_sample BYTES: text that compresses; random_sample BYTES: data that does not, each
# time the same
text_sample()
{
	seq 1 $(($1 / 2 + 1)) | head -c "$1"
}

random_sample()
{
	python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(1).randbytes(int(sys.argv[1])))' "$1"
}

finish()
{
	[ $failures -eq 0 ]
	exit
}
