#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Everything at once, for a minute; for as long as one likes with `make stress`.

Environment: CW_MINUTES (1, times CW_SLOW), and CW_SEED, which is printed, to do the
same again as far as the scheduler lets it.
"""
import os
import random
import time

from lib import cw, genl, ktap, load, net
from lib.ktap import SLOW

MINUTES = float(os.environ.get("CW_MINUTES", SLOW))
SEED = os.environ.get("CW_SEED") or str(random.SystemRandom().randrange(10 ** 9))

EPOCH = 60 * SLOW   # seconds of work between two looks at the balance
REPORT = 30         # seconds between two lines of progress
SUMMED = ("entered", "adopted", "missed", "reaped_timeout", "reaped_request", "walks")


class Stress(cw.Case):
    limit = 120 * MINUTES / SLOW + 600
    repeat = False      # what fails once in a long time is what it looks for

    def setUp(self):
        super().setUp()
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.addCleanup(self._module_as_before)
        genl.own_spec()     # read here, it need not be in every worker
        self.rng = random.Random(SEED)
        self.loads = 0
        self.sums = dict.fromkeys(SUMMED, 0)
        self.past = {}      # counts of the crews that are over
        self.start = self.reported = time.monotonic()

    @ktap.slow
    def test_everything_at_once(self):
        """The counters balance, nothing is left, and nobody else noticed anything."""
        print(f"# {MINUTES:g} minutes on {os.cpu_count()} processors, CW_SEED={SEED}",
              flush=True)
        namespaces = cw.tracker()["namespaces"]
        healthy = self.crew("healthy")
        healthy.add(load.established)
        healthy.add(load.served)
        epoch = 0
        while time.monotonic() < self.start + 60 * MINUTES:
            self.epoch(epoch, healthy)
            epoch += 1
        self.assertEqual(healthy.stop(), [], "healthy connections")
        self.add_stats()
        self.report(healthy)
        self.assertGreater(healthy.counts()["bytes"], 0)
        net.wait_until(lambda: cw.tracker()["namespaces"] == namespaces,
                       "the namespaces are gone", 60)
        net.wait_until(lambda: cw.tracker()["entries_used"] == 0, "the tracker is empty", 60)
        self.assertEqual(cw.unload_when_free(), "")

    def crew(self, name):
        crew = load.Crew(f"{SEED} {name}")
        self.addCleanup(crew.stop)
        return crew

    def epoch(self, number, healthy):
        """A minute of it, then all comes to rest and has to balance."""
        crew = self.crew(number)
        crew.add(load.churn, os.cpu_count())
        for function in (load.leak, load.queue, load.spaces, load.read, load.dump,
                         load.write, load.reap):
            crew.add(function)
        crew.add(self.rng.choice((load.leak, load.queue, load.spaces, load.read, load.dump)))
        end = min(time.monotonic() + EPOCH, self.start + 60 * MINUTES)
        # once long enough that connections which are served could be reaped
        hold = 1.5 * load.PATIENCE
        while time.monotonic() < end:
            self.come_and_go()
            self.watch(min(end, time.monotonic() + hold), healthy, crew)
            hold = self.rng.choice((0, 1, 5, 15)) * self.rng.random()
        self.assertEqual(crew.stop(), [])
        self.at_rest()
        for name, value in crew.counts().items():
            self.past[name] = self.past.get(name, 0) + value

    def watch(self, end, *crews):
        while True:
            for crew in crews:
                self.assertEqual(crew.problems(), [])
            if time.monotonic() > self.reported + REPORT:
                self.report(*crews)
            if time.monotonic() >= end:
                return
            time.sleep(min(0.5, max(0, end - time.monotonic())))

    def add_stats(self):
        """They start anew with each load."""
        for name, value in cw.stats().items():
            if name in self.sums:
                self.sums[name] += value

    def come_and_go(self):
        self.add_stats()
        self.assertEqual(cw.unload_when_free(), "")
        self.assertEqual(cw.load(
            max_tracked=self.rng.choice((3, 20, 300, 1048576)),
            tracking=self.rng.choice(("events", "events", "events", "walk")),
            default_timeout=self.rng.choice((0, load.PATIENCE))), "")
        self.loads += 1

    def at_rest(self):
        """Nobody has a socket here any more."""
        try:
            net.wait_until(lambda: cw.stats()["sockets"] == 0, "", 30)
        except AssertionError:
            self.fail(f"still tracked: {cw.raw('sockets')}")
        self.assert_balance()

    def report(self, *crews):
        self.reported = time.monotonic()
        counts = dict(self.past)
        for crew in crews:
            for name, value in crew.counts().items():
                counts[name] = counts.get(name, 0) + value
        figures = dict(loads=self.loads, **counts, **self.sums)
        print(f"# after {self.reported - self.start:.0f} s:",
              ", ".join(f"{value} {name}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    ktap.main()
