#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module's own tracepoints: one line for each event, and none else."""
import os
import re

from lib import cw, ktap, net, trace

EVENTS = tuple(f"tcp_close_wait/{e}" for e in ("cw_enter", "cw_leave", "cw_reap"))


class Events(cw.Case):
    def setUp(self):
        super().setUp()
        if not os.path.isdir(trace.TRACING + "/instances"):
            self.skipTest("tracefs is not mounted at " + trace.TRACING)
        self.trace = self.keep(trace.Trace(*EVENTS))
        self.lsn = self.listener(port=8080)

    def expect(self, *names):
        """These events, in this order; all of them about our port."""
        def events():
            return tuple(line["event"] for line in self.trace.lines())
        try:
            net.wait_until(lambda: events() == names, "")
        except AssertionError:
            self.assertEqual(events(), names, self.trace.raw())
        for line in self.trace.lines():
            self.assertRegex(line["text"], r"\b8080\b")
            self.assertRegex(line["text"], r"127\.0\.0\.1|::1")
        return self.trace.lines()

    def test_there(self):
        self.assertEqual(sorted(e for e in os.listdir(f"{trace.TRACING}/events/tcp_close_wait")
                                if e.startswith("cw_")), ["cw_enter", "cw_leave", "cw_reap"])

    def test_established_is_silent(self):
        spell = self.keep(net.connection(self.lsn))
        spell.app.close()
        spell.peer.close()
        # our close came first; the peer's end then was in CLOSE_WAIT
        self.expect("cw_enter", "cw_leave")

    def test_enter_and_leave(self):
        spell = self.spell(lsn=self.lsn)
        enter, = self.expect("cw_enter")
        self.assertGreaterEqual(enter["time"], spell.before - 0.001)
        self.assertLessEqual(enter["time"], spell.after + 0.001)
        spell.app.close()
        self.expect("cw_enter", "cw_leave")

    def test_v6(self):
        spell = self.spell(lsn=self.listener(net.socket.AF_INET6, port=8080))
        spell.app.close()
        self.expect("cw_enter", "cw_leave")

    def test_reap(self):
        cw.put("timeout", 1)
        spell = self.spell(lsn=self.lsn)
        self.assertTrue(net.aborted(spell.app, 2 + cw.SLACK))
        lines = self.expect("cw_enter", "cw_leave", "cw_reap")
        self.assertGreaterEqual(lines[2]["time"] - lines[0]["time"], 1)
        spell.app.close()
        self.expect("cw_enter", "cw_leave", "cw_reap")

    def test_age(self):
        """cw_leave tells the length of the spell."""
        spell = self.spell(lsn=self.lsn)
        net.wait_until(lambda: cw.find(spell.app)["age_ms"] >= 200, "some age")
        spell.app.close()
        enter, leave = self.expect("cw_enter", "cw_leave")
        age = int(re.search(r"\bage_ns=(\d+)", leave["text"])[1]) / 1e9
        self.assertAlmostEqual(age, leave["time"] - enter["time"], delta=0.02 * ktap.SLOW)

    def test_observed_is_no_reap(self):
        cw.put("action", "observe")
        cw.put("timeout", 1)
        self.spell(lsn=self.lsn)
        self.assert_stats(observed=1)
        self.expect("cw_enter")

    def test_count_under_churn(self):
        number = ktap.count(100, 10)
        net.churn(self.lsn, number)
        net.wait_until(lambda: len(self.trace.lines()) >= 2 * number, "the lines")
        names = [line["event"] for line in self.trace.lines()]
        self.assertEqual((names.count("cw_enter"), names.count("cw_leave"), len(names)),
                         (number, number, 2 * number))


if __name__ == "__main__":
    ktap.main()
