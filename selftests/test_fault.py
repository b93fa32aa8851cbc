#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Memory is short: one allocation fails, each in turn, wherever the module is entered.

The caller gets an error, or all that he asked for; what was in force before stays in
force. That nothing leaks is for kmemleak to say, which the virtual machine asks at
its end, and that nothing worse happens for the kernel's log.
"""
import contextlib
import ctypes
import errno
import os
import select
import socket
import stat

from lib import cw, genl, kernel, ktap, net
from lib.ktap import SLOW
from lib.net import wait_until

DEBUGFS = "/sys/kernel/debug/"
SLAB = "/sys/kernel/slab/"
NTH = "/proc/thread-self/fail-nth"
NEVER = 1000000
# Every allocation, where otherwise a part of very many is enough.
ALL = os.environ.get("CW_FAULTS") == "all"
SWEEP_CACHE = "kmalloc-4k"      # of struct sweep
EXPECTED = (errno.ENOMEM, errno.ENOBUFS)


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


class Case(cw.Case):
    limit = 600

    def setUp(self):
        super().setUp()
        if not os.path.exists(NTH) or not os.path.isdir(DEBUGFS + "failslab"):
            self.skipTest("the kernel cannot inject faults")
        for attr in ("failslab", "fail_page_alloc"):
            self.set(f"{attr}/probability", 0)
            self.set(f"{attr}/verbose", 0)
            self.set(f"{attr}/times", -1)
            self.set(f"{attr}/ignore-gfp-wait", "N")

    def set(self, name, value):
        """Writes to a file in debugfs, and back what was there when the test is over."""
        with open(DEBUGFS + name) as f:
            before = f.read().strip()
        write(DEBUGFS + name, value)
        self.addCleanup(write, DEBUGFS + name, before)


class Faults(Case):
    """In the context of the process that asks: the first, the second, ... fails."""

    def setUp(self):
        super().setUp()
        self.set("fail_page_alloc/min-order", 0)
        self.nth = os.open(NTH, os.O_RDWR)
        self.addCleanup(os.close, self.nth)

    def attempt(self, number, action, *args):
        """Does it with one failure; returns whether there was one, the error and the result."""
        result = error = None
        os.write(self.nth, b"%d" % number)
        try:
            result = action(*args)
        except OSError as e:
            error = e.errno or errno.ETIMEDOUT      # a socket's time-out has no number
        left = int(os.pread(self.nth, 20, 0))
        os.write(self.nth, b"0")
        return left == 0, error, result

    def allocations(self, action, *args):
        """How many there are."""
        os.write(self.nth, b"%d" % NEVER)
        action(*args)
        left = int(os.pread(self.nth, 20, 0))
        os.write(self.nth, b"0")
        return NEVER - left

    def each(self, what, action, check, prepare=lambda: (), expected=EXPECTED, points=None):
        """One failure after the other, until there is none left to fail.

        check(error, result, *args) is called after each; args is what prepare() made.
        """
        errors = coped = 0
        for number in points or range(1, NEVER):
            args = prepare()
            failed, error, result = self.attempt(number, action, *args)
            with self.subTest(what=what, allocation=number):
                if error is not None:
                    self.assertIn(error, expected, os.strerror(error))
                check(error, result, *args)
            if not failed:
                self.assertIsNone(error)
                break
            errors += error is not None
            coped += error is None
        print(f"# {what}: {errors} failures told, {coped} coped with", flush=True)
        self.assertGreater(errors, 0, "nothing was tested")

    # ---- sysctl

    def test_sysctl_write(self):
        rules = ",".join(f"{port}={port}" for port in range(1000, 1100))
        for name, first, second in (("timeout", "100", "200"), ("reap_rate", "1", "2"),
                                    ("action", "observe", "reap"),
                                    ("port_timeouts", rules, "out:80=5")):
            fd = os.open(cw.SYSCTL + name, os.O_RDWR)
            self.addCleanup(os.close, fd)

            def before(name=name, first=first):
                cw.put(name, first)
                return ()

            def check(error, _result, name=name, first=first, second=second):
                self.assertEqual(cw.get(name), second if error is None else first)
            self.each(f"write {name}", lambda fd=fd, v=second: os.pwrite(fd, v.encode(), 0),
                      check, before)

    def test_sysctl_read(self):
        rules = ",".join(f"{port}={port}" for port in range(1000, 1100))
        cw.put("port_timeouts", rules)
        for name in cw.SYSCTLS:
            shown = cw.get(name)

            def check(error, result, shown=shown):
                if error is None:
                    self.assertEqual(result, shown)
            self.each(f"read {name}", lambda n=name: cw.get(n), check)

    # ---- /proc

    def test_tables(self):
        self.bulk(ktap.count(100, 40))
        for name in ("ports", "sockets", "stats"):
            lines = cw.raw(name).count("\n")

            def check(error, result, lines=lines):
                if error is None:
                    self.assertEqual(result.count("\n"), lines)
            self.each(f"read {name}", lambda n=name: cw.raw(n), check)

    # ---- netlink

    def client(self):
        return (self.keep(genl.Socket()),)

    def test_dumps(self):
        number = len(self.bulk(ktap.count(100, 40)))
        for op, rows in (("ports-get", 1), ("sockets-get", number)):
            def dump(nl, op=op):
                nl.sock.settimeout(5 * SLOW)
                return nl.dump(op, filter={"dir": "in", "classes": 31})

            def check(error, result, _nl, rows=rows):
                if error is None:
                    self.assertEqual(len(result), rows)
            self.each(f"dump {op}", dump, check, self.client)

    def test_stats(self):
        def check(error, result, _nl):
            if error is None:
                self.assertEqual(len(result), 1)

        def ask(nl):
            nl.sock.settimeout(20 * SLOW)
            return nl.do("stats-get")
        self.each("stats-get", ask, check, self.client)

    def test_request(self):
        """Whoever is refused has changed nothing, and the next one is served."""
        lsn = self.listener()

        def one():
            spell = self.spell(lsn=lsn)
            return (genl.Socket(), spell)

        def ask(nl, spell):
            nl.sock.settimeout(20 * SLOW)
            return nl.reap(cookies=[spell.cookie], filter={"dir": "in"})

        def check(error, _result, nl, spell):
            nl.close()
            with genl.Socket() as another:
                wait_until(lambda: self.reaped(another, spell), "the next one is served")
            self.assertTrue(net.aborted(spell.app, 5 * SLOW), error)
            spell.close()
        self.each("reap", ask, check, one)
        self.assert_balance()

    @staticmethod
    def reaped(nl, spell):
        try:
            nl.reap(cookies=[spell.cookie])
        except genl.Refused as e:
            if e.errno != errno.EBUSY:
                raise
            return False
        return True

    # ---- the module, and namespaces

    def part(self, number, step):
        """Of so many allocations, all or those at both ends and one in STEP between."""
        most = ktap.count(400, 40)
        if ALL or number <= 2 * most:
            return range(1, number + 1)
        return (list(range(1, most)) + list(range(most, number - most, step))
                + list(range(number - most, number + 1)))

    def test_load(self):
        """Nothing of the module is there after a failure.

        What lies between the ends are the pools' entries, which are alike.
        """
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        # of single pages the kernel's own loader takes most
        self.set("fail_page_alloc/min-order", 1)
        self.addCleanup(self._module_as_before)
        self.assertEqual(cw.unload(), "")
        fd = os.open(cw.module_file(), os.O_RDONLY)
        self.addCleanup(os.close, fd)

        def load():
            kernel.syscall("finit_module", fd, ctypes.c_char_p(b""), 0)

        def check(error, _result):
            if error is None:
                self.assertTrue(cw.loaded())
                self.assertEqual(cw.stats()["sockets"], 1)
                self.assertEqual(cw.unload(), "")
            self.assertFalse(cw.loaded())
            self.assertFalse(os.path.exists(cw.TABLES))
            self.assertFalse(os.path.exists(cw.SYSCTL + "timeout"))
            self.assertFalse(os.path.exists(cw.DEBUGFS))
            self.assertTrue(genl.missing())
        spell = self.spell()
        number = self.allocations(load)
        print(f"# load: {number} allocations", flush=True)
        self.assertEqual(cw.unload(), "")
        self.each("load", load, check, points=self.part(number, 997))
        self.assertFalse(net.aborted(spell.app, 0))

    def test_namespace(self):
        """unshare(CLONE_NEWNET): all there, or not made."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.addCleanup(os.close, home)
        self.set("fail_page_alloc/min-order", 1)

        def unshare():
            kernel.unshare(kernel.CLONE_NEWNET)

        def check(error, _result):
            if error is None:
                self.assertEqual({n: cw.get(n) for n in cw.SYSCTLS}, cw.SYSCTLS)
                self.assertEqual(cw.sockets(), [])
                kernel.setns(home, kernel.CLONE_NEWNET)
        number = self.allocations(unshare)
        kernel.setns(home, kernel.CLONE_NEWNET)
        print(f"# namespace: {number} allocations", flush=True)
        # others' parts of the namespace say so when they lack memory
        self.each("namespace", unshare, check, points=self.part(number, 5),
                  expected=EXPECTED + (errno.EEXIST, errno.ENFILE))
        spell = self.spell()
        self.assertEqual(cw.find(spell.app)["exact"], 1)


class Works(Case):
    """In the module's works: all allocations from one cache fail for a while."""

    @contextlib.contextmanager
    def failing(self, cache):
        name = f"{SLAB}{cache}/failslab"
        if not os.path.exists(name):
            self.skipTest(f"no {name}")
        if not os.stat(name).st_mode & stat.S_IWUSR:    # from 5.9 to 6.1
            self.skipTest("the kernel cannot choose a cache at run time")
        self.set("failslab/cache-filter", "Y")
        write(name, 1)
        write(DEBUGFS + "failslab/probability", 100)
        try:
            yield
        finally:
            write(DEBUGFS + "failslab/probability", 0)
            write(name, 0)

    def test_pool(self):
        """The pools run dry: sockets are missed, and found as soon as there is memory."""
        self.module()
        lsn = self.listener()
        free = cw.tracker()["entries_free"]
        with self.failing("cw_entry"):
            number = len(self.bulk(free + 200, lsn, half=True))
            stats = cw.stats()
            self.assertGreater(stats["missed"], 0)
            self.assertEqual(stats["sockets"] + stats["missed"], number)
        wait_until(lambda: cw.stats()["sockets"] == number, "all found", 120)
        self.assert_balance()

    def test_sweep(self):
        """No memory for a look at the sockets: later, and none is lost."""
        spells = [self.spell() for _ in range(3)]
        with self.failing(SWEEP_CACHE):
            cw.put("timeout", 1)
            self.assertFalse(net.aborted(spells[0].app, 4))
            self.assert_stats(sockets=3, reaped_timeout=0)
        for spell in spells:
            self.assertTrue(net.aborted(spell.app, 5 * SLOW))
        self.assert_stats(sockets=0, reaped_timeout=3)

    def test_abort_and_event(self):
        """No memory for the RST, nor for who listens: the abort is done all the same."""
        nl = self.keep(genl.Socket())
        nl.listen()
        spell = self.spell("unread", data=b"hello")
        with self.failing("skbuff_head_cache"):
            cw.put("timeout", 1)
            for sock in (spell.app, nl.sock):   # the abort comes before its event
                waiting = select.poll()
                waiting.register(sock, 0)
                self.assertTrue(waiting.poll(20000 * SLOW))
        self.assertEqual(spell.app.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
                         errno.ETIMEDOUT)
        self.assertEqual(net.drain(spell.app), b"hello")
        with self.assertRaises(OSError) as caught:
            nl.sock.settimeout(20 * SLOW)
            nl.sock.recv(4096)
        self.assertEqual(caught.exception.errno, errno.ENOBUFS)
        # the peer has not been told; it hears of it when it sends
        self.assertFalse(net.aborted(spell.peer, 0))
        self.assert_stats(reaped_timeout=1, sockets=0)


if __name__ == "__main__":
    ktap.main()
