#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Loading and unloading, at any moment and under any load."""
import os
import random
import subprocess
import time

from lib import cw, ktap, load, net


class Case(cw.Case):
    limit = 300

    def setUp(self):
        super().setUp()
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.addCleanup(self._module_as_before)


class Parameters(Case):
    def test_refused(self):
        """A value that makes no sense: a clean error, nothing left behind."""
        self.assertEqual(cw.unload(), "")
        for name, value in (("max_tracked", "0"), ("max_tracked", "-1"), ("max_tracked", "x"),
                            ("tracking", "foo"), ("tracking", ""), ("tracking", "EVENTS"),
                            ("default_timeout", "31536001"), ("default_timeout", "-1"),
                            ("default_timeout", "x"), ("default_timeout", "4294967296")):
            with self.subTest(name=name, value=value):
                problem = cw.load(**{name: value})
                self.assertRegex(problem, "(?i)invalid|inval|range")
                self.assertFalse(cw.loaded())
                self.assertFalse(os.path.exists(cw.TABLES))
                self.assertFalse(os.path.exists(cw.SYSCTL + "timeout"))
        self.assertEqual(cw.load(), "")

    def test_extremes(self):
        for params in ({"max_tracked": 1}, {"max_tracked": 100000000},
                       {"default_timeout": 31536000}, {"tracking": "events"},
                       {"tracking": "walk", "max_tracked": 1, "default_timeout": 1}):
            with self.subTest(params=params):
                if cw.loaded():
                    self.assertEqual(cw.unload(), "")
                self.assertEqual(cw.load(**params), "")
                with self.netns():
                    self.spell()
                    cw.ports(), cw.sockets(), cw.stats()


class Unload(Case):
    def test_with_sockets(self):
        """The sockets stay as they are, those that would be reaped soon too."""
        for timeout in (0, 5, 1000):
            with self.subTest(timeout=timeout):
                cw.put("timeout", timeout)
                spells = [self.spell(c) for c in ("unread", "held", "unnoticed", "sending",
                                                  "unaccepted")]
                self.assertEqual(cw.unload(), "")
                for spell in spells[:4]:
                    self.assertEqual(net.state(spell.app), net.CLOSE_WAIT)
                    self.assertFalse(net.aborted(spell.app, 0))
                spells[0].peer.settimeout(10)
                spells[0].app.send(b"x")
                self.assertEqual(spells[0].peer.recv(1), b"x")
                for spell in spells:
                    spell.close()
                self.assertEqual(cw.load(), "")

    def test_no_reaping_afterwards(self):
        cw.put("timeout", 1)
        spell = self.spell()
        self.assertEqual(cw.unload(), "")
        end = time.monotonic() + 3
        self.assertFalse(net.aborted(spell.app, end - time.monotonic()))
        self.assertEqual(cw.load(), "")
        self.assertEqual(cw.get("timeout"), "0", "a policy does not outlive the module")

    def test_while_reaping(self):
        """At a moment when the reaper is at work."""
        for _ in range(ktap.count(6, 2)):
            apps = self.bulk(ktap.count(200, 20))
            cw.put("reap_rate", 100)
            cw.put("timeout", 1)
            net.wait_until(lambda: cw.stats()["reaped_timeout"], "the first reap")
            self.assertEqual(cw.unload(), "")
            reaped = sum(bool(net.aborted(a, 0)) for a in apps)
            self.assertGreater(reaped, 0)
            for app in apps:
                app.close()
            self.assertEqual(cw.load(), "")

    def test_busy_namespaces(self):
        """With sockets and timeouts in many namespaces."""
        spaces = [(self.netns(), []) for _ in range(ktap.count(20, 3))]
        for ns, apps in spaces:
            with ns:
                apps += self.bulk(3)
                cw.put("timeout", 1)
        self.assertEqual(cw.unload(), "")
        self.assertEqual(cw.load(), "")
        for ns, apps in spaces:
            # any number of them have been reaped by the time of the unloading
            left = sum(net.state(app) == net.CLOSE_WAIT for app in apps)
            with ns:
                net.wait_until(lambda n=left: cw.stats()["sockets"] == n, "the walk", 30)
                self.assertEqual(cw.get("timeout"), "0")


class LateFailure(Case):
    """A namespace whose making fails after the module's part of it is done."""

    PARAMETERS = "/sys/module/cw_late_netns/parameters/"

    def setUp(self):
        super().setUp()
        if not cw.module_file("cw_late_netns"):
            self.skipTest("no cw_late_netns.ko in CW_MODULE_DIR")
        self.assertEqual(cw.unload(), "")
        self.assertEqual(cw.load(default_timeout=3600), "")   # all are in the list
        self.assertEqual(cw.load("cw_late_netns"), "")
        self.addCleanup(cw.unload, "cw_late_netns")

    def hold(self, value):
        with open(self.PARAMETERS + "hold", "w", encoding="ascii") as file:
            file.write(value)

    def held(self):
        with open(self.PARAMETERS + "held", encoding="ascii") as file:
            return int(file.read())

    @staticmethod
    def listed():
        with open(f"{cw.DEBUGFS}/netns", encoding="ascii") as file:
            return {line.split()[0] for line in list(file)[1:]}

    def test_nobody_finds_it(self):
        """It is freed whoever has a reference, so nobody may get one."""
        before = self.listed()
        self.assertIn(str(os.stat("/proc/thread-self/ns/net").st_ino), before)
        self.hold("1")
        self.addCleanup(self.hold, "0")
        maker = subprocess.Popen(["unshare", "-n", "true"], stderr=subprocess.PIPE)
        net.wait_until(lambda: self.held() == 1, "it is being made")
        self.assertEqual(self.listed(), before)
        self.hold("0")
        self.assertIn(b"Cannot allocate memory", maker.communicate()[1])
        self.assertEqual(self.listed(), before)
        with self.netns():
            self.assertIn(str(os.stat("/proc/thread-self/ns/net").st_ino), self.listed())


class Loop(Case):
    limit = 600

    def setUp(self):
        super().setUp()
        self.crew = load.Crew(self.id())
        self.addCleanup(self.crew.stop)

    def rounds(self, number, hold):
        for i in range(number):
            self.assertEqual(cw.unload_when_free(), "", f"round {i}")
            self.assertEqual(cw.load(tracking=("events", "walk")[i % 5 == 4],
                                     default_timeout=(0, 1)[i % 2]), "", f"round {i}")
            hold()
            self.assertEqual(self.crew.problems(), [])
        self.assertEqual(self.crew.stop(), [])

    @ktap.slow
    def test_under_load(self):
        """Churn, leaks, readers, writers, namespaces; the module comes and goes."""
        for function in (load.churn, load.leak, load.read, load.read, load.write, load.spaces):
            self.crew.add(function)
        self.rounds(ktap.count(25, 3), lambda: time.sleep(random.random() * 0.5))

    def test_as_fast_as_it_goes(self):
        self.crew.add(load.churn)
        self.crew.add(load.spaces)
        self.rounds(ktap.count(25, 3), lambda: None)

    def test_works_after_it(self):
        """After many rounds it still counts, and lets go of all."""
        for _ in range(ktap.count(10, 2)):
            self.assertEqual(cw.unload(), "")
            self.assertEqual(cw.load(), "")
        before = cw.stats()
        spell = self.spell()
        self.assert_stats(before, entered=1, sockets=1)
        cw.put("timeout", 1)
        self.assertTrue(net.aborted(spell.app, 2 + cw.SLACK))
        self.assert_stats(before, entered=1, reaped_timeout=1, sockets=0)


if __name__ == "__main__":
    ktap.main()
