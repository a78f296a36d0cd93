#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
"""usage: python3_zlib.py write|read|odd DATA [FOLDER]

write compresses the files of DATA into FOLDER in every way that Python's
modules know, read decompresses and compares them, and odd prints what zlib says
of data and calls that are wrong, or right in an unusual way.
"""
import gzip
import io
import os
import pickle
import random
import sys
import tarfile
import threading
import zipfile
import zlib

WBITS = [9, 10, 15, -9, -12, -15, 25, 28, 31]
FLUSHES = [zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH,
           zlib.Z_BLOCK]
PART = 100000  # bytes of a file where all of it would take long
# After these, everything given so far can be decompressed.
COMPLETE = {zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH}


def read_data(folder):
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            files[name] = file.read()
    return files


def pieces(data, rng, most):
    at = 0
    while at < len(data):
        size = rng.randint(1, most)
        yield data[at:at + size]
        at += size


def must(condition, *what):
    if not condition:
        sys.exit(f"failed: {what}")


def flushed(data, flush, level, wbits, rng):
    """Returns data in many pieces, each flushed; looks whether the reader gets all of it."""
    packer = zlib.compressobj(level, zlib.DEFLATED, wbits)
    opener = zlib.decompressobj(wbits)
    out, seen, given = b"", 0, 0
    for piece in pieces(data, rng, 40000):
        new = packer.compress(piece) + packer.flush(flush)
        given += len(piece)
        seen += len(opener.decompress(new))
        must(seen == given if flush in COMPLETE else seen <= given, "flush", flush, seen, given)
        out += new
    new = packer.flush()
    seen += len(opener.decompress(new))
    must(seen == given and opener.eof, "end", flush, seen, given)
    return out + new


def copied(data, level):
    """Returns two streams that were one to the middle, and what the second holds."""
    half = len(data) // 2
    packer = zlib.compressobj(level)
    start = packer.compress(data[:half])
    twin = packer.copy()
    first = start + packer.compress(data[half:]) + packer.flush()
    second = start + twin.compress(data[:half]) + twin.flush()
    return first, second


def write_streams(data, name):
    """Yields (case, wbits, zdict, compressed, decompressed)."""
    rng = random.Random(name)
    big = len(data) > 200000
    part = data[:PART]
    for level in (1, 6):
        yield f"whole {level}", 15, b"", zlib.compress(data, level), data
    for level in range(-1, 10):
        yield f"level {level}", 15, b"", zlib.compress(part, level), part
    for wbits in WBITS:
        for level in (1, 6):
            packer = zlib.compressobj(level, zlib.DEFLATED, wbits)
            yield f"wbits {wbits} {level}", wbits, b"", packer.compress(part) + packer.flush(), part
    for strategy in range(5):
        for memory in (1, 9):
            packer = zlib.compressobj(6, zlib.DEFLATED, 15, memory, strategy)
            packed = b"".join([packer.compress(piece) for piece in pieces(part, rng, 70000)])
            yield f"strategy {strategy} {memory}", 15, b"", packed + packer.flush(), part
    for flush in FLUSHES:
        for wbits, level in ((15, 1), (-15, 6), (31, 9)):
            yield f"flush {flush} {wbits}", wbits, b"", flushed(part, flush, level, wbits, rng), part
    # One stream with all of them, and pieces from a byte to all there is.
    packer = zlib.compressobj(6)
    packed = b""
    for piece in pieces(data, rng, 300000 if big else 100):
        packed += packer.compress(piece)
        packed += packer.flush(rng.choice(FLUSHES))
    yield "mixed", 15, b"", packed + packer.flush(), data
    for wbits in (15, -15):
        packer = zlib.compressobj(6, zlib.DEFLATED, wbits, zdict=data[-20000:] or b"empty")
        yield (f"dictionary {wbits}", wbits, data[-20000:] or b"empty",
               packer.compress(part) + packer.flush(), part)
    for level in (1, 6):
        first, second = copied(part, level)
        yield f"copy {level}", 15, b"", first, part
        yield f"twin {level}", 15, b"", second, part[:len(part) // 2] * 2


def in_threads(files):
    """The same from several threads at once; compression runs outside the interpreter's lock."""
    wrong = []

    def work(data):
        for level in (1, 6):
            if zlib.decompress(zlib.compress(data, level)) != data:
                wrong.append(level)

    threads = [threading.Thread(target=work, args=(data,)) for data in files.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    must(not wrong, "threads", wrong)


def write(files, folder):
    streams = []
    for name, data in files.items():
        for case, wbits, zdict, packed, given in write_streams(data, name):
            must(given == expected(data, case), "this program", name, case)
            streams.append((name, case, wbits, zdict, packed))
    with open(os.path.join(folder, "streams"), "wb") as file:
        pickle.dump(streams, file)

    for name, data in files.items():
        rng = random.Random(name)
        with gzip.open(os.path.join(folder, name + ".gz"), "wb", 1) as file:
            for piece in pieces(data, rng, 50000):
                file.write(piece)
        with gzip.open(os.path.join(folder, name + ".gz"), "ab", 9) as file:
            file.write(data)
    with zipfile.ZipFile(os.path.join(folder, "all.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    for how, name in (("w:gz", "all.tgz"), ("w|gz", "pipe.tgz")):
        with tarfile.open(os.path.join(folder, name), how) as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    in_threads(files)


def read_stream(packed, wbits, zdict, rng):
    """Decompresses with trailing bytes, in pieces, with a limit on what comes at once."""
    opener = zlib.decompressobj(wbits, zdict=zdict) if zdict else zlib.decompressobj(wbits)
    out = []
    for piece in pieces(packed + b"trailing", rng, 60000):
        while piece and not opener.eof:
            out.append(opener.decompress(piece, rng.choice((1, 1000, 100000))
                                         if len(packed) < 20000 else 65536))
            piece = opener.unconsumed_tail
        if opener.eof:
            break
        if rng.random() < 0.1:
            opener = opener.copy()
    while not opener.eof:
        more = opener.decompress(b"", 100000)
        must(more, "stuck", len(packed))
        out.append(more)
    must(b"trailing".startswith(opener.unused_data[:8]), "unused", opener.unused_data[:20])
    return b"".join(out)


def read(files, folder):
    with open(os.path.join(folder, "streams"), "rb") as file:
        streams = pickle.load(file)
    rng = random.Random(1)
    for name, case, wbits, zdict, packed in streams:
        data = expected(files[name], case)
        must(read_stream(packed, wbits, zdict, rng) == data, name, case)
        if not zdict:
            must(zlib.decompress(packed, wbits) == data, "at once", name, case)
            if wbits > 0:
                must(zlib.decompress(packed, 47) == data, "found out", name, case)

    for name, data in files.items():
        with gzip.open(os.path.join(folder, name + ".gz")) as file:
            must(file.read() == data * 2, "gzip", name)
    with zipfile.ZipFile(os.path.join(folder, "all.zip")) as archive:
        must(archive.testzip() is None, "zip")
        for name, data in files.items():
            must(archive.read(name) == data, "zip", name)
    for how, tar in (("r:gz", "all.tgz"), ("r|gz", "pipe.tgz"), ("r:*", "pipe.tgz")):
        with tarfile.open(os.path.join(folder, tar), how) as archive:
            for entry in archive:
                must(archive.extractfile(entry).read() == files[entry.name], tar, entry.name)


def expected(data, case):
    kind = case.split()[0]
    if kind in ("whole", "mixed"):
        return data
    part = data[:PART]
    return part[:len(part) // 2] * 2 if kind == "twin" else part


def say(what, call):
    try:
        result = call()
        if isinstance(result, bytes):
            result = len(result), zlib.crc32(result)
        print(what, "gives", result)
    except Exception as error:  # whatever it is, it must be the same
        print(what, "raises", type(error).__name__, error)


def feed(packed, wbits, sizes):
    """Returns what came out of each piece, and how it ended."""
    opener = zlib.decompressobj(wbits)
    steps = []
    at = 0
    for size in sizes:
        steps.append((len(opener.decompress(packed[at:at + size])), len(opener.unused_data),
                      opener.eof))
        at += size
    steps.append(len(opener.flush()))
    return steps


def odd(files, _folder):
    rng = random.Random(2)
    # Packed by a fixed rule, so that every mode reads the same wrong bytes.
    for name in ("text", "zeros", "small", "one", "empty"):
        data = files[name][:300000]
        stored = b"".join(len(p).to_bytes(2, "little").join([b"\0", (len(p) ^ 0xffff).to_bytes(
            2, "little")]) + p for p in pieces(data, rng, 60000))
        good = b"\x78\x01" + stored + b"\1\0\0\xff\xff" + zlib.adler32(data).to_bytes(4, "big")
        say(f"{name} good", lambda: zlib.decompress(good))
        for cut in (0, 1, 2, 3, 6, len(good) // 2, len(good) - 5, len(good) - 1):
            say(f"{name} cut {cut}", lambda: zlib.decompress(good[:cut]))
            say(f"{name} cut {cut} fed", lambda: feed(good[:cut], 15, (7, 1000, 100000, 300000)))
        for at in sorted({0, 1, 2, 3, 5, len(good) // 2, len(good) - 6, len(good) - 1}):
            for bit in (1, 4, 128):
                bad = bytearray(good)
                bad[at] ^= bit
                say(f"{name} bit {at} {bit}", lambda: zlib.decompress(bad))
                say(f"{name} bit {at} {bit} fed", lambda: feed(bytes(bad), 15, (1, 50, 500000)))
        for wbits in (8, 9, 14, -15, 31, 47, 0, 7, 16, 99):
            say(f"{name} read as {wbits}", lambda: zlib.decompress(good, wbits))
        say(f"{name} trailing", lambda: zlib.decompress(good + b"more"))
    for wbits in (0, 7, 8, -8, 16, 24, 32, 47):
        say(f"compressobj wbits {wbits}", lambda: bool(zlib.compressobj(6, 8, wbits)))
    for level in (-2, 10):
        say(f"level {level}", lambda: zlib.compress(b"x", level))
    for kind in (-1, 5):
        say(f"strategy {kind}", lambda: bool(zlib.compressobj(6, 8, 15, 8, kind)))
    with_dictionary = zlib.compressobj(6, zdict=b"a dictionary")
    packed = with_dictionary.compress(b"data") + with_dictionary.flush()
    say("no dictionary", lambda: zlib.decompress(packed))
    say("wrong dictionary", lambda: zlib.decompressobj(zdict=b"another").decompress(packed))
    ended = zlib.compressobj()
    ended.flush()
    say("flush as inflate does", lambda: zlib.compressobj().flush(zlib.Z_TREES))
    say("compress after the end", lambda: ended.compress(b"x"))
    say("flush after the end", lambda: ended.flush())
    say("copy after the end", lambda: ended.copy())
    say("checks", lambda: (zlib.crc32(files["text"]), zlib.adler32(files["text"], 5)))
    say("versions", lambda: (zlib.ZLIB_VERSION, zlib.ZLIB_RUNTIME_VERSION))


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("write", "read", "odd"):
        sys.exit(__doc__.strip())
    files = read_data(sys.argv[2])
    {"write": write, "read": read, "odd": odd}[sys.argv[1]](files, (sys.argv + [""])[3])


if __name__ == "__main__":
    main()
