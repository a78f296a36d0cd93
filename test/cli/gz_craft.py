#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
"""usage: gz_craft.py [FIELD=VALUE]... < DATA > GZIP

Writes a gzip member with the header fields given: extra (hex),
extra_bytes (so many zeros), name, comment, hcrc=1, mtime. Python's zlib makes the deflate data.
"""
import struct
import sys
import zlib

FHCRC, FEXTRA, FNAME, FCOMMENT = 2, 4, 8, 16


def main():
    fields = dict(arg.split("=", 1) for arg in sys.argv[1:])
    flags, rest = 0, b""
    if "extra" in fields or "extra_bytes" in fields:
        extra = bytes.fromhex(fields.get("extra", "")) + bytes(int(fields.get("extra_bytes", 0)))
        flags |= FEXTRA
        rest += struct.pack("<H", len(extra)) + extra
    if "name" in fields:
        flags |= FNAME
        rest += fields["name"].encode() + b"\0"
    if "comment" in fields:
        flags |= FCOMMENT
        rest += fields["comment"].encode() + b"\0"
    if "hcrc" in fields:
        flags |= FHCRC
    header = struct.pack("<BBBBIBB", 31, 139, 8, flags, int(fields.get("mtime", 0)), 0, 3) + rest
    if "hcrc" in fields:
        header += struct.pack("<H", zlib.crc32(header) & 0xffff)
    data = sys.stdin.buffer.read()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    sys.stdout.buffer.write(header + deflate.compress(data) + deflate.flush() +
                            struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff))


if __name__ == "__main__":
    main()
