#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_small_disk_test.sh WD
#
# A disk that fills up: the error is told, nothing is left there, the input
# stays.  Needs a name space in which it may mount; skipped where there is none.
. "$(dirname "$0")/cli_lib.sh"

unshare -rm mount -t tmpfs none /mnt 2>/dev/null || {
	echo "may not mount a small disk" >&2
	exit 77
}

begin small_disk
random_sample 3000000 >plain
gzip -kn plain
cp plain plain.kept
cp plain.gz plain.gz.kept
mkdir small
export under_test
unshare -rm sh -c '
	mount -t tmpfs -o size=1m none small || exit
	for name in plain plain.gz; do
		option=$([ $name = plain ] || echo -d)
		"$under_test" compress $option -o small/out $name 2>$name.err
		[ $? -eq 1 ] || exit
		[ -z "$(ls -A small)" ] || exit
	done' || fail "a full disk: $(cat ./*.err)"
for name in plain plain.gz; do
	grep -q '^wd: small/out: No space left on device$' $name.err || fail "$name: $(cat $name.err)"
	cmp -s $name $name.kept || fail "$name did not stay as it was"
done

finish
