#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_memory_test.sh WD
#
# A file of any size takes at most 64 MiB of memory: a quarter of a gibibyte, part of it
# text, part noise, part zeros, goes through pipes and is read from files.
. "$(dirname "$0")/cli_lib.sh"

# A sanitizer's own memory would be counted.
if ldd "$under_test" | grep -q 'lib[atu]*san'; then
	exit 77
fi

MOST_KIB=65536

# measured COMMAND...: fails if wd, the only child, took more
measured()
{
	python3 - "$MOST_KIB" "$under_test" "$@" <<'PY' || fail "'$*' takes too much memory, or fails"
import resource, subprocess, sys
most, command = int(sys.argv[1]), sys.argv[2:]
status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
if taken > most:
    print(f"{taken} KiB", file=sys.stderr)
sys.exit(status != 0 or taken > most)
PY
}

begin large
{
	random_sample 5000000
	text_sample 20000000
} >part
i=0
while [ $i -lt 5 ]; do
	cat part
	i=$((i + 1))
done >large
truncate -s 256M large
for level in --fastest -1 -6; do
	measured compress -kf $level large
done
gzip -dc large.gz | cmp -s - large || fail "gzip restores it differently"
measured decompress -o back large.gz
same back large
measured decompress -l large.gz >table
grep -q ' 268435456 .* large$' table || fail "$(cat table)"
gzip -1 -c large >large.gz
measured decompress -t large.gz

finish
