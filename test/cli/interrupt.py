#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
"""usage: interrupt.py WD

In the current folder, empty: signals that end wd while it works, names that
appear while it works, and questions on a terminal.  The work is held in the
middle by a pipe: once a mebibyte went into it, wd has begun and cannot end.
"""
import os
import pty
import random
import resource
import signal
import subprocess
import sys
import zlib

WD = sys.argv[1]
DEADLINE_S = 60
ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def default_signals():
    # A shell starts what it puts into the background with some of them ignored.
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGQUIT would leave a file


def started(command, data):
    """Starts WD with the command and returns it in the middle of data."""
    child = subprocess.Popen([WD, *command], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                             preexec_fn=default_signals)
    child.stdin.write(data)
    child.stdin.flush()
    return child


def ended(child):
    """Its exit status and what it said."""
    _, said = child.communicate(timeout=DEADLINE_S)
    return child.returncode, said.decode()


def temporaries():
    return [name for name in os.listdir(".") if name.startswith(".wd-")]


def check_signals(command, data):
    for number in ENDING:
        child = started(command, data)
        check(len(temporaries()) == 1, f"{command}: no temporary file while it works")
        check(os.stat(temporaries()[0]).st_mode & 0o777 == 0o600, f"{command}: mode is not 0600")
        child.send_signal(number)
        status, said = ended(child)
        check(status == -number, f"{command} ends with {status}, not by {number.name}")
        check(not os.listdir("."), f"{command}, {number.name}: left {os.listdir('.')}")
        check(said == "", f"{command}, {number.name}: says {said}")


def check_late_name(command, data, rest):
    """A name that appears after work began is not overwritten."""
    child = started(command, data)
    with open("out", "w") as late:
        late.write("mine")
    child.stdin.write(rest)
    status, said = ended(child)
    check(status == 2, f"late name: status is {status}")
    check("out: already exists; not overwritten" in said, f"late name: {said}")
    with open("out") as late:
        check(late.read() == "mine", "late name: overwritten")
    check(os.listdir(".") == ["out"], f"late name: left {os.listdir('.')}")
    os.unlink("out")


def on_terminal(command, answer):
    """Runs WD with standard input and output on a terminal; what it wrote and its status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(WD, [WD, *command])
    os.write(terminal, answer)
    said = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        said += piece
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return status, said.decode()


def check_terminal():
    status, said = on_terminal(["compress"], b"")
    check(status == 1 and "not written to a terminal" in said, f"to a terminal: {status} {said}")
    status, said = on_terminal(["decompress"], b"")
    check(status == 1 and "not read from a terminal" in said, f"from a terminal: {status} {said}")

    for answer, wanted, files in ((b"n\n", 2, ["f", "f.gz"]), (b"\n", 2, ["f", "f.gz"]),
                                  (b"y\n", 0, ["f.gz"])):
        with open("f", "w") as plain, open("f.gz", "w") as old:
            plain.write("text")
            old.write("old")
        status, said = on_terminal(["compress", "f"], answer)
        check("do you wish to overwrite" in said, f"no question: {said}")
        check(status == wanted, f"answer {answer}: status is {status}")
        check(sorted(os.listdir(".")) == files, f"answer {answer}: {os.listdir('.')}")
        with open("f.gz", "rb") as now:
            check((now.read() == b"old") == (wanted == 2), f"answer {answer}: wrong file")
        for name in os.listdir("."):
            os.unlink(name)


def main():
    data = random.Random(2).randbytes(8 << 20)
    deflate = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = deflate.compress(data) + deflate.flush()
    half = len(packed) // 2
    check_signals(["compress", "-o", "out"], data[:1 << 20])
    check_signals(["compress", "-o", "out"], data)  # past the first member
    check_signals(["decompress", "-o", "out"], packed[:half])
    check_late_name(["compress", "-o", "out"], data[:1 << 20], data[1 << 20:])
    check_late_name(["decompress", "-o", "out"], packed[:half], packed[half:])
    check_terminal()
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
