#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: examples_classic_test.sh LIBWDZ FOLDER
#
# The programs that come with zlib and use every corner of it, compiled from
# Debian's package against its zlib.h: what they write under libwdz, they read
# without it, and the other way round.
. "$(dirname "$0")/programs_lib.sh"
need cc gzip apt-get
make_data

examples=/usr/share/doc/zlib1g-dev/examples
if [ ! -e $examples/zpipe.c ]; then
	unpacked zlib1g-dev
	examples=$unpacked$examples
fi
classic=$scratch/classic
mkdir "$classic"

# compile NAME [CC_ARGUMENT...]: its warnings are its authors' business
compile()
{
	name=$1
	shift
	cc -w -O1 -o "$classic/$name" "$@" "$examples/$name.c" -lz 2>"$classic/$name.log" ||
		fail "$name: $(head -n 5 "$classic/$name.log")"
}

# The log keeper is a library; this is the least that uses it.
cat >"$scratch/log_main.c" <<'END'
#include <stdio.h>
#include "gzlog.h"
int main(int argc, char **argv)
{
	static char line[70000];
	size_t bytes;
	int ret = argc != 2;
	gzlog *log = gzlog_open(argv[1]);

	while (!ret && log && (bytes = fread(line, 1, sizeof(line), stdin)) > 0)
		ret = gzlog_write(log, line, bytes);
	if (!ret)
		ret = gzlog_compress(log);
	return ret || gzlog_close(log);
}
END
case_name=compile
for name in zpipe gun gzjoin gzappend fitblk gznorm example minigzip; do
	compile $name
done
compile zran -DTEST
compile gzlog "-I$examples" "$scratch/log_main.c"
[ $failures -eq 0 ] || finish

# says_the_same PROGRAM [ARGUMENT...]: in every mode
says_the_same()
{
	said=$1
	shift
	for mode in plain auto always; do
		"$scratch/in-$mode" "$classic/$said" "$@" >said.$mode 2>&1
		echo "exit status $?" >>said.$mode
		cmp -s said.plain said.$mode || fail "$said $*, $mode: $(diff said.plain said.$mode | head -n 5)"
	done
}

begin example
says_the_same example
tail -n 1 said.plain | grep -qx 'exit status 0' || fail "$(cat said.plain)"

for writer in plain auto always; do
	# Zlib reads what libwdz writes, and libwdz what zlib writes.
	reader=plain
	[ $writer != plain ] || reader=always
	begin pipe_$writer
	for name in text code zeros packed.gz small one empty; do
		file=$scratch/data/$name
		in_mode $writer "$classic/zpipe" <"$file" >$name.z || fail "zpipe $name"
		in_mode $reader "$classic/zpipe" -d <$name.z >$name.out || fail "zpipe -d $name"
		same $name.out "$file"
		for level in 1 6 9; do
			in_mode $writer "$classic/minigzip" -$level <"$file" >$name.gz || fail "minigzip"
			in_mode $reader "$classic/minigzip" -d <$name.gz >$name.out || fail "minigzip -d"
			same $name.out "$file"
			in_mode $writer "$classic/minigzip" -d <$name.gz | cmp -s - "$file" || fail "its own"
		done
		# Opens its input through inflateBack, into the file without suffix.
		rm $name.out
		mv $name.gz $name.out.gz
		expect in_mode $reader "$classic/gun" $name.out.gz
		same $name.out "$file"
	done

	begin gzip_files_$writer
	in_mode $writer "$classic/minigzip" -1 <"$scratch/data/text" >a.gz
	in_mode $writer "$classic/minigzip" -6 <"$scratch/data/code" >b.gz
	gzip -c "$scratch/data/small" >c.gz
	cat "$scratch/data/text" "$scratch/data/code" "$scratch/data/small" >joined
	# Each of these edits compressed bytes where blocks begin and end.
	in_mode $reader "$classic/gzjoin" a.gz b.gz c.gz >joined.gz || fail "gzjoin"
	gzip -dc joined.gz | cmp -s - joined || fail "gzjoin joins other data"
	cat a.gz b.gz c.gz | in_mode $reader "$classic/gznorm" >normal.gz || fail "gznorm"
	gzip -dc normal.gz | cmp -s - joined || fail "gznorm makes other data"
	expect in_mode $writer "$classic/gzappend" -1 a.gz "$scratch/data/code" "$scratch/data/small"
	gzip -dc a.gz | cmp -s - joined || fail "gzappend appends other data"
	for at in 0 1 300000 799999 1100000; do
		in_mode $writer "$classic/zran" joined.gz $at >found 2>log || fail "zran: $(cat log)"
		tail -c +$((at + 1)) joined | head -c 16384 | cmp -s found - || fail "zran at $at"
	done

	begin fit_$writer
	for size in 300 5000 200000; do
		in_mode $writer "$classic/fitblk" $size <"$scratch/data/text" >fit 2>log ||
			fail "fitblk $size: $(cat log)"
		[ "$(wc -c <fit)" -le $size ] || fail "fitblk $size does not fit"
		in_mode $reader "$classic/zpipe" -d <fit >out || fail "fitblk $size is no stream"
		head -c "$(wc -c <out)" "$scratch/data/text" | cmp -s - out || fail "fitblk $size: other data"
		[ -s out ] || fail "fitblk $size: nothing"
	done

	begin log_$writer
	in_mode $writer "$classic/gzlog" log <"$scratch/data/text" || fail "gzlog"
	in_mode $reader "$classic/gzlog" log <"$scratch/data/code" || fail "gzlog continued"
	cat "$scratch/data/text" "$scratch/data/code" >logged
	gzip -dc log.gz | cmp -s - logged || fail "gzlog logs other data"
	[ ! -s log.repairs ] || fail "gzlog repaired: $(cat log.repairs)"
done
through_queue

begin cut_and_spoilt
gzip -c "$scratch/data/text" >whole.gz
head -c 60000 whole.gz >cut.gz
{ head -c 60000 whole.gz && printf 'these bytes are wrong' && tail -c +60022 whole.gz; } >spoilt.gz
{ cat whole.gz && echo trailing; } >trailing.gz
for name in cut spoilt trailing; do
	says_the_same gun -t $name.gz
	says_the_same minigzip -c -d $name.gz
	says_the_same gzjoin $name.gz
	says_the_same zran $name.gz 20000
done

# Zlib's own cover test, which looks into its streams and counts their memory.  It needs
# headers that only the source has.
begin cover
source=$built/unpacked/zlib_1.2.13.dfsg.orig.tar.bz2
sum=71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1
if [ ! -e "$source" ]; then
	mkdir -p "$built/unpacked"
	# shellcheck disable=SC2016 # for apt-get
	for archive in $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u); do
		/usr/lib/apt/apt-helper download-file "${archive%/}/pool/main/z/zlib/${source##*/}" \
			"$PWD/source" "SHA256:$sum" >log 2>&1 && mv "$PWD/source" "$source" && break
	done
fi
if [ -e "$source" ]; then
	tar -xjf "$source" --strip-components=1
	# inflate_table() is not exported, and comes from the archive.
	cc -w -O1 -I. -o "$classic/infcover" test/infcover.c -lz -l:libz.a 2>log ||
		fail "infcover: $(head -n 5 log)"
	for mode in plain auto always; do
		expect in_mode $mode "$classic/infcover"
	done
fi

finish
