#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How long the module keeps a processor from its other work: `make stress`.

With 200,000 sockets in CLOSE_WAIT (CW_SOCKETS), on one processor whose clock counts
instructions (`vm/run --icount`): elsewhere the figures are those of the machine.

A real-time process that sleeps for a millisecond, again and again, notes by how much
it was late at most while something is done: so long nothing else could be scheduled.
"""
import mmap
import os
import signal
import subprocess
import time

from lib import cw, genl, kernel, ktap, net

NUMBER = int(os.environ.get("CW_SOCKETS", "200000"))
LIMIT = 0.050 * (ktap.SLOW if "CW_SLOW" in os.environ else 1)


class Meter:
    """The real-time process, and how late it has been since the last look."""

    NAP, DOZE = 0.001, 0.1

    def __init__(self):
        self._seen = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")  # longest, at work
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._run()
            finally:
                os._exit(1)

    def _run(self):
        kernel.lock_memory()
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        while True:
            before = time.monotonic_ns()
            time.sleep(self.NAP)
            late = time.monotonic_ns() - before - int(self.NAP * 1e9)
            if late > self._seen[0]:
                self._seen[0] = late
            while not self._seen[1]:
                time.sleep(self.DOZE)

    def during(self, function, *args):
        """Seconds that function() took, and the longest time without a processor."""
        self._seen[1] = 1
        time.sleep(2 * self.DOZE)
        self._seen[0] = 0
        before = time.monotonic()
        function(*args)
        took = time.monotonic() - before
        time.sleep(5 * self.NAP)    # it wakes up once more and notes the last delay
        self._seen[1] = 0
        return took, self._seen[0] / 1e9

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def read_through(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(65536):
            pass


class Latency(cw.Case):
    limit = 3600

    def setUp(self):
        super().setUp()
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.addCleanup(self._module_as_before)
        self.late = []

    def measure(self, what, function, *args):
        took, longest = self.meter.during(function, *args)
        print(f"# {what:<44} {took:9.3f} {1000 * longest:9.3f}", flush=True)
        return longest

    def ours(self, what, function, *args):
        longest = self.measure(what, function, *args)
        if longest > LIMIT:
            self.late.append(f"{what}: {1000 * longest:.3f} ms")

    def test_everything(self):
        """No work of ours is longer than 50 ms without letting others run."""
        self.assertEqual(cw.unload(), "")
        self.meter = self.keep(Meter())     # first, while there is little to lock
        lsn = self.listener()
        pairs = self.bulk(NUMBER, lsn, half=True)
        print(f"# {len(pairs)} sockets in CLOSE_WAIT on {os.cpu_count()} processor(s)\n"
              f"# {'':44} {'s in all':>9} {'ms longest':>9}", flush=True)
        self.measure("nothing, for a second", time.sleep, 1)
        self.measure("for comparison: /proc/net/tcp", read_through, "/proc/net/tcp")
        # as insmod is; the new process gets all descriptors first
        self.measure("for comparison: a process is started", self.start_process)
        self.ours("load, all sockets adopted", self.load)
        self.ours("wait for the second walk", time.sleep, 8)
        self.reads()
        self.ours("unload, all sockets tracked", self.unload)
        self.ours("load again", self.load)
        self.reaps()
        self.ours("pools are given back", time.sleep, 3)
        self.ours("unload, no socket tracked", self.unload)
        self.assertEqual(self.late, [])

    @staticmethod
    def start_process():
        subprocess.run(["true"], check=True)

    def load(self):
        self.assertEqual(cw.load(), "")
        self.assertEqual(cw.stats()["sockets"], NUMBER)

    def unload(self):
        self.assertEqual(cw.unload(), "")

    def reads(self):
        for name in ("stats", "ports", "sockets"):
            self.ours(f"read {name}", read_through, f"{cw.TABLES}/{name}")
        for name in ("netns", "tracker"):
            self.ours(f"read {name} in debugfs", read_through, f"{cw.DEBUGFS}/{name}")
        with genl.Socket() as nl:
            for op in ("ports-get", "sockets-get"):
                self.ours(f"netlink {op}", self.drain, nl, op, {})
            self.ours("netlink sockets-get, nothing matches", self.drain, nl, "sockets-get",
                      {"uid": 12345})
            self.ours("netlink reap, nothing matches", self.reap, nl,
                      {"filter": {"uid": 12345}})
        self.ours("a sweep that finds nothing stuck", self.sweep)

    @staticmethod
    def drain(nl, op, filters):
        """Without decoding: that takes Python longer than all the rest."""
        nl.start(op, filter=filters)
        for _ in nl.replies():
            pass

    @staticmethod
    def reap(nl, which):
        nl.reap(**which)

    @staticmethod
    def sweep():
        cw.put("timeout", 1000000)     # sweeps at once
        time.sleep(3)

    def reaps(self):
        with genl.Socket() as nl:
            self.ours("netlink reap --dry-run, all", self.reap, nl,
                      {"all": True, "dry_run": True})
            self.ours("netlink reap, a half", self.reap, nl,
                      {"all": True, "limit": NUMBER // 2})
        self.assertEqual(cw.stats()["reaped_request"], NUMBER // 2)
        cw.put("reap_rate", 0)
        self.ours("the other half by timeout, no rate limit", self.by_timeout)

    def by_timeout(self):
        cw.put("timeout", 1)
        net.wait_until(lambda: cw.stats()["reaped_timeout"] == NUMBER - NUMBER // 2,
                       "all are reaped", 600)


if __name__ == "__main__":
    ktap.main()
