#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Asleep while there is nothing to do: no timer, no work of the module."""
import os
import time

from lib import cw, ktap, net, trace

QUIET = 12      # seconds: longer than the 10 s in which marks are sampled at least


class Asleep(cw.Case):
    limit = 120

    def setUp(self):
        super().setUp()
        if not os.path.isdir(trace.TRACING + "/instances"):
            self.skipTest("tracefs is not mounted at " + trace.TRACING)
        self.symbols = trace.symbols(cw.MODULE)
        self.assertTrue(self.symbols)

    def watch(self):
        events = [e for e in trace.WAKE_UPS if trace.available(e)]
        return self.keep(trace.Trace(*events, size_kb=16384))

    def ours(self, log):
        return trace.of_module(log, cw.MODULE, self.symbols)

    def recorded(self, seconds):
        log = self.watch()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.5)     # the quiet itself is what is watched
        self.assertEqual(log.overruns(), 0, "the buffer was too small")
        self.assertGreater(len(log.lines()), 0, "nothing at all was recorded")
        return self.ours(log)

    def settle(self):
        """What follows a load or a burst is over: some periods without our lines."""
        deadline = time.monotonic() + 60
        while self.recorded(3):
            self.assertLess(time.monotonic(), deadline, "it never comes to rest")

    def test_the_watch_works(self):
        """With a timeout and a socket there is something to see."""
        cw.put("timeout", 1)
        cw.put("action", "observe")
        self.spell()
        self.assertNotEqual(self.recorded(3), [])

    def test_nothing_in_close_wait(self):
        """A timeout is set, healthy connections stand: still nothing to do."""
        cw.put("timeout", 1)
        lsn = self.listener()
        for _ in range(10):
            self.keep(net.connection(lsn))
        self.settle()
        self.assertEqual(self.recorded(QUIET), [])

    def test_healthy_traffic(self):
        """Connections that come and go, closed at once: no timer for each."""
        self.settle()
        log = self.watch()
        number = ktap.count(100, 10)
        net.churn(self.listener(), number)
        self.assertLess(len(self.ours(log)), number / 2 + 10)

    @ktap.slow
    def test_after_the_last_has_gone(self):
        cw.put("timeout", 1)
        spells = [self.spell() for _ in range(5)]
        for spell in spells[:2]:
            spell.close()
        for spell in spells[2:]:
            self.assertTrue(net.aborted(spell.app, 2 + cw.SLACK))
            spell.close()
        self.settle()
        self.assertEqual(self.recorded(QUIET), [])


if __name__ == "__main__":
    ktap.main()
