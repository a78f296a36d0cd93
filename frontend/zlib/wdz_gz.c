/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * gzip files: the system's zlib does them.  Where we stand in for it in a whole
 * program, it calls deflate() and inflate() by name, which are ours.
 */
#include <stdarg.h>

#include "wdz_system.h"

int gzbuffer(gzFile file, unsigned size)
{
	return wdz_system()->gzbuffer(file, size);
}

void gzclearerr(gzFile file)
{
	wdz_system()->gzclearerr(file);
}

int gzclose(gzFile file)
{
	return wdz_system()->gzclose(file);
}

int gzclose_r(gzFile file)
{
	return wdz_system()->gzclose_r(file);
}

int gzclose_w(gzFile file)
{
	return wdz_system()->gzclose_w(file);
}

int gzdirect(gzFile file)
{
	return wdz_system()->gzdirect(file);
}

gzFile gzdopen(int fd, const char *mode)
{
	return wdz_system()->gzdopen(fd, mode);
}

int gzeof(gzFile file)
{
	return wdz_system()->gzeof(file);
}

const char *gzerror(gzFile file, int *errnum)
{
	return wdz_system()->gzerror(file, errnum);
}

int gzflush(gzFile file, int flush)
{
	return wdz_system()->gzflush(file, flush);
}

z_size_t gzfread(voidp buf, z_size_t size, z_size_t nitems, gzFile file)
{
	return wdz_system()->gzfread(buf, size, nitems, file);
}

z_size_t gzfwrite(voidpc buf, z_size_t size, z_size_t nitems, gzFile file)
{
	return wdz_system()->gzfwrite(buf, size, nitems, file);
}

int gzgetc(gzFile file)
{
	return wdz_system()->gzgetc(file);
}

int gzgetc_(gzFile file)
{
	return wdz_system()->gzgetc_(file);
}

char *gzgets(gzFile file, char *buf, int len)
{
	return wdz_system()->gzgets(file, buf, len);
}

z_off_t gzoffset(gzFile file)
{
	return wdz_system()->gzoffset(file);
}

z_off64_t gzoffset64(gzFile file)
{
	return wdz_system()->gzoffset64(file);
}

gzFile gzopen(const char *path, const char *mode)
{
	return wdz_system()->gzopen(path, mode);
}

gzFile gzopen64(const char *path, const char *mode)
{
	return wdz_system()->gzopen64(path, mode);
}

int gzputc(gzFile file, int c)
{
	return wdz_system()->gzputc(file, c);
}

int gzputs(gzFile file, const char *s)
{
	return wdz_system()->gzputs(file, s);
}

int gzread(gzFile file, voidp buf, unsigned len)
{
	return wdz_system()->gzread(file, buf, len);
}

int gzrewind(gzFile file)
{
	return wdz_system()->gzrewind(file);
}

z_off_t gzseek(gzFile file, z_off_t offset, int whence)
{
	return wdz_system()->gzseek(file, offset, whence);
}

z_off64_t gzseek64(gzFile file, z_off64_t offset, int whence)
{
	return wdz_system()->gzseek64(file, offset, whence);
}

int gzsetparams(gzFile file, int level, int strategy)
{
	return wdz_system()->gzsetparams(file, level, strategy);
}

z_off_t gztell(gzFile file)
{
	return wdz_system()->gztell(file);
}

z_off64_t gztell64(gzFile file)
{
	return wdz_system()->gztell64(file);
}

int gzungetc(int c, gzFile file)
{
	return wdz_system()->gzungetc(c, file);
}

int gzvprintf(gzFile file, const char *format, va_list va)
{
	return wdz_system()->gzvprintf(file, format, va);
}

int gzwrite(gzFile file, voidpc buf, unsigned len)
{
	return wdz_system()->gzwrite(file, buf, len);
}

int gzprintf(gzFile file, const char *format, ...)
{
	va_list va;
	int ret;

	va_start(va, format);
	ret = wdz_system()->gzvprintf(file, format, va);
	va_end(va);
	return ret;
}
