#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Asleep while there is nothing to do: no timer, no work of the module."""
import glob
import os
import time

from lib import cw, ktap, net, trace

EVENTS = ("timer/timer_start", "timer/timer_expire_entry", "timer/hrtimer_expire_entry",
          "workqueue/workqueue_queue_work", "workqueue/workqueue_execute_start")
QUIET = 12      # seconds: longer than the 10 s in which marks are sampled at least


class Asleep(cw.Case):
    limit = 120

    def setUp(self):
        super().setUp()
        if not os.path.isdir(trace.TRACING + "/instances"):
            self.skipTest("tracefs is not mounted at " + trace.TRACING)
        with open("/proc/kallsyms") as f:
            self.symbols = {words[2] for words in map(str.split, f)
                            if len(words) > 3 and words[3] == f"[{cw.MODULE}]"}
        self.assertTrue(self.symbols)

    def ours(self, log):
        """The recorded lines that name a function or a work of the module."""
        found = []
        for line in log.lines():
            for word in line["text"].replace("=", " ").split():
                name = word.partition("+")[0].strip("()[]")
                if name in self.symbols or f"[{cw.MODULE}]" in line["text"] \
                        or cw.MODULE in line["text"]:
                    found.append(f'{line["event"]}: {line["text"]}')
                    break
        return found

    def recorded(self, seconds):
        log = self.keep(trace.Trace(*[e for e in EVENTS if trace.available(e)]))
        with open(f"{log.path}/buffer_size_kb", "w") as f:
            f.write("16384")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.5)     # the quiet itself is what is watched
        overruns = 0
        for path in glob.glob(f"{log.path}/per_cpu/cpu*/stats"):
            with open(path) as f:
                overruns += sum(int(line.split()[-1]) for line in f
                                if line.startswith("overrun"))
        self.assertEqual(overruns, 0, "the buffer was too small")
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
        log = self.keep(trace.Trace(*[e for e in EVENTS if trace.available(e)]))
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
