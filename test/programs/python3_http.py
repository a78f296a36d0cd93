#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
"""usage: python3_http.py serve DATA PORTFILE
          python3_http.py fetch DATA PORT

serve sends the files of DATA over HTTP on loopback, compressed as it reads
them, until SIGTERM; fetch gets them all as they come and compares.
"""
import functools
import http.client
import http.server
import os
import signal
import sys
import zlib


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, folder, *args):
        self.folder = folder
        super().__init__(*args)

    def chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def do_GET(self):
        name, level = os.path.basename(self.path).split("@")
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        packer = zlib.compressobj(int(level), zlib.DEFLATED, 31)
        with open(os.path.join(self.folder, name), "rb") as file:
            while piece := file.read(100000):
                # As servers do that push events: nothing may stay behind.
                self.chunk(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH))
        self.chunk(packer.flush())
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


def serve(folder, port_file):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(Handler, folder))
    with open(port_file + ".new", "w", encoding="ascii") as file:
        file.write(f"{server.server_port}\n")
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


def fetch(folder, port):
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        for level in (1, 6):
            connection.request("GET", f"/{name}@{level}")
            response = connection.getresponse()
            opener = zlib.decompressobj(31)
            got = b""
            while piece := response.read1(16384):
                got += opener.decompress(piece)
            if got != data or not opener.eof or opener.unused_data:
                sys.exit(f"{name} at level {level}: {len(got)} bytes of {len(data)}")
    connection.close()


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("serve", "fetch"):
        sys.exit(__doc__.strip())
    {"serve": serve, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
