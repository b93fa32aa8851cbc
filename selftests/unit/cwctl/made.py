#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes, from what was recorded, answers that no module of this version gives:
newer.nl (attributes and values that the tool does not know), older.nl (attributes
missing), version.nl (another version of the family), malformed.nl, cut.nl (a message
without its end), extack.nl (a refusal in words), turn.nl (two of these, then the
answer), unloaded.nl (the module goes during a reap); and pid.nl, of what was
recorded in pieces (the ports of a process: its sockets, then the ports), and young.nl,
inexact.nl and old.nl (the status with one of 25 sockets left), and mixed.nl (with
three that are young, and one of another class that is not). Run it here."""
import struct

FAMILY, CTRL, ERROR, DONE = 32, 16, 2, 3
SOCKETS_GET, REAP, SOCKET = 2, 4, 7


def attr(kind, payload):
    size = 4 + len(payload)
    return struct.pack("HH", size, kind) + payload + bytes(-size % 4)


def message(kind, payload, flags=0):
    return struct.pack("IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


def genl(cmd, *attrs):
    return message(FAMILY, struct.pack("BBH", cmd, 1, 0) + b"".join(attrs))


def save(name, *datagrams):
    with open(f"{name}.nl", "wb") as f:
        for data in datagrams:
            f.write(struct.pack("I", len(data)) + data)


def load(name):
    with open(f"{name}.nl", "rb") as f:
        data = f.read()
    while data:
        size, = struct.unpack_from("I", data)
        yield data[4:4 + size]
        data = data[4 + size:]


FOUND, ACK, SOME, END = load("sockets")
U8, U16, U32, U64 = "BHIQ"


def number(kind, form, value):
    return attr(kind, struct.pack(form, value))


ADDRESS = number(2, U8, 7), attr(3, bytes((10, 0, 0, 1))), number(4, U16, 80)
save("newer", FOUND, ACK, genl(
    SOCKETS_GET, attr(99, b"unknown"), attr(SOCKET, b"".join((
        *ADDRESS, attr(5, bytes((10, 0, 0, 2))), number(6, U16, 81), number(7, U32, 61000),
        number(8, U8, 1), number(9, U64, 60999), number(10, U16, 9), number(11, U64, 1 << 40),
        number(13, U32, 1000), number(14, U64, 77), number(15, U64, 0xabc), attr(98, b"?"))))), END)
save("older", FOUND, ACK, genl(SOCKETS_GET, attr(SOCKET, b"".join(ADDRESS[1:]))), END)
save("malformed", FOUND, ACK, genl(SOCKETS_GET, attr(SOCKET, attr(3, b"12345"))), END)
VERSION = struct.pack("HHI", 8, 3, 1)
assert FOUND.count(VERSION) == 1
save("version", FOUND.replace(VERSION, struct.pack("HHI", 8, 3, 2)), ACK)
TEXT = b"another reap request is under way in this network namespace\0"
BUSY = message(ERROR, struct.pack("i", -16) + message(FAMILY, b"") + attr(1, TEXT), 0x300)
save("extack", FOUND, ACK, BUSY)
save("turn", FOUND, ACK, BUSY, BUSY,
     genl(REAP, number(9, U32, 5), number(10, U32, 5), number(13, U32, 0)), ACK)
save("cut", FOUND, ACK, SOME + SOME[:40], END)
save("unloaded", FOUND, ACK, genl(REAP, number(9, U32, 9), number(10, U32, 5),
                                  number(13, U32, 108)), ACK)
save("pid", FOUND, ACK, SOME, END, *list(load("ports"))[2:])
STATS, STATS_ACK = list(load("status"))[2:4]


def socket(age, exact, cls, cookie=0):
    return attr(SOCKET, b"".join((
        number(2, U8, 0), *ADDRESS[1:], attr(5, bytes((10, 0, 0, 2))), number(6, U16, 81),
        number(7, U64, age), number(8, U8, exact), number(9, U64, age), number(10, U8, cls),
        number(15, U64, cookie) if cookie else b"")))


ADOPTED = number(5, U64, 0)
assert STATS.count(ADOPTED) == 1
for name, age, exact in (("young", 5000, 1), ("inexact", 5000, 0), ("old", 60000, 1)):
    save(name, FOUND, ACK, STATS.replace(ADOPTED, number(5, U64, 16)), STATS_ACK,
         genl(SOCKETS_GET, socket(age, exact, 4)), END)
save("mixed", FOUND, ACK, STATS, STATS_ACK, b"".join(
    genl(SOCKETS_GET, socket(*values))
    for values in ((1500, 1, 4, 1), (1500, 1, 4, 2), (1500, 1, 4, 3), (7680000, 1, 2, 4))), END)
