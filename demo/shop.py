#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: shop.py ADDRESS PORT...

A web shop on the http.server of Python's standard library, with two bugs of
the kind that leaves connections in CLOSE_WAIT.

  GET /            the home page
  GET /price-list  a long answer, as fast as the client takes it
  GET /news        the connection is kept for news to come: BUG 1
  POST /photo      waits for a store that does not answer: BUG 2
"""
import http.server
import sys
import threading

PRICE_LINE = b"%09d: one of everything, please\n"
PRICE_LINES = 400_000


class Shop(http.server.ThreadingHTTPServer):
    """Serves as any ThreadingHTTPServer, but keeps the readers of the news."""
    daemon_threads = True

    def __init__(self, address, store):
        super().__init__(address, Customer)
        self.store = store
        self.readers = set()

    def shutdown_request(self, request):
        # BUG 1: a reader is kept open for the next news, and nobody ever
        # looks whether he is still there.
        if request not in self.readers:
            super().shutdown_request(request)


class Customer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def head(self, kind, length=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_GET(self):
        if self.path == "/news":
            self.head("text/event-stream")
            self.wfile.write(b"data: no news yet\n\n")
            self.server.readers.add(self.connection)
        elif self.path == "/price-list":
            self.head("text/plain", len(PRICE_LINE % 0) * PRICE_LINES)
            for start in range(0, PRICE_LINES, 1000):
                self.wfile.write(b"".join(
                    PRICE_LINE % i for i in range(start, start + 1000)))
        else:
            page = b"Welcome to the shop\n"
            self.head("text/plain", len(page))
            self.wfile.write(page)

    def do_POST(self):
        # BUG 2: waits for the store without a time limit, and only then reads
        # what the client sent.
        with self.server.store:
            self.rfile.read(int(self.headers["Content-Length"]))
        self.head("text/plain", 0)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def main(address, ports):
    store = threading.Lock()
    store.acquire()     # the store is out of order: it never answers
    for port in ports:
        shop = Shop((address, int(port)), store)
        threading.Thread(target=shop.serve_forever).start()
    print("open", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
