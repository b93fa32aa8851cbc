# SPDX-License-Identifier: GPL-2.0
"""Network namespaces, and TCP sockets in CLOSE_WAIT of every class."""
import errno
import fcntl
import os
import resource
import select
import socket
import struct
import subprocess
import time

from lib import kernel
from lib.ktap import SLOW

SO_COOKIE = 57
TCP_ULP = 31
SOL_TLS = 282
TLS_TX = 1
IPPROTO_MPTCP = 262
TCP_FASTOPEN = 23
MSG_FASTOPEN = 0x20000000
IPPROTO_DCCP = 33
SOCK_DCCP = 6
SIOCINQ, SIOCOUTQ = 0x541B, 0x5411
IFA_F_TENTATIVE = 0x40
RTF_LOCAL = 0x80000000
ESTABLISHED, FIN_WAIT2, CLOSE, CLOSE_WAIT = 1, 5, 7, 8

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def wait_until(condition, what, timeout=10.0):
    """Returns the first true value of condition(); fails after the deadline.

    WHAT is for then: a text, or what makes one.
    """
    deadline = time.monotonic() + timeout * SLOW
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout * SLOW:g} s for: "
                                 + (what() if callable(what) else what))
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


class NetNS:
    """A new network namespace with lo up; `with` makes it that of the thread."""

    def __init__(self):
        self._homes = []
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            kernel.unshare(kernel.CLONE_NEWNET)
            try:
                self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
                link_up("lo")
            finally:
                kernel.setns(home, kernel.CLONE_NEWNET)
        finally:
            os.close(home)

    def __enter__(self):
        self._homes.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        kernel.setns(self.fd, kernel.CLONE_NEWNET)
        return self

    def __exit__(self, *_args):
        home = self._homes.pop()
        kernel.setns(home, kernel.CLONE_NEWNET)
        os.close(home)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def link_up(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(s, 0x8913, request))[1]
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name.encode(), flags | 1))


def ip(*args):
    subprocess.run(["ip", *args], check=True, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT)


def add_address6(host, length, dev="lo"):
    """Gives DEV an address, which can be used: a work of the kernel's sees to that."""
    ip("-6", "address", "add", f"{host}/{length}", "dev", dev, "nodad")
    address = (host, 9, 0, socket.if_nametoindex(dev))
    number = socket.inet_pton(socket.AF_INET6, host).hex()

    def rows(name):
        with open(f"/proc/thread-self/net/{name}", encoding="ascii") as f:
            return [line.split() for line in f]

    def usable():
        ready = any(row[0] == number and not int(row[4], 16) & IFA_F_TENTATIVE
                    for row in rows("if_inet6"))
        local = any(row[:2] == [number, "80"] and int(row[8], 16) & RTF_LOCAL
                    for row in rows("ipv6_route"))
        if not ready or not local:
            return False
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            return sock.connect_ex(address) == 0
    wait_until(usable, f"{host} can be used")


def raise_nofile(need):
    """Lets this process have NEED more descriptors than it started with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = need + 1024
    if soft < want:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(hard, want)))


# --- one socket -----------------------------------------------------------

def state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def unacked(sock):
    """Segments that were sent and not acknowledged yet."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28), 24)[0]


def wait_state(sock, wanted, timeout=10.0):
    wait_until(lambda: state(sock) == wanted, f"TCP state {wanted}", timeout)


def cookie(sock):
    return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]


def inode(sock):
    return os.fstat(sock.fileno()).st_ino


def queued(sock, which):
    return struct.unpack("i", fcntl.ioctl(sock, which, b"\0\0\0\0"))[0]


def text(address):
    """A socket's address as the tables print it."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listener(family=socket.AF_INET, host=None, port=0, backlog=1024, options=()):
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option in options:
            sock.setsockopt(*option)
        sock.bind((LOOPBACK[family] if host is None else host, port))
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def connect(address, family=socket.AF_INET, bind=None, options=()):
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            sock.setsockopt(*option)
        if bind is not None:
            sock.bind(bind)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def aborted(sock, timeout):
    """True as soon as poll() says ERR or HUP; false after TIMEOUT seconds."""
    poll = select.poll()
    poll.register(sock, 0)
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        events = poll.poll(max(0, left * 1000))
        if events:
            return events[0][1]
        if left <= 0:
            return 0


def got_reset(sock, timeout=10.0):
    """True once the socket's own recv() says ECONNRESET."""
    if not aborted(sock, timeout * SLOW):
        return False
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def fill(sock):
    """Writes until nothing more fits; returns the number of bytes."""
    sock.setblocking(False)
    total = 0
    chunk = b"x" * 65536
    try:
        while True:
            total += sock.send(chunk)
    except BlockingIOError:
        pass
    sock.setblocking(True)
    return total


def drain(sock):
    """Reads to the end of file."""
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            return data
        data += part


# --- sockets in CLOSE_WAIT ------------------------------------------------

class Spell:
    """A connection whose side `app` is in CLOSE_WAIT since `peer` shut down.

    before and after (CLOCK_MONOTONIC) enclose the start of the spell. `app` is
    None while the connection has not been accepted.
    """

    def __init__(self, app, peer, lsn):
        self.app, self.peer, self.lsn = app, peer, lsn
        self.before = self.after = 0.0

    @property
    def cookie(self):
        return cookie(self.app)

    def close(self):
        for sock in (self.app, self.peer):
            if sock is not None:
                sock.close()

    def peer_ends(self, data=b""):
        """The peer sends DATA and its FIN."""
        if data:
            self.peer.sendall(data)
            if self.app is not None:
                wait_until(lambda: queued(self.app, SIOCINQ) == len(data), "data at the socket")
        self.before = time.monotonic()
        self.peer.shutdown(socket.SHUT_WR)
        if self.app is not None:
            wait_state(self.app, CLOSE_WAIT)
        else:
            wait_state(self.peer, FIN_WAIT2)
        self.after = time.monotonic()


def connection(lsn, direction="in", address=None, family=None, bind=None, accept=True,
               options=()):
    """An established connection; `app` accepts for "in" and connects for "out"."""
    address = address or lsn.getsockname()
    client = connect(address, family or lsn.family, bind, options)
    server = None
    if accept:
        try:
            server, who = lsn.accept()
        except OSError:
            client.close()
            raise
        assert who[1] == client.getsockname()[1], "accepted an earlier connection"
    return Spell(server, client, lsn) if direction == "in" else Spell(client, server, lsn)


def close_wait(cls, lsn, direction="in", data=b"hello", **kwargs):
    """A connection in CLOSE_WAIT, of the class named, to the listener LSN."""
    spell = connection(lsn, direction, accept=cls != "unaccepted", **kwargs)
    try:
        spell.peer_ends(data if cls == "unread" else b"")
        if cls == "held":
            drain(spell.app)
        elif cls == "sending":
            drain(spell.app)
            fill(spell.app)
    except BaseException:
        spell.close()
        raise
    return spell


def bulk(number, lsn, half=False):
    """NUMBER accepted sockets in CLOSE_WAIT, nothing read; the clients are gone.

    With half=True the clients stay, half closed: a list of pairs (app, peer). Of
    very many sockets a few would not last otherwise: a client that is gone, or is
    just going, answers an ACK that comes late by a reset.
    """
    raise_nofile(2 * number + 64)
    made = []
    address = lsn.getsockname()
    sources = None
    if number > FEW and lsn.family == socket.AF_INET:
        sources = many_sources()
        if address[0] == "0.0.0.0":
            address = LOOPBACK[socket.AF_INET], address[1]
    for _ in range(number):
        client = socket.SocketType(lsn.family, socket.SOCK_STREAM)
        if sources:
            client.bind(next(sources))
        client.connect(address)
        app = lsn.accept()[0]
        if half:
            client.shutdown(socket.SHUT_WR)
            made.append((app, client))
        else:
            client.close()
            made.append(app)
    wait_state(made[-1][0] if half else made[-1], CLOSE_WAIT)
    return made


FEW = 2000      # up to here bulk() leaves the clients' ports to the kernel


def many_sources():
    """Addresses for clients: to find the last free ports of one takes long."""
    return ((f"127.1.{i}.1", port) for i in range(256) for port in range(20000, 60000))


def churn(lsn, rounds=1):
    """Connections whose client closes first, served at once."""
    for _ in range(rounds):
        client = connect(lsn.getsockname(), lsn.family)
        app = lsn.accept()[0]
        client.close()
        while True:
            try:
                if not app.recv(100):
                    break
            except ConnectionResetError:
                break
        app.close()


def reset(sock):
    """Closes the socket with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def disconnect(sock):
    """connect(AF_UNSPEC): the socket can be connected again afterwards."""
    address = struct.pack("H14x", socket.AF_UNSPEC)
    buf = kernel.ctypes.create_string_buffer(address, 16)
    kernel._checked(kernel._libc.connect(sock.fileno(), buf, 16))


def kernel_tls(sock):
    """Puts the sending side of an established socket under kTLS."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    sock.setsockopt(SOL_TLS, TLS_TX, struct.pack("HH", 0x0303, 51) + bytes(8 + 16 + 4 + 8))


def fast_open_listener():
    """In a namespace where SYNs may carry data from now on."""
    with open("/proc/sys/net/ipv4/tcp_fastopen", "w") as f:
        f.write(str(0x1 | 0x2 | 0x4 | 0x200))
    lsn = listener()
    lsn.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)
    return lsn


def fast_open_connect(lsn, data):
    """A client that sends DATA in its SYN."""
    sock = socket.socket()
    sock.sendto(data, MSG_FASTOPEN, lsn.getsockname())
    return sock


def netstat(name):
    """A counter of this namespace."""
    with open("/proc/thread-self/net/netstat") as f:
        lines = [line.split() for line in f if line.startswith("TcpExt:")]
    return int(dict(zip(*lines))[name])


def mptcp_socket(family=socket.AF_INET):
    """An MPTCP socket, or None where the kernel has none."""
    try:
        return socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
    except OSError as e:
        if e.errno in (errno.EPROTONOSUPPORT, errno.ENOPROTOOPT, errno.EINVAL):
            return None
        raise
