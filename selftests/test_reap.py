#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The reaper: what it does, when, and what it leaves alone."""
import os
import select
import socket
import threading
import time

from lib import cw, ktap, net, trace
from lib.net import wait_until
from lib.ktap import SLOW

# A timeout that this machine can outpace many times, for tests of progress.
T_BUSY = 2 if SLOW <= 2 else 10


def latest(timeout):
    """The contract: no later than this after the last progress."""
    return timeout + max(1, timeout / 8)


class Case(cw.Case):
    def assert_reaped(self, spell, timeout):
        """Within the contract's bound, from a spell without progress."""
        left = spell.after + latest(timeout) + cw.SLACK - time.monotonic()
        events = net.aborted(spell.app, left)
        seen = time.monotonic()
        self.assertTrue(events, f"not reaped {seen - spell.after:.3f} s after its start, "
                        f"with a timeout of {timeout} s: {cw.stats()}")
        self.assertGreaterEqual(seen - spell.before, timeout, "reaped too early")
        return events

    def assert_alive(self, spell, message=None):
        self.assertFalse(net.aborted(spell.app, 0), message)
        self.assertEqual(net.state(spell.app), net.CLOSE_WAIT, message)

    def pass_time(self, until):
        """Until CLOCK_MONOTONIC says so: for what must not have happened by then."""
        left = until - time.monotonic()
        if left > 0:
            time.sleep(left)

    def snmp(self, name):
        with open("/proc/thread-self/net/snmp") as f:
            lines = [line.split() for line in f if line.startswith("Tcp:")]
        return int(dict(zip(*lines))[name])


class Effects(Case):
    def test_counters(self):
        lsn = self.listener(port=8080)
        cw.put("timeout", 1)
        resets = self.snmp("EstabResets")
        spells = [self.spell(lsn=lsn) for _ in range(3)]
        for spell in spells:
            self.assert_reaped(spell, 1)
        self.assert_stats(entered=3, reaped_timeout=3, sockets=0, left=0, reaped_request=0,
                          observed=0, deferred_rate=0, deferred_busy=0, missed=0)
        self.assertEqual(self.snmp("EstabResets") - resets, 3)
        self.assertEqual(cw.sockets(), [])
        row, = cw.ports().values()
        self.assertEqual((row["port"], row["sockets"], row["reaped"]), (8080, 0, 3))
        stats = cw.stats()
        self.assertEqual(stats["spell_lt_10s"] + stats["spell_lt_1m"], 3)
        for spell in spells:
            spell.close()
        self.assert_stats(reaped_timeout=3, left=0)

    def test_reaped_per_port(self):
        cw.put("timeout", 1)
        kept = self.spell("unaccepted", self.listener(port=7070))
        self.assertEqual(cw.ports()["in", 7070]["reaped"], 0)
        for port, number in ((8080, 2), (9090, 1)):
            lsn = self.listener(port=port)
            for _ in range(number):
                self.spell(lsn=lsn)
        self.spell(lsn=self.listener(port=3306), direction="out")
        self.assert_stats(reaped_timeout=4)
        self.assertEqual({k: r["reaped"] for k, r in cw.ports().items()},
                         {("in", 7070): 0, ("in", 8080): 2, ("in", 9090): 1, ("out", 3306): 1})
        del kept

    def test_listener_lives_on(self):
        cw.put("timeout", 1)
        lsn = self.listener()
        self.assert_reaped(self.spell(lsn=lsn), 1)
        again = self.keep(net.connection(lsn))
        again.peer.send(b"hello")
        self.assertEqual(again.app.recv(5), b"hello")

    def test_established_connections_are_left_alone(self):
        cw.put("timeout", 1)
        cw.put("port_timeouts", "out:1-65535=0")    # the other end of `half`
        lsn = self.listener()
        healthy = [self.keep(net.connection(lsn, d)) for d in ("in", "out")]
        half = self.keep(net.connection(lsn))   # we closed, they did not: FIN_WAIT2
        half.app.shutdown(socket.SHUT_WR)
        self.assert_reaped(self.spell(lsn=lsn), 1)
        self.pass_time(time.monotonic() + latest(1))
        for one in healthy:
            one.peer.send(b"hello")
            self.assertEqual(one.app.recv(5), b"hello")
        half.peer.send(b"hello")
        self.assertEqual(half.app.recv(5), b"hello")


class Bounds(Case):
    limit = 120

    def test_never_early_never_late(self):
        """Three namespaces, T = 1, 2, 3 s; sockets that begin at all phases."""
        namespaces = [(self.netns(), t) for t in (1, 2, 3)]
        waiting = {}
        poll = select.poll()
        number = ktap.count(12, 4)
        done = []
        listeners = {}
        for ns, timeout in namespaces:
            with ns:
                cw.put("timeout", timeout)
                listeners[timeout] = self.listener()

        def collect(seconds):
            deadline = time.monotonic() + seconds
            while waiting or seconds < 1:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                for fd, _events in poll.poll(left * 1000):
                    poll.unregister(fd)
                    done.append((time.monotonic(), *waiting.pop(fd)))

        for i in range(number):
            for ns, timeout in namespaces:
                with ns:
                    spell = self.spell(lsn=listeners[timeout])
                waiting[spell.app.fileno()] = spell, timeout
                poll.register(spell.app, 0)
            collect(0.13)
        collect(latest(3) + cw.SLACK + 2)
        self.assertEqual(len(waiting), 0, "not reaped at all")
        self.assertEqual(len(done), 3 * number)
        lates = []
        for seen, spell, timeout in done:
            self.assertGreaterEqual(seen - spell.before, timeout, "too early")
            lates.append(f"T={timeout}: {seen - spell.after - timeout:.3f} s after T")
            self.assertLessEqual(seen - spell.after, latest(timeout) + cw.SLACK,
                                 f"too late, T={timeout}")
        for ns, timeout in namespaces:
            with ns:
                self.assert_stats(reaped_timeout=number, left=0)

    def test_alone_after_quiet(self):
        """The reaper slept; the first socket is nonetheless in time."""
        cw.put("timeout", 1)
        for _ in range(2):
            spell = self.spell()
            self.assert_reaped(spell, 1)
            self.pass_time(time.monotonic() + 1.5)

    def test_after_progress(self):
        """The bound counts from the last progress, not from the start."""
        cw.put("timeout", 2)
        spell = self.spell("unread", data=b"hello")
        self.pass_time(spell.after + 1.3)
        spell.before = time.monotonic()
        spell.app.recv(2)
        spell.after = time.monotonic()
        self.assert_reaped(spell, 2)

    def test_progress_at_the_last_moment(self):
        """At many moments before the timeout, each is seen in time."""
        cw.put("timeout", 2)
        spells = []
        lsn = self.listener()
        for i in range(ktap.count(12, 4)):
            spell = self.spell("unread", lsn, data=b"x" * 100)
            spell.due = spell.before + 1.0 + 0.075 * i
            spells.append(spell)
        for spell in sorted(spells, key=lambda s: s.due):
            self.pass_time(spell.due)
            now = time.monotonic()
            self.assert_alive(spell) if now < spell.before + 2 else None
            spell.before = now
            spell.app.recv(1)
            spell.after = time.monotonic()
        for spell in sorted(spells, key=lambda s: s.due):
            self.assert_reaped(spell, 2)

    def test_set_after_start(self):
        """A timeout that comes into force when the socket is old: within 1 s."""
        spell = self.spell()
        self.pass_time(spell.after + 2.5)
        self.assert_alive(spell)
        start = time.monotonic()
        cw.put("timeout", 1)
        self.assertTrue(net.aborted(spell.app, latest(1) - 1 + cw.SLACK))
        self.assertLess(time.monotonic() - start, 1 + cw.SLACK)

    def test_shortened(self):
        cw.put("timeout", 1000)
        spell = self.spell()
        self.pass_time(spell.after + 0.5)
        cw.put("timeout", 1)
        self.assert_reaped(spell, 1)

    def test_lengthened(self):
        cw.put("timeout", 2)
        spell = self.spell()
        self.pass_time(spell.after + 1)
        cw.put("timeout", 4)
        self.assert_reaped(spell, 4)

    def test_switched_off(self):
        cw.put("timeout", 2)
        spell = self.spell()
        self.pass_time(spell.after + 1)
        cw.put("timeout", 0)
        self.pass_time(spell.after + latest(2) + 1)
        self.assert_alive(spell)
        self.assert_stats(sockets=1, reaped_timeout=0, observed=0)

    def test_off_by_default(self):
        spell = self.spell()
        self.pass_time(spell.after + 3)
        self.assert_alive(spell)


class Progress(Case):
    limit = 150

    def test_outlives_the_timeout(self):
        """Served slowly, drained slowly, acknowledged slowly: five timeouts long.

        And one that does nothing, beside them, is reaped.
        """
        served = self.spell("held")
        drained = self.spell("unread", data=b"x" * 4000)
        small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)]
        acked = self.spell("sending", options=small)
        idle = self.spell("unnoticed")
        control = [self.spell("held") for _ in range(2)]
        served.peer.setblocking(False)
        cw.put("timeout", T_BUSY)
        end = time.monotonic() + 5 * T_BUSY
        received = 0
        while time.monotonic() < end:
            served.app.send(b"x")
            drained.app.recv(10)
            outstanding = net.queued(acked.app, net.SIOCOUTQ)
            self.assertGreater(outstanding, 0, "the peer has read all: nothing is tested")
            wait_until(lambda: acked.peer.recv(2048)
                       and net.queued(acked.app, net.SIOCOUTQ) < outstanding, "an ACK")
            try:
                received += len(served.peer.recv(100))
            except BlockingIOError:
                pass
            for spell in (served, drained, acked):
                self.assert_alive(spell, f"{cw.stats()}")
            time.sleep(0.4)     # the pace of the slow application
        self.assertGreater(received, 5)
        for spell in [idle] + control:
            self.assertTrue(net.aborted(spell.app, 0), "the idle one lives")
        self.assertEqual(cw.find(served.app)["exact"], 1)
        self.assertGreater(cw.find(served.app)["age_ms"], 4000 * T_BUSY)
        # when they stop, their time has come too
        for spell in (served, drained, acked):
            self.assertTrue(net.aborted(spell.app, latest(T_BUSY) + cw.SLACK))
        self.assert_stats(reaped_timeout=6, sockets=0)

    def test_unnoticed_then_read(self):
        """Reading the end of file is progress, once."""
        cw.put("timeout", 2)
        spell = self.spell("unnoticed")
        self.pass_time(spell.after + 1.5)
        spell.before = time.monotonic()
        self.assertEqual(spell.app.recv(1), b"")
        spell.after = time.monotonic()
        self.assert_reaped(spell, 2)

    def test_reading_tables_is_no_progress(self):
        cw.put("timeout", 2)
        spell = self.spell("unread")
        stop = threading.Event()

        def read():
            while not stop.wait(0.05):
                spell.app.recv(1, socket.MSG_PEEK)
        thread = threading.Thread(target=read)
        thread.start()
        try:
            while time.monotonic() < spell.after + 1.5:
                cw.sockets()
                cw.ports()
            self.assert_reaped(spell, 2)
        finally:
            stop.set()
            thread.join()

    def test_disconnected_and_connected_again(self):
        """The second spell of a socket has the whole timeout."""
        cw.put("timeout", 2)
        spell = self.spell("held", direction="out")
        self.pass_time(spell.after + 1.5)
        net.reset(spell.peer)
        net.disconnect(spell.app)
        spell.app.connect(spell.lsn.getsockname())
        spell.peer = spell.lsn.accept()[0]
        spell.peer_ends()
        self.assert_reaped(spell, 2)
        self.assert_stats(entered=2, left=1, reaped_timeout=1)

    def test_another_connection_is_left_alone(self):
        """Disconnected and connected, without a second FIN: ESTABLISHED stays."""
        cw.put("timeout", 1)
        spell = self.spell("held", direction="out")
        net.reset(spell.peer)
        net.disconnect(spell.app)
        spell.app.connect(spell.lsn.getsockname())
        spell.peer = spell.lsn.accept()[0]
        self.pass_time(time.monotonic() + latest(1) + 1)
        spell.peer.send(b"hello")
        self.assertEqual(spell.app.recv(5), b"hello")
        self.assert_stats(entered=1, left=1, reaped_timeout=0)

    def test_last_ack_is_left_alone(self):
        """shutdown(SHUT_WR) ended the spell; the peer's silence is not ours."""
        cw.put("timeout", 1)
        spell = self.spell("sending")
        spell.app.shutdown(socket.SHUT_WR)      # behind data: LAST_ACK for long
        self.assert_stats(entered=1, left=1, sockets=0)
        self.pass_time(time.monotonic() + latest(1) + 1)
        self.assertFalse(net.aborted(spell.app, 0) & select.POLLERR)
        self.assertEqual(spell.app.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        self.assertGreater(len(net.drain(spell.peer)), 1000)


class Rules(Case):
    def spells(self):
        self.lsn = {p: self.listener(port=p) for p in (8080, 8081, 3306)}
        return {(d, p): self.spell(lsn=lsn, direction=d)
                for p, lsn in self.lsn.items() for d in ("in", "out")}

    def outcome(self, spells, seconds):
        """Which are reaped by then."""
        self.pass_time(max(s.after for s in spells.values()) + seconds)
        return {k for k, s in spells.items() if net.aborted(s.app, 0)}

    def test_exempt(self):
        cw.put("port_timeouts", "8080=0, out:3306=0")
        cw.put("timeout", 1)
        spells = self.spells()
        reaped = self.outcome(spells, latest(1) + cw.SLACK)
        self.assertEqual(set(spells) - reaped, {("in", 8080), ("out", 3306)})

    def test_only_a_rule(self):
        cw.put("port_timeouts", "out:3306=1")
        spells = self.spells()
        self.assertEqual(self.outcome(spells, latest(1) + cw.SLACK), {("out", 3306)})

    def test_range(self):
        cw.put("port_timeouts", "in:8080-8081=1 in:8082-65535=0")
        spells = self.spells()
        self.assertEqual(self.outcome(spells, latest(1) + cw.SLACK),
                         {("in", 8080), ("in", 8081)})

    def test_shorter_than_the_rest(self):
        cw.put("timeout", 1000)
        cw.put("port_timeouts", "8080=1 out:8080=2")
        spells = self.spells()
        self.assert_reaped(spells["in", 8080], 1)
        self.assert_reaped(spells["out", 8080], 2)
        self.assertEqual(self.outcome(spells, 0), {("in", 8080), ("out", 8080)})

    def test_longer_than_the_rest(self):
        cw.put("timeout", 1)
        cw.put("port_timeouts", "8080=3")
        spells = self.spells()
        self.assert_reaped(spells["in", 8081], 1)
        self.assert_reaped(spells["in", 8080], 3)

    def test_rule_taken_away(self):
        cw.put("port_timeouts", "8080=2")
        spell = self.spell(lsn=self.listener(port=8080))
        cw.put("port_timeouts", "\n")
        self.pass_time(spell.after + latest(2) + 0.5)
        self.assert_alive(spell)

    def test_listener_closed(self):
        """Its connections keep the rule of its port, which has to be known before."""
        lsn = self.listener()
        cw.put("port_timeouts", f"{lsn.getsockname()[1]}=0")
        cw.put("timeout", 3)
        first = self.spell()
        self.pass_time(first.after + 1.5)
        exempt = self.spell(lsn=lsn)
        self.assert_reaped(first, 3)    # the reaper has been here since
        lsn.close()
        self.assert_reaped(self.spell(), 3)
        self.assertFalse(net.aborted(exempt.app, 0))
        self.assertEqual(cw.find(exempt.app)["dir"], "in")


class Observe(Case):
    def test_counts_once_and_touches_nothing(self):
        cw.put("action", "observe")
        cw.put("timeout", 1)
        spells = [self.spell("unread") for _ in range(3)]
        self.assert_stats(observed=3)
        # progress and another timeout do not count again: once per spell
        spells[0].app.recv(1)
        self.pass_time(time.monotonic() + 2 * latest(1))
        self.assert_stats(observed=3, reaped_timeout=0, sockets=3, left=0)
        for spell in spells:
            self.assert_alive(spell)
            self.assertEqual(spell.app.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        self.assertEqual(sum(r["reaped"] for r in cw.ports().values()), 0)

    def test_not_early(self):
        cw.put("action", "observe")
        cw.put("timeout", 2)
        spell = self.spell()
        wait_until(lambda: cw.stats()["observed"], "observed")
        seen = time.monotonic()
        self.assertGreaterEqual(seen - spell.before, 2)
        self.assertLessEqual(seen - spell.after, latest(2) + cw.SLACK)

    def test_another_spell_counts_again(self):
        cw.put("action", "observe")
        cw.put("timeout", 1)
        spell = self.spell("held", direction="out")
        self.assert_stats(observed=1)
        net.reset(spell.peer)
        net.disconnect(spell.app)
        spell.app.connect(spell.lsn.getsockname())
        spell.peer = spell.lsn.accept()[0]
        spell.peer_ends()
        self.assert_stats(observed=2, entered=2, left=1)

    def test_then_reap(self):
        cw.put("action", "observe")
        cw.put("timeout", 1)
        spell = self.spell()
        self.assert_stats(observed=1)
        self.assert_alive(spell)
        cw.put("action", "reap")
        self.assertTrue(net.aborted(spell.app, 1 + cw.SLACK))
        self.assert_stats(observed=1, reaped_timeout=1)

    def test_unaccepted_is_not_observed(self):
        """It would not have been reaped."""
        cw.put("action", "observe")
        cw.put("timeout", 1)
        self.spell("unaccepted")
        self.spell()
        self.assert_stats(observed=1, skipped_unaccepted=1)


class Rate(Case):
    limit = 120

    def test_most_a_second(self):
        rate = 20
        number = ktap.count(100, 30)
        if not trace.available("tcp_close_wait/cw_reap"):
            self.skipTest("needs the tracepoint cw_reap, and tracefs")
        cw.put("reap_rate", rate)
        apps = self.bulk(number)
        log = self.keep(trace.Trace("tcp_close_wait/cw_reap"))
        start = time.monotonic()
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["reaped_timeout"] == number, "all reaped",
                   number / rate + 10)
        took = time.monotonic() - start
        times = sorted(line["time"] for line in log.lines())
        self.assertEqual(len(times), number)
        most = max(sum(t <= u < t + 1 for u in times) for t in times)
        self.assertLessEqual(most, rate, "reaps within one second")
        self.assertGreaterEqual(took, number / rate - 1)
        # nor may it dawdle: what is left is reaped as fast as allowed
        self.assertLessEqual(took, number / rate + latest(1) + 1 + cw.SLACK)
        self.assertGreater(cw.stats()["deferred_rate"], 0)
        self.assertTrue(all(net.aborted(a, 0) for a in apps))
        self.assert_stats(reaped_timeout=number, sockets=0, deferred_busy=0)

    def test_one_a_second(self):
        cw.put("reap_rate", 1)
        number = 3
        self.bulk(number)
        start = time.monotonic()
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["reaped_timeout"] == number, "all reaped", 20)
        self.assertGreaterEqual(time.monotonic() - start, number - 1)

    def test_no_limit(self):
        number = ktap.count(300, 20)
        cw.put("reap_rate", 0)
        self.bulk(number)
        before = time.monotonic()
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["reaped_timeout"] == number, "all reaped")
        self.assertLess(time.monotonic() - before, latest(1) + 1 + cw.SLACK)
        self.assertEqual(cw.stats()["deferred_rate"], 0)

    @ktap.slow
    def test_default_is_1000(self):
        """More than that do not go within a second."""
        number = 1200
        if ktap.SCALE < 1:
            self.skipTest("too many sockets for this machine")
        self.bulk(number)
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["reaped_timeout"], "the first reap", 20)
        first = last = time.monotonic()
        while cw.stats()["reaped_timeout"] < number:
            last = time.monotonic()
            self.assertLess(last - first, 10 * SLOW)
        if not cw.stats()["deferred_rate"]:
            # so slow a machine that it could not go beyond the limit
            self.assertGreater(last - first, 1)

    def test_observed_is_not_limited(self):
        """What touches nothing needs no limit."""
        cw.put("reap_rate", 1)
        cw.put("action", "observe")
        self.bulk(10)
        cw.put("timeout", 1)
        self.assert_stats(observed=10)

    def test_each_namespace_its_own(self):
        cw.put("reap_rate", 1)
        self.bulk(10)
        cw.put("timeout", 1)
        other = self.netns()
        with other:
            cw.put("timeout", 1)
            spells = [self.spell() for _ in range(5)]
            for spell in spells:
                self.assert_reaped(spell, 1)


class Skipped(Case):
    """What is never reaped, while a socket beside it is."""
    limit = 90

    def wait_and_see(self, reason):
        """A control socket is reaped, and REASON counted once, for good."""
        control = self.spell()
        self.assert_reaped(control, 1)
        self.assert_stats(**{reason: 1})
        self.pass_time(time.monotonic() + 2 * latest(1))
        self.assert_stats(**{reason: 1, "reaped_timeout": 1})
        for other in ("skipped_unaccepted", "skipped_kernel", "skipped_mptcp", "skipped_ulp"):
            if other != reason:
                self.assertEqual(cw.stats()[other], 0, other)

    def test_unaccepted(self):
        cw.put("timeout", 1)
        lsn = self.listener()
        waiting = self.keep(net.connection(lsn, accept=False))
        waiting.peer_ends(b"question")
        self.wait_and_see("skipped_unaccepted")
        cw.put("timeout", 0)    # it has been stuck for long
        app = self.keep(lsn.accept()[0])
        waiting.app = app
        self.assertEqual(app.recv(100), b"question")
        self.assertEqual(app.recv(100), b"")
        app.send(b"answer")
        self.assertEqual(waiting.peer.recv(100), b"answer")
        # now that it has an owner it is like any other
        cw.put("timeout", 1)
        self.assertTrue(net.aborted(app, latest(1) + cw.SLACK))
        self.assert_stats(reaped_timeout=2, skipped_unaccepted=1)

    def test_accepted_at_last(self):
        """It waited for longer than the timeout; the application has as long with it."""
        cw.put("timeout", 2)
        lsn = self.listener()
        waiting = self.keep(net.connection(lsn, accept=False))
        waiting.peer_ends(b"question")
        self.assert_reaped(self.spell(), 2)     # one that came later
        accepted = time.monotonic()
        waiting.app = self.keep(lsn.accept()[0])
        self.assertTrue(net.aborted(waiting.app, latest(2) + cw.SLACK))
        self.assertGreaterEqual(time.monotonic(), accepted + 2)
        self.assert_stats(reaped_timeout=2, skipped_unaccepted=1)

    def test_unaccepted_and_listener_closed(self):
        """The listener goes with a full backlog, timeouts running."""
        cw.put("timeout", 1)
        lsn = self.listener(backlog=16)
        spells = [self.keep(net.connection(lsn, accept=False)) for _ in range(8)]
        for spell in spells:
            spell.peer_ends()
        self.assert_stats(skipped_unaccepted=8, sockets=8)
        lsn.close()
        self.assert_stats(sockets=0, left=8, reaped_timeout=0)

    def kernel_socket(self, **params):
        if not cw.module_file("cw_kern_sock"):
            self.skipTest("no cw_kern_sock.ko in CW_MODULE_DIR")
        thread_result = []
        ns = self.ns

        def run():
            with ns:
                thread_result.append(cw.load("cw_kern_sock", **params))
        thread = threading.Thread(target=run)
        self.addCleanup(self.kernel_socket_gone)
        thread.start()
        return thread, thread_result

    @staticmethod
    def kernel_socket_gone():
        if os.path.isdir("/sys/module/cw_kern_sock"):
            problem = cw.unload("cw_kern_sock")
            if problem:
                raise AssertionError(problem)

    def test_kernel_client(self):
        """What the kernel itself connected: NFS, iSCSI and the like."""
        lsn = self.listener()
        thread, result = self.kernel_socket(connect=lsn.getsockname()[1])
        peer = self.keep(lsn.accept()[0])
        thread.join(20 * SLOW)
        self.assertEqual(result, [""])
        cw.put("timeout", 1)
        peer.shutdown(socket.SHUT_WR)
        self.assert_stats(sockets=1)
        self.wait_and_see("skipped_kernel")
        self.assertFalse(net.aborted(peer, 0))
        self.kernel_socket_gone()
        self.assert_stats(sockets=0, left=1)

    def test_kernel_server(self):
        thread, result = self.kernel_socket(accept=7777)

        def connected():
            try:
                return net.connect(("127.0.0.1", 7777))
            except ConnectionRefusedError:
                return None
        peer = self.keep(wait_until(connected, "the kernel's listener"))
        thread.join(20 * SLOW)
        self.assertEqual(result, [""])
        cw.put("timeout", 1)
        peer.shutdown(socket.SHUT_WR)
        self.assert_stats(sockets=1)
        self.wait_and_see("skipped_kernel")
        self.assertFalse(net.aborted(peer, 0))
        self.kernel_socket_gone()
        self.assert_stats(sockets=0, left=1)

    def test_exempt_is_not_skipped(self):
        """A port without a timeout is not stuck, whatever the socket is."""
        cw.put("timeout", 1)
        cw.put("port_timeouts", "8080=0")
        self.spell("unaccepted", self.listener(port=8080))
        self.assert_reaped(self.spell(), 1)
        self.assertEqual(cw.stats()["skipped_unaccepted"], 0)


class InUse(Case):
    """A socket that its application is using at that very moment."""
    limit = 90

    def test_not_waited_for(self):
        spell, page, thread, result = self.stuck_owner()
        cw.put("timeout", 1)
        others = [self.spell() for _ in range(3)]
        other_ns = self.netns()
        with other_ns:
            cw.put("timeout", 1)
            elsewhere = self.spell()
        for other in others:
            self.assert_reaped(other, 1)
        with other_ns:
            self.assert_reaped(elsewhere, 1)
        wait_until(lambda: cw.stats()["deferred_busy"] > 1, "tries that met the owner")
        late = self.spell()
        self.assert_reaped(late, 1)
        self.assertEqual(cw.stats()["reaped_timeout"], 4)
        self.assertTrue(thread.is_alive())
        # tables, policy: nothing waits for it either
        self.assertEqual(len(cw.sockets()), 1)
        cw.put("timeout", 2)
        cw.put("timeout", 1)
        start = time.monotonic()
        page.serve()
        thread.join(10 * SLOW)
        self.assertEqual(result, [5])
        # it read: the time starts anew
        self.assertTrue(net.aborted(spell.app, latest(1) + cw.SLACK))
        self.assertGreaterEqual(time.monotonic() - start, 1)
        self.assert_stats(reaped_timeout=5, sockets=0)

    def test_unload_does_not_wait(self):
        """rmmod and insmod, while the owner sits there."""
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        _spell, page, thread, result = self.stuck_owner()
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["deferred_busy"], "a try that met the owner")
        start = time.monotonic()
        self.module()
        self.assertLess(time.monotonic() - start, 10 * SLOW)
        self.assertTrue(thread.is_alive())
        page.serve()
        thread.join(10 * SLOW)
        self.assertEqual(result, [5])


class ManyPorts(Case):
    limit = 200

    def reap_on(self, ports):
        before = cw.stats()["reaped_timeout"]
        for port in ports:
            lsn = net.listener(port=port)
            self.spell(lsn=lsn)
            lsn.close()     # the ports lie outside the ephemeral range: still "in"
        wait_until(lambda: cw.stats()["reaped_timeout"] == before + len(ports),
                   "all reaped", 30)

    def test_folding(self):
        """Beyond 256 ports the oldest are folded into port 0."""
        old = list(range(2001, 2007))
        new = list(range(3001, 3257))
        cw.put("timeout", 1)
        self.reap_on(old)
        self.assertEqual({k: r["reaped"] for k, r in cw.ports().items()},
                         {("in", p): 1 for p in old})
        self.reap_on(new)
        expected = {("in", p): 1 for p in new}
        expected["in", 0] = len(old)
        self.assertEqual({k: r["reaped"] for k, r in cw.ports().items()}, expected)
        # one of the folded comes back, by being reaped from again
        self.reap_on(old[:1])
        table = cw.ports()
        self.assertEqual(table["in", old[0]]["reaped"], 1)
        self.assertEqual(table["in", 0]["reaped"], len(old) + 1)
        self.assertEqual(len(table), 257)
        self.assertEqual(sum(r["reaped"] for r in table.values()),
                         cw.stats()["reaped_timeout"])

    def test_live_port_does_not_fold(self):
        """A port with sockets keeps its row, beside the folded ones."""
        cw.put("timeout", 1)
        cw.put("port_timeouts", "2001=0")
        self.spell(lsn=self.listener(port=2001))
        self.reap_on(list(range(3001, 3261)))
        table = cw.ports()
        self.assertEqual((table["in", 2001]["sockets"], table["in", 2001]["reaped"]), (1, 0))
        self.assertEqual(table["in", 0]["reaped"], 4)
        self.assertEqual(table["in", 0]["sockets"], 0)


if __name__ == "__main__":
    ktap.main()
