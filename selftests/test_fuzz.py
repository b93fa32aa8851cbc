#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Input that nobody would send: by the thousand here, by the million with CW_FUZZ."""
import os
import random
import subprocess

from lib import cw, genl, kernel, ktap, net
from lib.ktap import SLOW

HERE = os.path.dirname(os.path.realpath(__file__))
PROGRAM = os.path.join(HERE, "fuzz")
NUMBER = int(os.environ.get("CW_FUZZ", "0"))
SEED = int(os.environ.get("CW_FUZZ_SEED", "0")) or random.getrandbits(63)
NOBODY = 65534


class Fuzz(cw.Case):
    limit = 600 + NUMBER / 20   # seconds; a message takes a debug kernel some milliseconds

    def setUp(self):
        super().setUp()
        if not os.path.exists(PROGRAM):
            self.skipTest("fuzz has not been built")

    def fuzz(self, *args, number=4000):
        """Runs the program here; what it prints goes to the log."""
        number = NUMBER or ktap.count(number, 500)
        done = subprocess.run([PROGRAM, "-n", str(number), "-s", str(SEED), *args],
                              check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def assert_works(self, outcome, expected):
        """It came to its end, got where it wanted to, and has broken nothing."""
        status, said = outcome
        for line in said.splitlines():
            print("# " + line, flush=True)
        self.assertEqual(status, 0, said)
        for word in expected:
            self.assertIn(word, said)
        for name, value in cw.SYSCTLS.items():
            cw.put(name, value or "\n")
            self.assertEqual(cw.get(name), value)
        self.assert_balance()
        with genl.Socket() as nl:
            # one that the program asked for may still be under way
            net.wait_until(lambda: self.reaped(nl), "a request is taken")
            spell = self.spell("unread", data=b"hello")
            row, = nl.dump("sockets-get")
            self.assertEqual(row["socket"]["cookie"], spell.cookie)
            self.assertEqual(nl.reap(all=True)["reaped"], 1)
        self.assertTrue(net.got_reset(spell.peer))
        spell = self.spell()
        cw.put("timeout", 1)
        self.assertTrue(net.aborted(spell.app, 10 * SLOW))
        self.assert_balance()

    @staticmethod
    def reaped(nl):
        try:
            return nl.reap(all=True)
        except genl.Refused:
            return None

    def test_netlink(self):
        self.assert_works(self.fuzz("netlink"), ("ok", "Invalid argument",
                                                 "Numerical result out of range"))

    def test_netlink_unprivileged(self):
        self.assert_works(self.fuzz("-u", str(NOBODY), "netlink"),
                          ("ok", "Operation not permitted"))

    def test_netlink_in_a_container(self):
        """Root of a user namespace, in a network namespace of its own."""
        outside = self.spell()
        os.chmod(PROGRAM, 0o755)

        def inside():
            net.link_up("lo")
            return self.fuzz("netlink")
        outcome = kernel.in_user_ns(inside, net=True).result()
        self.assertFalse(net.aborted(outside.app, 0))
        self.assert_works(outcome, ("ok", "Invalid argument"))

    def test_sysctl(self):
        self.assert_works(self.fuzz("sysctl", number=2000), ("ok", "Invalid argument"))

    def test_sysctl_unprivileged(self):
        before = {name: cw.get(name) for name in cw.SYSCTLS}
        outcome = self.fuzz("-u", str(NOBODY), "sysctl", number=2000)
        self.assertEqual({name: cw.get(name) for name in cw.SYSCTLS}, before)
        self.assert_works(outcome, ("Operation not permitted",))

    def test_proc(self):
        self.assert_works(self.fuzz("proc", number=2000), ("ok",))


if __name__ == "__main__":
    ktap.main()
