#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: clients.py SHOP FIFO

Clients of the shop at address SHOP. Reads commands from FIFO, a line each, and
says when it has done one:

  visit PORT     asks for the home page five times a second, from now on
  download PORT  asks for the price list, shuts its own sending side down (the
                 connection is half-closed then), and reads slowly, 20 KiB a
                 second
  read N PORT    N clients read the news together, and go
  send N PORT    N clients send a photo, wait a second for the answer, and go
  end            visits no more, reads the rest of the download fast, and tells
                 whether all was well

Whatever is not as it should be ends it with status 1.
"""
import os
import socket
import sys
import threading

END = threading.Event()


def fail(text):
    print(f"clients: {text}", flush=True)
    os._exit(1)


def request(line, *headers):
    return "\r\n".join([f"{line} HTTP/1.1", "Host: shop", *headers, "", ""]).encode()


class Clients:
    def __init__(self, address):
        self.address = address
        self.threads = []

    def connect(self, port):
        return socket.create_connection((self.address, port))

    def start(self, what, port):
        def run():
            try:
                print(what(port), flush=True)
            except OSError as error:
                fail(f"{what.__name__}: {error}")
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def visit(self, port):
        pages = 0
        while not END.wait(0.2):
            with self.connect(port) as sock:
                sock.sendall(request("GET /"))
                answer = read_until(sock, b"to the shop\n")
            if not answer.startswith(b"HTTP/1.1 200 "):
                fail(f"request {pages + 1}: {answer}")
            pages += 1
        return f"{pages} requests, each of them answered"

    def download(self, port):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sock.connect((self.address, port))
        sock.sendall(request("GET /price-list"))
        sock.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while data := sock.recv(4096):
            answer += data
            END.wait(0.2)
        return f"{price_list(answer)} bytes, complete and correct"

    def read(self, number, port):
        sockets = [self.connect(port) for _ in range(number)]
        for sock in sockets:
            sock.sendall(request("GET /news"))
        for sock in sockets:
            read_until(sock, b"yet\n\n")
        for sock in sockets:
            sock.close()

    def send(self, number, port):
        sockets = [self.connect(port) for _ in range(number)]
        photo = b"\xff\xd8" + bytes(39_998)
        for sock in sockets:
            sock.sendall(request("POST /photo", f"Content-Length: {len(photo)}") + photo)
        sockets[0].settimeout(1)
        try:
            fail(f"an answer, against all expectation: {sockets[0].recv(99)}")
        except TimeoutError:
            pass
        for sock in sockets:
            sock.close()

    def end(self):
        END.set()
        for thread in self.threads:
            thread.join()


def read_until(sock, end):
    answer = b""
    while not answer.endswith(end):
        data = sock.recv(4096)
        if not data:
            fail(f"the answer ends early: {answer}")
        answer += data
    return answer


def price_list(answer):
    """How long is it? It has to be what the head of the answer and each line say."""
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    lines = body.splitlines(keepends=True)
    if b"Content-Length: %d" % len(body) not in head or any(
            line != b"%09d: one of everything, please\n" % i
            for i, line in enumerate(lines)):
        fail(f"the download of {len(body)} bytes is not the price list")
    return len(body)


def main(address, fifo):
    clients = Clients(address)
    print("ready", flush=True)
    for line in open(fifo, encoding="ascii"):
        what, *numbers = line.split()
        if what in ("visit", "download"):
            clients.start(getattr(clients, what), int(numbers[0]))
        else:
            getattr(clients, what)(*map(int, numbers))
        print(f"done: {line}", end="", flush=True)
        if END.is_set():
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
