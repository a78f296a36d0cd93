#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: png_test.sh LIBWDZ FOLDER
#
# libpng through netpbm's tools and optipng: the pixels that went in come out.
. "$(dirname "$0")/programs_lib.sh"
need pnmtopng pngtopnm optipng
need_zlib "$(command -v pnmtopng)"
need_zlib "$(command -v optipng)"
make_data

# Pictures of real bytes: colours of machine code, and text in grey.
{ printf 'P6\n480 480\n255\n' && head -c 691200 "$scratch/data/code"; } >"$scratch/code.pnm"
{ printf 'P5\n1000 700\n255\n' && head -c 700000 "$scratch/data/text"; } >"$scratch/text.pnm"
{ printf 'P5\n3 2\n255\n' && head -c 6 "$scratch/data/text"; } >"$scratch/tiny.pnm"

for writer in plain auto always; do
	begin $writer
	for picture in code text tiny; do
		for options in -compression=1 -compression=6 '-compression=9 -interlace' \
			'-compression=6 -paeth' '-compression=3 -comp_strategy=huffman_only'; do
			# shellcheck disable=SC2086 # several options
			in_mode $writer pnmtopng -quiet $options ../$picture.pnm >$picture.png 2>log ||
				fail "pnmtopng $options: $(cat log)"
			for reader in plain auto always; do
				[ $reader = plain ] || [ $writer = plain ] || [ $reader = $writer ] || continue
				in_mode $reader pngtopnm -quiet $picture.png >$picture.pnm 2>log ||
					fail "pngtopnm in $reader: $(cat log)"
				same $picture.pnm ../$picture.pnm
			done
		done
		expect in_mode $writer optipng -quiet -o1 -out $picture.better.png $picture.png
		expect pngtopnm -quiet $picture.better.png
		same "$scratch/out" ../$picture.pnm
	done
	# A picture whose end is missing is an error, with and without.
	head -c 90000 code.png >cut.png
	in_mode $writer pngtopnm -quiet cut.png >cut.pnm 2>log && fail "a cut picture is whole"
done
through_queue

finish
