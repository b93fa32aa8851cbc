#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Long ages, counters that wrap, clocks that step, and a host that sleeps.

Where time is virtual (CW_VIRTUAL=1, a machine whose clock jumps while it is idle),
it is slept through; elsewhere the cases that need it are skipped.
"""
import errno
import os
import time
import unittest

from lib import cw, genl, ktap, net
from lib.ktap import SLOW
from lib.net import wait_until

VIRTUAL = os.environ.get("CW_VIRTUAL") == "1"
DAY = 86400
WRAP = 300          # seconds after the boot at which 32-bit jiffies wrap (INITIAL_JIFFIES)
JIFFY_MS = 10       # what an adopted socket's age comes from, at HZ=100 at worst
MS_WRAP = 2 ** 32 / 1000
RTC = "/sys/class/rtc/rtc0/"


def latest(timeout):
    """The contract: no later than this after the last progress."""
    return timeout + max(1, timeout / 8)


def sleep_until(when):
    """To a moment of CLOCK_MONOTONIC: what is tested is that so much time passes."""
    left = when - time.monotonic()
    if left > 0:
        time.sleep(left)


class Case(cw.Case):
    def assert_age(self, spell, exact=1):
        """Its age is what CLOCK_MONOTONIC says, within the slack."""
        now = time.monotonic()
        row = cw.find(spell.app)
        later = time.monotonic()
        self.assertEqual(row["exact"], exact)
        self.assertGreaterEqual(row["age_ms"], int((now - spell.after) * 1000) - 100)
        rounded = 1 if exact else JIFFY_MS
        self.assertLessEqual(row["age_ms"], (later - spell.before) * 1000 + rounded)
        return row

    def assert_reaped_in_time(self, spell, timeout, slack=cw.SLACK):
        left = spell.after + latest(timeout) + slack - time.monotonic()
        self.assertTrue(net.aborted(spell.app, left), cw.stats())
        self.assertGreaterEqual(time.monotonic() - spell.before, timeout, "reaped too early")


@unittest.skipUnless(VIRTUAL, "real time passes here")
class Jiffies(Case):
    """Ages, timeouts and adoption across the wrap of 32-bit jiffies."""
    limit = 10 * WRAP

    def test_wrap(self):
        self.assertLess(time.monotonic(), WRAP - 60, "the jiffies have wrapped already")
        seen = self.spell("unread")
        lsn = self.listener(port=8080)
        cw.put("port_timeouts", "8080=30")
        sleep_until(WRAP - 15)
        due = self.spell(lsn=lsn)
        alive = self.spell("unread", data=b"x" * 10, lsn=lsn)
        sleep_until(WRAP + 1)
        self.assert_age(seen)
        alive.before = time.monotonic()
        alive.app.recv(1)
        alive.after = time.monotonic()
        self.assert_reaped_in_time(due, 30)
        self.assertFalse(net.aborted(alive.app, 0))
        self.assert_reaped_in_time(alive, 30)
        self.assert_stats(sockets=1, reaped_timeout=2, left=0)
        # adopted now: the last ACK came before the wrap
        self.module()
        row = self.assert_age(seen, exact=0)
        self.assertLess(row["idle_ms"], 5000 * SLOW)


class Months(Case):
    """Beyond 2^32 milliseconds, which are 49.7 days: the module's clock is put ahead."""
    limit = 90

    def setUp(self):
        super().setUp()
        if not cw.module_file("cw_clock"):
            self.skipTest("no cw_clock.ko in CW_MODULE_DIR")
        with open("/proc/kallsyms") as f:
            code = [int(words[0], 16) for words in map(str.split, f)
                    if len(words) > 3 and words[3] == f"[{cw.MODULE}]" and words[1] in "tT"]
        problem = cw.load("cw_clock", start=min(code), end=max(code) + 4096)
        if problem:
            self.skipTest(f"the kernel has no kretprobes: {problem}")
        self.addCleanup(lambda: self.assertEqual(cw.unload("cw_clock"), ""))

    @staticmethod
    def ahead(seconds):
        with open("/sys/module/cw_clock/parameters/ahead", "w") as f:
            f.write(str(int(seconds)))

    def assert_row(self, spell, age, idle):
        """Its age and idle time are of so many seconds, and what has passed really."""
        row = cw.find(spell.app)
        passed = (time.monotonic() - spell.before) * 1000 + 1
        for name, seconds in (("age_ms", age), ("idle_ms", idle)):
            self.assertGreaterEqual(row[name], seconds * 1000)
            self.assertLessEqual(row[name], seconds * 1000 + passed)

    def test_age(self):
        spell = self.spell("unread", data=b"x" * 10)
        silent = self.spell()
        self.ahead(MS_WRAP - 60)
        self.assert_row(spell, int(MS_WRAP - 60), int(MS_WRAP - 60))
        self.assertEqual(spell.app.recv(1), b"x")
        self.assert_row(spell, int(MS_WRAP - 60), 0)
        age = int(MS_WRAP + 60)
        self.ahead(age)
        self.assert_row(spell, age, 120)
        self.assert_row(silent, age, age)
        for row in cw.ports().values():
            self.assertEqual((row["ge_1h"], row["sockets"]), (1, 1))
            self.assertGreater(row["age_max_ms"], 2 ** 32)
        with genl.Socket() as nl:
            def older(milliseconds):
                return len(nl.dump("sockets-get", filter={"older-than": milliseconds}))
            self.assertEqual((older(2 ** 32), older(2 ** 32 + 3600 * 1000)), (2, 0))
            self.assertEqual([r["socket"]["cookie"] for r in
                              nl.dump("sockets-get", filter={"idle": 2 ** 32})],
                             [silent.cookie])
        spell.app.close()
        self.assert_stats(left=1, spell_ge_1h=1, sockets=1)

    def test_decades(self):
        """A host that is up for 100 years."""
        spell = self.spell()
        self.ahead(100 * 365 * DAY)
        self.assert_row(spell, 100 * 365 * DAY, 100 * 365 * DAY)

    def test_timeouts(self):
        """Of 50 days, and the longest there is."""
        longest = 365 * DAY
        rules = f"8080={50 * DAY} 8081={longest}"
        cw.put("port_timeouts", rules)
        spells = {t: self.spell(lsn=self.listener(port=p))
                  for t, p in ((50 * DAY, 8080), (longest, 8081))}
        for timeout, spell in spells.items():
            self.ahead(timeout - 60 * SLOW)
            cw.put("port_timeouts", rules)      # has the module look at once
            self.assertFalse(net.aborted(spell.app, 0.5), f"{timeout} s")
            self.ahead(timeout)
            self.assertTrue(net.aborted(spell.app, 11 + cw.SLACK), f"{timeout} s")
        self.assert_stats(reaped_timeout=2, sockets=0, left=0)


class Steps(Case):
    """CLOCK_REALTIME is set: not a time that matters here."""

    def test_clock_is_set(self):
        start = time.time() - time.monotonic()
        self.addCleanup(lambda: self.set_clock(start))
        cw.put("timeout", 4)
        for years in (10, -5):
            with self.subTest(years=years):
                spell = self.spell()
                self.set_clock(start + years * 365 * DAY)
                self.assert_age(spell)
                self.assertFalse(net.aborted(spell.app, 0.5))
                self.assert_reaped_in_time(spell, 4)

    @staticmethod
    def set_clock(offset):
        time.clock_settime(time.CLOCK_REALTIME, offset + time.monotonic())


class Suspend(Case):
    """The host sleeps: CLOCK_MONOTONIC stands still, and so do ages."""
    limit = 120

    def suspend(self, seconds):
        """Returns how long CLOCK_BOOTTIME ran while CLOCK_MONOTONIC did not."""
        try:
            with open("/sys/power/mem_sleep", "w") as f:
                f.write("deep")     # from s2idle no clock wakes QEMU's PC
            with open(RTC + "wakealarm", "w") as f:
                f.write("0")
            with open(RTC + "since_epoch") as f:
                now = int(f.read())
            with open(RTC + "wakealarm", "w") as f:
                f.write(str(now + seconds))
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.EINVAL, errno.EIO):
                raise
            self.skipTest(f"the machine cannot sleep, or not be woken: {e}")
        before = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        with open("/sys/power/state", "w") as f:
            f.write("mem")
        asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic() - before
        self.assertGreater(asleep, seconds - 3, "it did not sleep")
        return asleep

    def test_ages_stand_still(self):
        spell = self.spell()
        self.suspend(8)
        row = self.assert_age(spell)
        # of CLOCK_BOOTTIME it would be more
        self.assertGreater(time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic(), 4)
        self.assertEqual(row["exact"], 1)

    def test_no_mass_reaping_at_wake_up(self):
        timeout = 5 * max(1, int(SLOW))
        cw.put("timeout", timeout)
        spells = [self.spell() for _ in range(5)]
        self.suspend(timeout + 4)
        if time.monotonic() < spells[0].before + timeout:
            for spell in spells:
                self.assertFalse(net.aborted(spell.app, 0), "reaped for the time asleep")
        for spell in spells:
            self.assert_reaped_in_time(spell, timeout, cw.SLACK + 1)

    def test_in_the_middle_of_it(self):
        """Asleep while sockets are being reaped: it goes on where it was."""
        number = ktap.count(120, 30)
        cw.put("reap_rate", number // 3)
        self.bulk(number)
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["reaped_timeout"], "the first", 20)
        self.suspend(4)
        wait_until(lambda: cw.stats()["reaped_timeout"] == number, "the last", 20)
        self.assert_stats(reaped_timeout=number, sockets=0)


if __name__ == "__main__":
    ktap.main()
