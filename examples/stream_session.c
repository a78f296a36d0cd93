/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A stream session: standard input to standard output, in pieces of any size.
 * Compresses to gzip; with -d decompresses, any number of members.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wd/comp.h>

static char in[65536], out[65536];

static int complain(const char *what)
{
	fprintf(stderr, "stream_session: %s\n", what);
	return 1;
}

/* Gives all of io->src to the session and writes what comes out of it. */
static int feed(struct wd_comp *comp, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	bool is_more;

	do {
		int err;

		io->dst = out;
		io->dst_len = sizeof(out);
		err = wd_comp_stream(comp, io, flush);
		if (err)
			return complain(wd_error_text(err));
		if (fwrite(out, 1, io->produced, stdout) != io->produced)
			return complain("cannot write");

		is_more = io->consumed < io->src_len;
		io->src = (const char *)io->src + io->consumed;
		io->src_len -= io->consumed;
		switch (io->head.status) {
		case WD_STATUS_OK: /* output that just filled the room may not be all */
			is_more = is_more || io->produced == sizeof(out);
			break;
		case WD_STATUS_OUTPUT_FULL:
			is_more = true;
			break;
		case WD_STATUS_STREAM_END: /* goes on if another gzip member follows */
			if (is_more && !io->consumed && !io->produced)
				return complain("something follows the compressed data");
			break;
		default:
			return complain(wd_status_text(io->head.status));
		}
	} while (is_more);
	return 0;
}

static int pump(struct wd_comp *comp)
{
	struct wd_comp_io io = { 0 };

	while (!feof(stdin)) {
		io.src = in;
		io.src_len = fread(in, 1, sizeof(in), stdin);
		if (ferror(stdin))
			return complain("cannot read");
		if (feed(comp, &io, feof(stdin) ? WD_COMP_FINISH : WD_COMP_NO_FLUSH))
			return 1;
	}
	if (io.head.status != WD_STATUS_STREAM_END)
		return complain("the input was cut short");
	return fflush(stdout) ? complain("cannot write") : 0;
}

int main(int argc, char **argv)
{
	bool is_decompress = argc == 2 && strcmp(argv[1], "-d") == 0;
	struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = is_decompress ? WD_OP_DECOMPRESS : WD_OP_COMPRESS,
		.format = WD_COMP_GZIP,
		.level = WD_COMP_LEVEL_DEFAULT,
	};
	struct wd_comp *comp;
	int err;

	if (argc > 1 && !is_decompress)
		return complain("usage: stream_session [-d] < IN > OUT");
	err = wd_comp_open(&opts, &comp);
	if (err)
		return complain(wd_error_text(err));
	err = pump(comp);
	wd_comp_close(comp);
	return err;
}
