# SPDX-License-Identifier: GPL-2.0
"""Load: what applications, administrators and readers do, again and again, at once.

A Crew runs functions in processes of their own until it is stopped. Each is called
with its Job over and over, and may fail: that is a problem, which the crew tells.
Whatever the module can be blamed for in the middle of all this is checked; that a
connection is reaped under a worker's hands, or the module is not there, is not.
"""
import contextlib
import errno
import mmap
import os
import random
import select
import signal
import socket
import struct
import time
import traceback

from lib import cw, genl, net
from lib.ktap import SLOW

# What a job counts, for all to see while it runs.
COUNTED = ("connections", "namespaces", "reads", "dumps", "writes", "requests", "bytes",
           "longest_gap_ms")

# What an application sees of a reaped connection, and its peer of the RST.
CUT_OFF = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
           errno.ENOTCONN}
# What a reader, writer or requester sees of a module that is going or gone, or of
# another request that is under way; a dump then is EPROTONOSUPPORT.
NOT_THERE = {errno.ENOENT, errno.EIO, errno.ENXIO, errno.ESHUTDOWN, errno.EBUSY,
             errno.EOPNOTSUPP, errno.EPROTONOSUPPORT}

SIZES = (1, 3, 7, 100, 511, 4095, 4096, 4097, 65537)
POLICIES = (
    ("timeout", ("0", "1", "1", "2", "30", "x", "-1")),
    ("port_timeouts", ("", "80=1", "1-65535=1,out:1-65535=1", "out:1024-65535=0",
                       " ".join(f"{n}-{n + 1}={n % 3}" for n in range(2, 258, 2)),
                       "80=1,80=2", "80")),
    ("action", ("reap", "reap", "observe", "look")),
    ("reap_rate", ("0", "5", "50", "1000", "y")),
)


@contextlib.contextmanager
def allowed(codes):
    try:
        yield
    except OSError as e:
        if e.errno not in codes:
            raise


class Job:
    """What a worker's function is given: chance, the end, and room to count."""

    def __init__(self, seed, stop, row):
        self.rng = random.Random(seed)
        self._stop, self._row = stop, row

    def pause(self, seconds):
        """Sleeps; true, and at once, if the crew is to stop."""
        return bool(select.select([self._stop], [], [], seconds)[0])

    def count(self, name, number=1):
        self._row[COUNTED.index(name)] += number

    def highest(self, name, value):
        at = COUNTED.index(name)
        self._row[at] = max(self._row[at], int(value))


class Crew:
    """Processes at work until stop()."""

    MOST = 64

    def __init__(self, seed):
        self.seed = seed
        self.workers = {}       # pid: (name, pipe of its problem)
        self._problems = []
        self._stop, self._stopper = os.pipe()
        self._counts = memoryview(mmap.mmap(-1, self.MOST * len(COUNTED) * 8)).cast("Q")
        self._added = 0

    def add(self, function, times=1):
        for _ in range(times):
            self._add(function)

    def _add(self, function):
        number, width = self._added, len(COUNTED)
        self._added += 1
        row = self._counts[number * width:(number + 1) * width]
        pipe, result = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(self._stopper)
            self._run(function, Job(f"{self.seed} {number}", self._stop, row), result)
        os.close(result)
        self.workers[pid] = (function.__name__, pipe)

    @staticmethod
    def _run(function, job, result):
        try:
            while not job.pause(0):
                function(job)
        except BaseException:  # pylint: disable=broad-except
            os.write(result, traceback.format_exc().encode())
        os._exit(0)

    def _ended(self, pid, status):
        name, pipe = self.workers.pop(pid)
        with os.fdopen(pipe, "rb") as file:
            problem = file.read().decode()
        if status:
            problem += f"ended with wait status {status}"
        if problem:
            self._problems.append(f"{name}: {problem}")

    def problems(self):
        """Those of workers that have ended so far."""
        for pid in list(self.workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._ended(pid, status)
        return self._problems

    def counts(self):
        """What all jobs have counted until now."""
        width = len(COUNTED)
        rows = [self._counts[n * width:(n + 1) * width] for n in range(self._added)]
        return {name: (max if name.startswith("longest") else sum)(row[i] for row in rows)
                if rows else 0 for i, name in enumerate(COUNTED)}

    def stop(self, timeout=60):
        """Lets all come to their end; those that do not are a problem. All problems."""
        if self._stopper is not None:
            os.close(self._stopper)
            os.close(self._stop)
            self._stopper = None
        deadline = time.monotonic() + timeout * SLOW
        while self.workers and time.monotonic() < deadline:
            self.problems()
            time.sleep(0.02)
        if self.workers:
            self._give_up()
        return self._problems

    def _give_up(self):
        """SIGABRT lets Python print where it is."""
        for pid in list(self.workers):
            os.kill(pid, signal.SIGABRT)
        time.sleep(2)
        for pid in list(self.workers):
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
            self._ended(pid, status or "none, but was late")


# --- applications -----------------------------------------------------------

def _pair(job, lsn):
    """A new connection of either direction: app is the side that is closed on."""
    job.count("connections")
    return net.connection(lsn, job.rng.choice(("in", "out")))


def _peer_first(job, pair):
    pair.peer.close()
    with allowed(CUT_OFF):
        net.drain(pair.app)


def _app_first(job, pair):
    pair.app.close()
    with allowed(CUT_OFF):
        net.drain(pair.peer)


def _data_unread(job, pair):
    """Closing with data in the queue sends a RST."""
    with allowed(CUT_OFF):
        pair.peer.sendall(b"x" * job.rng.randrange(1, 5000))
        pair.peer.shutdown(socket.SHUT_WR)


def _reset(job, pair):
    pair.peer.shutdown(socket.SHUT_WR)
    net.reset(job.rng.choice((pair.peer, pair.app)))


def _half_close(job, pair):
    """The peer ends, is answered, and then has the end."""
    pair.peer.shutdown(socket.SHUT_WR)
    with allowed(CUT_OFF):
        net.drain(pair.app)
        pair.app.sendall(b"x" * job.rng.randrange(1, 20000))
        pair.app.shutdown(socket.SHUT_WR)
        net.drain(pair.peer)


def _disconnect(job, pair):
    """connect(AF_UNSPEC), and the same socket in another connection and spell."""
    pair.peer.shutdown(socket.SHUT_WR)
    with allowed(CUT_OFF):
        net.disconnect(pair.app)
        pair.app.connect(pair.lsn.getsockname())
        with pair.lsn.accept()[0] as other:
            other.shutdown(socket.SHUT_WR)
            job.count("connections")
            net.drain(pair.app)


ENDS = (_peer_first, _app_first, _data_unread, _reset, _half_close, _disconnect)


def churn(job):
    """Connections that are over at once, in every way."""
    with net.listener(job.rng.choice(tuple(net.LOOPBACK))) as lsn:
        for _ in range(10):
            pair = _pair(job, lsn)
            try:
                job.rng.choice(ENDS)(job, pair)
            finally:
                pair.close()


def leak(job):
    """Sockets that stay in CLOSE_WAIT for a while, with and without something in them."""
    pairs = []
    try:
        with net.listener() as lsn:
            for _ in range(10):
                pair = _pair(job, lsn)
                pairs.append(pair)
                pair.app.setblocking(False)
                with allowed(CUT_OFF):
                    if job.rng.random() < 0.5:
                        pair.peer.send(b"x" * job.rng.randrange(1, 100))
                    pair.peer.shutdown(socket.SHUT_WR)
                    if job.rng.random() < 0.3:
                        pair.app.send(bytes(100000))
                with allowed(CUT_OFF | {errno.EAGAIN}):
                    if job.rng.random() < 0.5:
                        pair.app.recv(100)
            job.pause(job.rng.random() * 2)
    finally:
        for pair in pairs:
            pair.close()


def queue(job):
    """Connections that nobody accepts, or late; the listener closes on the rest."""
    clients = []
    with net.listener() as lsn:
        for _ in range(10):
            client = net.connect(lsn.getsockname())
            job.count("connections")
            clients.append(client)
            client.shutdown(socket.SHUT_WR)
            if job.rng.random() < 0.3:
                client.close()
        job.pause(job.rng.random())
        for _ in range(job.rng.randrange(10)):
            lsn.accept()[0].close()
    for client in clients:
        client.close()


def spaces(job):
    """A namespace, sometimes with a TCP table of its own, that ends with sockets in it."""
    with allowed({errno.ENOENT}):   # 6.1 and newer
        with open("/proc/sys/net/ipv4/tcp_child_ehash_entries", "w") as f:
            f.write(job.rng.choice(("0", "64")))
    with net.NetNS() as ns:
        with net.listener() as lsn:
            apps = net.bulk(3, lsn)
        job.count("connections", 3)
        with allowed(NOT_THERE):
            cw.put("timeout", job.rng.choice((0, 1)))
        job.pause(job.rng.random() * 0.1)
        if job.rng.random() < 0.5:
            ns.close()
        for app in apps:
            app.close()
    ns.close()
    job.count("namespaces")
    # who loads or unloads a module has to get in between them
    job.pause(job.rng.random() * 0.5 * SLOW)


# --- readers, administrators -------------------------------------------------

def read(job):
    """A file by pieces of an odd size: all of it, or some, and back to the start."""
    name = job.rng.choice(tuple(PARSERS) * 2 + tuple(DEBUG_FILES) + tuple(cw.SYSCTLS))
    size = job.rng.choice(SIZES)
    most = job.rng.choice((3, 50, 1000000))
    with allowed(NOT_THERE):
        fd = os.open(_path(name), os.O_RDONLY)
        try:
            content, whole = b"", False
            while most and not whole:
                part = os.read(fd, size)
                assert len(part) <= size, f"{len(part)} of {size} bytes"
                content, whole, most = content + part, not part, most - 1
            if whole:
                PARSERS.get(name, bytes)(content.decode() if name in PARSERS else content)
            else:
                job.pause(job.rng.random() * 0.05)
                with allowed({errno.EINVAL}):   # /proc's word for a file that is gone
                    os.lseek(fd, job.rng.choice((0, 1, len(content))), os.SEEK_SET)
                os.read(fd, size)
        finally:
            os.close(fd)
        job.count("reads")


PARSERS = {"ports": cw.parse_ports, "sockets": cw.parse_sockets, "stats": cw.parse_stats}
DEBUG_FILES = ("netns", "tracker")


def _path(name):
    if name in PARSERS:
        return f"{cw.TABLES}/{name}"
    return f"{cw.DEBUGFS}/{name}" if name in DEBUG_FILES else cw.SYSCTL + name


FILTERS = ({}, {}, {"dir": "in"}, {"dir": "out"}, {"idle": 500}, {"older-than": 100},
           {"classes": 1}, {"classes": 0b11110}, {"port-first": 1, "port-last": 40000},
           {"peer": bytes((127, 0, 0, 1))}, {"uid": 0}, {"uid": 1})


def dump(job):
    """A dump by pieces of an odd size, to its end or not."""
    with allowed(NOT_THERE), genl.Socket() as nl:
        filters = job.rng.choice(FILTERS)
        op = job.rng.choice(("ports-get", "sockets-get"))
        if job.rng.random() < 0.5:
            nl.dump(op, **({"filter": filters} if filters else {}))
            nl.do("stats-get")
        else:
            size = job.rng.choice(SIZES)
            nl.start(op, filter=filters)
            for _ in range(job.rng.randrange(5)):
                if not select.select([nl.sock], [], [], 0)[0]:
                    break
                nl.sock.recv(size)
        job.count("dumps")


def write(job):
    """Policies, right and wrong ones."""
    name, values = job.rng.choice(POLICIES)
    with allowed(NOT_THERE | {errno.EINVAL}):
        cw.put(name, job.rng.choice(values))
        job.count("writes")
    job.pause(job.rng.random() * 0.1)


def reap(job):
    """Requests to reap; some do not wait for the answer."""
    what = job.rng.choice(({"all": True}, {"filter": job.rng.choice(FILTERS[2:])},
                           {"cookies": [job.rng.randrange(1, 10000) for _ in range(50)]}))
    if job.rng.random() < 0.3:
        what["limit"] = job.rng.randrange(1, 20)
    if job.rng.random() < 0.3:
        what["dry_run"] = True
    with allowed(NOT_THERE), genl.Socket() as nl:
        nl.ask_reap(**what)
        job.count("requests")
        if job.rng.random() < 0.8:
            nl.answer()
    job.pause(job.rng.random() * 0.2)


# --- healthy connections -------------------------------------------------------

class Stream:
    """Numbers in sequence through a connection: what is missing is missed."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        self.sent = self.got = 0

    def send(self, job, number):
        self.sender.sendall(struct.pack(f"!{number}Q", *range(self.sent, self.sent + number)))
        self.sent += number
        while self.got < self.sent:
            data = self.receiver.recv(8 * (self.sent - self.got), socket.MSG_WAITALL)
            if len(data) != 8 * (self.sent - self.got):
                raise AssertionError(f"the stream ended at {self.got} of {self.sent}")
            if data != struct.pack(f"!{self.sent - self.got}Q", *range(self.got, self.sent)):
                raise AssertionError(f"not what was sent after {self.got}")
            self.got = self.sent
        job.count("bytes", 8 * number)

    def end(self):
        self.sender.shutdown(socket.SHUT_WR)
        rest = net.drain(self.receiver)
        if rest:
            raise AssertionError(f"{len(rest)} bytes too much")


def established(job):
    """Connections beside all the others, where both sides talk all along."""
    with net.listener() as lsn:
        pairs = [net.connection(lsn) for _ in range(10)]
    streams = [Stream(*ends) for p in pairs for ends in ((p.app, p.peer), (p.peer, p.app))]
    while not job.pause(0.05):
        job.rng.choice(streams).send(job, job.rng.randrange(1, 1000))
    for stream in streams:
        stream.send(job, 1)
        stream.end()


# The timeout in the namespace of those that are being served: more than twice as long
# as a worker may have to wait for a processor.
PATIENCE = int(20 * SLOW)


def served(job):
    """Half-closed connections that are being served: idle never for long.

    In CLOSE_WAIT from the beginning to the end, in a namespace with a timeout, and
    never reaped.
    """
    with net.NetNS() as ns:
        with net.listener() as lsn:
            pairs = [net.connection(lsn, d) for d in ("in", "out") * 5]
        streams = [Stream(p.app, p.peer) for p in pairs]
        for pair in pairs:
            pair.peer.shutdown(socket.SHUT_WR)
        last = time.monotonic()
        stop = False
        while not stop:
            stop = job.pause(0.1)
            with allowed(NOT_THERE):
                cw.put("timeout", PATIENCE)
            for stream in streams:
                stream.send(job, job.rng.randrange(1, 100))
            now = time.monotonic()
            job.highest("longest_gap_ms", (now - last) * 1000)
            if now - last > PATIENCE / 2:
                raise AssertionError(f"no processor for {now - last:g} s: says nothing")
            last = now
        for stream in streams:
            stream.end()
    ns.close()
