# SPDX-License-Identifier: GPL-2.0
"""The module's own files: read strictly, written, checked."""
import os
import re
import subprocess
import threading
import time
import unittest

from lib import kernel, net
from lib.ktap import SLOW

MODULE = "tcp_close_wait"
TABLES = "/proc/thread-self/net/tcp_close_wait"
DEBUGFS = "/sys/kernel/debug/tcp_close_wait"
SYSCTL = "/proc/sys/net/ipv4/tcp_close_wait_"
SYSCTLS = {"timeout": "0", "port_timeouts": "", "action": "reap", "reap_rate": "1000"}

CLASSES = ("unaccepted", "sending", "unread", "unnoticed", "held")
AGES = ("lt_1s", "lt_10s", "lt_1m", "lt_10m", "lt_1h", "ge_1h")
SPELLS = tuple("spell_" + s for s in (
    "lt_1ms", "lt_10ms", "lt_100ms", "lt_1s", "lt_10s", "lt_1m", "lt_10m", "lt_1h", "ge_1h"))
PORTS = ("dir", "port", "sockets") + CLASSES + (
    "rx_bytes", "tx_bytes", "age_max_ms", "idle_max_ms") + AGES + ("inexact", "reaped")
SOCKETS = ("dir", "local", "remote", "age_ms", "exact", "idle_ms", "class",
           "rx_bytes", "tx_bytes", "uid", "inode", "cookie", "cgroup")
STATS = ("sockets", "inexact", "entered", "adopted", "left", "reaped_timeout",
         "reaped_request", "observed", "skipped_unaccepted", "skipped_kernel",
         "skipped_mptcp", "skipped_ulp", "deferred_rate", "deferred_busy", "missed",
         "walks") + SPELLS

ADDRESS = re.compile(r"(\d+(?:\.\d+){3}|\[[0-9a-f:.]+\]):(\d+)$")

# How late beyond the contract's bound a reap may be seen: our own process and
# the module's work both have to get a processor first.
SLACK = 0.5 * SLOW


class FormatError(AssertionError):
    """A table is not as the contract says."""


def raw(name, base=None):
    with open(f"{base or TABLES}/{name}", newline="") as f:
        return f.read()


def _number(word):
    if not re.fullmatch(r"0|[1-9]\d*", word):
        raise FormatError(f"no plain number: {word!r}")
    return int(word)


def _rows(content, columns):
    if not content.endswith("\n"):
        raise FormatError(f"does not end with a line's end: {content[-80:]!r}")
    lines = content[:-1].split("\n")
    if tuple(lines[0].split()) != columns:
        raise FormatError(f"columns are {lines[0]!r}, expected {' '.join(columns)!r}")
    for line in lines[1:]:
        words = line.split()
        if len(words) != len(columns):
            raise FormatError(f"{len(words)} fields, expected {len(columns)}: {line!r}")
        yield dict(zip(columns, words))


def _ensure(condition, row):
    if not condition:
        raise FormatError(f"inconsistent row: {row}")


def parse_ports(content):
    """{(dir, port): row}, every number an int; checks sums and order."""
    table = {}
    last = None
    for row in _rows(content, PORTS):
        _ensure(row["dir"] in ("in", "out"), row)
        for name in PORTS[1:]:
            row[name] = _number(row[name])
        _ensure(row["port"] <= 65535, row)
        _ensure(sum(row[c] for c in CLASSES) == row["sockets"], row)
        _ensure(sum(row[a] for a in AGES) == row["sockets"], row)
        _ensure(row["inexact"] <= row["sockets"], row)
        _ensure(row["idle_max_ms"] <= row["age_max_ms"], row)
        _ensure(row["sockets"] or row["reaped"], row)
        _ensure(row["sockets"] or not (row["rx_bytes"] or row["tx_bytes"]
                                       or row["age_max_ms"]), row)
        key = row["dir"], row["port"]
        _ensure(last is None or last < key, row)
        last = key
        table[key] = row
    return table


def parse_sockets(content):
    """A list of rows, numbers as ints, the cookie too."""
    table = []
    for row in _rows(content, SOCKETS):
        _ensure(row["dir"] in ("in", "out"), row)
        _ensure(ADDRESS.match(row["local"]) and ADDRESS.match(row["remote"]), row)
        _ensure(row["class"] in CLASSES, row)
        _ensure(row["exact"] in ("0", "1"), row)
        _ensure(re.fullmatch(r"[1-9a-f][0-9a-f]*", row["cookie"]), row)
        row["cookie"] = int(row["cookie"], 16)
        for name in ("age_ms", "exact", "idle_ms", "rx_bytes", "tx_bytes", "uid",
                     "inode", "cgroup"):
            row[name] = _number(row[name])
        _ensure(row["idle_ms"] <= row["age_ms"], row)
        _ensure((row["class"] == "unaccepted") == (row["inode"] == 0), row)
        _ensure(row["tx_bytes"] > 0 or row["class"] != "sending", row)
        _ensure(row["tx_bytes"] == 0 or row["class"] in ("sending", "unaccepted"), row)
        _ensure(row["rx_bytes"] > 0 or row["class"] != "unread", row)
        _ensure(row["rx_bytes"] == 0 or row["class"] not in ("unnoticed", "held"), row)
        table.append(row)
    return table


def parse_stats(content):
    names = []
    table = {}
    for row in _rows(content, ("name", "value")):
        names.append(row["name"])
        table[row["name"]] = _number(row["value"])
    if tuple(names) != STATS:
        raise FormatError(f"stats has {names}")
    return table


def ports(base=None):
    return parse_ports(raw("ports", base))


def sockets(base=None):
    return parse_sockets(raw("sockets", base))


def stats(base=None):
    return parse_stats(raw("stats", base))


def find(sock):
    """The row of one socket of ours, or None."""
    wanted = net.cookie(sock)
    rows = [row for row in sockets() if row["cookie"] == wanted]
    if len(rows) > 1:
        raise FormatError(f"a socket twice: {rows}")
    return rows[0] if rows else None


def balanced(s):
    """Whether the counters add up; they do whenever nothing happens."""
    return (s["entered"] + s["adopted"] == s["sockets"] + s["left"] + s["reaped_timeout"]
            + s["reaped_request"]
            and sum(s[n] for n in SPELLS)
            == s["left"] + s["reaped_timeout"] + s["reaped_request"]
            and s["inexact"] <= s["sockets"])


# --- sysctls ---------------------------------------------------------------

def get(name):
    with open(SYSCTL + name) as f:
        return f.read().rstrip("\n")


def put(name, value):
    """One write(2); OSError if it is refused."""
    fd = os.open(SYSCTL + name, os.O_WRONLY)
    try:
        data = str(value).encode()
        if os.write(fd, data) != len(data):
            raise AssertionError(f"a short write of {value!r}")
    finally:
        os.close(fd)


# --- the module ------------------------------------------------------------

def loaded():
    return os.path.isdir(f"/sys/module/{MODULE}")


def module_file(name=MODULE):
    """Path of NAME.ko as run_in_vm or the user names it, or None."""
    directory = os.environ.get("CW_MODULE_DIR")
    path = directory and os.path.join(directory, name + ".ko")
    return path if path and os.path.exists(path) else None


def load(name=MODULE, **params):
    """Loads the module; returns "" or what insmod said."""
    done = subprocess.run(["insmod", module_file(name)]
                          + [f"{k}={v}" for k, v in params.items()], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return "" if done.returncode == 0 else done.stdout or "insmod failed"


def unload(name=MODULE):
    done = subprocess.run(["rmmod", name], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return "" if done.returncode == 0 else done.stdout or "rmmod failed"


def unload_when_free(timeout=60):
    """Unloads the module as soon as the readers that keep it have gone."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        problem = unload()
        # rmmod looks first; who comes after its look makes delete_module() say EAGAIN
        busy = "in use" in problem or "temporarily unavailable" in problem
        if not busy or time.monotonic() > deadline:
            return problem
        time.sleep(0.01)


def tracker():
    """{name: number or word} of debugfs."""
    with open(f"{DEBUGFS}/tracker", encoding="ascii") as file:
        return {name: int(value) if value.isdigit() else value
                for name, value in map(str.split, file)}


class Case(unittest.TestCase):
    """Root, the module, and a network namespace of its own for each test."""

    limit = 60          # seconds, times SLOW
    maxDiff = None

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if not loaded():
            self.skipTest(f"the module {MODULE} is not loaded")
        self.ns = self.netns()
        self.enter(self.ns)

    # unittest has these only since 3.11
    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def keep(self, thing):
        """Closed when the test is over."""
        self.addCleanup(thing.close)
        return thing

    def netns(self):
        return self.keep(net.NetNS())

    def listener(self, *args, **kwargs):
        return self.keep(net.listener(*args, **kwargs))

    def spell(self, cls="unnoticed", lsn=None, direction="in", **kwargs):
        """A connection in CLOSE_WAIT, closed when the test is over."""
        return self.keep(net.close_wait(cls, lsn or self.listener(), direction, **kwargs))

    def bulk(self, number, lsn=None, half=False):
        made = net.bulk(number, lsn or self.listener(), half)
        self.addCleanup(lambda: [s.close() for one in made
                                 for s in (one if half else (one,))])
        return made

    def stuck_owner(self):
        """A spell, and a thread inside recv() that holds its socket until serve()."""
        try:
            page = self.keep(kernel.FaultyPage())
        except (OSError, NotImplementedError) as e:
            self.skipTest(f"no userfaultfd: {e}")
        spell = self.spell("unread", data=b"hello")
        result = []
        thread = threading.Thread(target=lambda: result.append(page.recv(spell.app, 100)))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(page.serve)
        with open(f"/proc/self/task/{thread.native_id}/syscall") as f:
            f.read()
        net.wait_until(lambda: "S" == self.task_state(thread.native_id), "the thread sleeps")
        return spell, page, thread, result

    @staticmethod
    def task_state(tid):
        with open(f"/proc/self/task/{tid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]

    def mptcp_connection(self):
        """An MPTCP socket and the TCP socket that accepted it."""
        app = net.mptcp_socket()
        if app is None:
            self.skipTest("the kernel has no MPTCP")
        self.keep(app)
        lsn = self.listener()
        app.connect(lsn.getsockname())
        return app, self.keep(lsn.accept()[0])

    def module(self, **params):
        """Loads the module anew, with parameters, for this test alone."""
        if not module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.assertEqual(unload() if loaded() else "", "")
        self.addCleanup(self._module_as_before)
        self.assertEqual(load(**params), "")

    @staticmethod
    def _module_as_before():
        if loaded():
            problem = unload()
            if problem:
                raise AssertionError(problem)
        problem = load()
        if problem:
            raise AssertionError(problem)

    def assert_stats(self, before=None, **expected):
        """Counters, since BEFORE, once they are so; then they must balance."""
        def now():
            s = stats()
            return {n: s[n] - (before[n] if before else 0) for n in expected}
        try:
            net.wait_until(lambda: now() == expected, "")
        except AssertionError:
            self.assertEqual(now(), expected)
        self.assert_balance()

    def assert_balance(self):
        try:
            net.wait_until(lambda: balanced(stats()), "")
        except AssertionError:
            self.fail(f"the counters do not add up: {stats()}")

    def assert_refused(self, code, function, *args):
        with self.assertRaises(OSError) as caught:
            function(*args)
        self.assertEqual(caught.exception.errno, code, f"{args!r}: {caught.exception}")
