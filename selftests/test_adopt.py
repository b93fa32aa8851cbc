#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The walk: sockets that were in CLOSE_WAIT before the module, or were missed."""
import contextlib
import os
import socket
import time

from lib import cw, ktap, net
from lib.ktap import SLOW
from lib.net import wait_until

TCP_DEFER_ACCEPT = 9
JIFFY = 0.012   # rcv_tstamp is in jiffies
BATCH = 32      # CW_BATCH: so many a reader looks at, and copies, at a time


class Case(cw.Case):
    limit = 120

    @contextlib.contextmanager
    def while_unloaded(self, **params):
        """Runs the body without the module, then loads it."""
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.assertEqual(cw.unload(), "")
        self.addCleanup(self._module_as_before)
        yield
        self.before_load = time.monotonic()
        self.assertEqual(cw.load(**params), "")
        self.after_load = time.monotonic()

    def adopted(self, number):
        """Adopted by now or by the walk that follows."""
        wait_until(lambda: cw.stats()["sockets"] == number,
                   lambda: f"{number} sockets: {cw.stats()}, {cw.tracker()}, {open(cw.DEBUGFS + '/netns').read()}",
                   30)


class AtLoad(Case):
    def test_adopted(self):
        with self.while_unloaded():
            spells = [self.spell(cls, direction=d) for cls in ("unread", "held", "unnoticed")
                      for d in ("in", "out")]
            waiting = self.spell("unaccepted")
            v6 = self.spell(lsn=self.listener(socket.AF_INET6))
        self.adopted(8)
        self.assert_stats(entered=0, adopted=8, inexact=8, left=0, missed=0)
        self.assertGreaterEqual(cw.stats()["walks"], 1)
        for spell in spells + [v6]:
            row = cw.find(spell.app)
            self.assertEqual((row["exact"], row["inode"]), (0, net.inode(spell.app)))
        self.assertEqual(sum(r["inexact"] for r in cw.ports().values()), 8)
        self.assertEqual(sum(r["unaccepted"] for r in cw.ports().values()), 1)
        # new ones beside them are exact
        new = self.spell()
        self.assertEqual(cw.find(new.app)["exact"], 1)
        self.assert_stats(entered=1, adopted=8, inexact=8, sockets=9)
        for spell in spells + [v6]:
            spell.close()
        self.assert_stats(entered=1, adopted=8, inexact=1, sockets=2, left=7)
        del waiting

    def test_age_is_a_lower_bound(self):
        """That of the FIN here, for the peer has sent no ACK since."""
        with self.while_unloaded():
            spell = self.spell()
            while time.monotonic() < spell.after + 2:
                time.sleep(0.05)
        self.adopted(1)
        before = time.monotonic()
        row = cw.find(spell.app)
        after = time.monotonic()
        self.assertLessEqual(row["age_ms"], (after - spell.before + JIFFY) * 1000)
        self.assertGreaterEqual(row["age_ms"], (before - spell.after - JIFFY) * 1000 - 1)
        self.assertLessEqual(row["idle_ms"], (after - self.before_load) * 1000 + 1)

    def test_age_from_the_last_ack(self):
        """The peer's ACK of later data: the bound is lower than the truth."""
        with self.while_unloaded():
            spell = self.spell("held")
            while time.monotonic() < spell.after + 1.5:
                time.sleep(0.05)
            acked_from = time.monotonic()
            spell.app.send(b"x")
            wait_until(lambda: net.queued(spell.app, net.SIOCOUTQ) == 0, "the ACK")
            acked_until = time.monotonic()
        self.adopted(1)
        before = time.monotonic()
        row = cw.find(spell.app)
        after = time.monotonic()
        self.assertLessEqual(row["age_ms"], (after - acked_from + JIFFY) * 1000)
        self.assertGreaterEqual(row["age_ms"], (before - acked_until - JIFFY) * 1000 - 1)

    def test_idle_from_adoption(self):
        """Loading never reaps at once, however old the sockets are."""
        with self.while_unloaded(default_timeout=2):
            spells = [self.spell() for _ in range(3)]
            while time.monotonic() < spells[0].after + 3:
                time.sleep(0.05)
        for spell in spells:
            self.assertTrue(net.aborted(spell.app, 2 + 1 + cw.SLACK + 5))
            seen = time.monotonic()
            self.assertGreaterEqual(seen - self.before_load, 2, "too early")
        self.assertLessEqual(time.monotonic() - self.after_load, 2 + 1 + cw.SLACK)
        self.assert_stats(adopted=3, reaped_timeout=3, sockets=0)

    def test_several_namespaces(self):
        others = [self.netns() for _ in range(3)]
        with self.while_unloaded():
            spells = [self.spell()]
            for number, ns in enumerate(others):
                with ns:
                    spells += [self.spell() for _ in range(number)]
        self.adopted(1)
        for number, ns in enumerate(others):
            with ns:
                self.adopted(number)
                self.assert_stats(adopted=number, entered=0)
                self.assertEqual(len(cw.sockets()), number)

    def test_minisocks_around(self):
        """TIME_WAIT and NEW_SYN_RECV share the buckets and are much smaller."""
        number = ktap.count(300, 30)
        with self.while_unloaded():
            lsn = self.listener(backlog=4096)
            for _ in range(number):
                c = net.connection(lsn)
                c.app.close()
                c.peer.close()
            deferred = self.listener(backlog=4096)
            deferred.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 60)
            for _ in range(number):
                self.keep(net.connect(deferred.getsockname()))
            with open("/proc/thread-self/net/tcp") as f:
                states = [line.split()[3] for line in f.readlines()[1:]]
            self.assertGreaterEqual(states.count("06"), number // 2, "TIME_WAIT")
            self.assertGreaterEqual(states.count("03"), number // 2, "SYN_RECV")
            apps = self.bulk(10)
        self.adopted(10)
        self.assert_stats(adopted=10, entered=0)
        self.assertEqual({r["cookie"] for r in cw.sockets()}, {net.cookie(a) for a in apps})

    def test_established_are_not(self):
        with self.while_unloaded():
            lsn = self.listener()
            connections = [self.keep(net.connection(lsn)) for _ in range(20)]
        wait_until(lambda: cw.stats()["walks"] >= 2, "another walk", 30)
        self.assert_stats(adopted=0, sockets=0)
        connections[0].peer_ends()
        self.assertEqual(cw.find(connections[0].app)["exact"], 1)

    def test_many(self):
        number = ktap.count(1000, 50)
        with self.while_unloaded():
            apps = self.bulk(number)
        self.adopted(number)
        self.assertEqual({r["cookie"] for r in cw.sockets()}, {net.cookie(a) for a in apps})
        self.assert_stats(adopted=number, inexact=number, missed=0)

    def test_own_table(self):
        """A namespace with an established hash of its own."""
        knob = "/proc/sys/net/ipv4/tcp_child_ehash_entries"
        if not os.path.exists(knob):
            self.skipTest("no tcp_child_ehash_entries in this kernel")
        with open(knob, "w") as f:
            f.write("64")
        other = self.netns()
        with other:
            with open("/proc/sys/net/ipv4/tcp_ehash_entries") as f:
                self.assertEqual(f.read().strip(), "64")
        with self.while_unloaded():
            self.spell()
            with other:
                apps = self.bulk(30)
        self.adopted(1)
        with other:
            self.adopted(30)
            self.assert_stats(adopted=30, entered=0)
            spell = self.spell()
            self.assert_stats(adopted=30, entered=1, sockets=31)
            cw.put("timeout", 1)
            self.assertTrue(net.aborted(spell.app, 5 * SLOW))
            self.assert_stats(reaped_timeout=31, sockets=0)
        del apps


@ktap.slow
class Full(Case):
    def test_max_tracked(self):
        self.module(max_tracked=8)
        apps = self.bulk(20)
        self.assert_stats(sockets=8, entered=8, missed=12, left=0)
        self.assertEqual(len(cw.sockets()), 8)
        # room again: a walk picks up others
        tracked = {r["cookie"] for r in cw.sockets()}
        inside = [a for a in apps if net.cookie(a) in tracked]
        for app in inside[:4]:
            app.close()
        wait_until(lambda: cw.stats()["sockets"] == 8, "a walk fills the room", 60)
        self.assert_stats(sockets=8, entered=8, left=4, adopted=4, inexact=4, missed=12)
        # and when all are closed, nothing is left
        for app in apps:
            app.close()
        self.assert_stats(sockets=0)

    def test_all_found_in_the_end(self):
        """What was missed is picked up, in the order in which room appears."""
        self.module(max_tracked=8)
        apps = self.bulk(20)
        alive = list(apps)
        while alive:
            known = wait_until(lambda: {r["cookie"] for r in cw.sockets()}, "some", 60)
            for app in [a for a in alive if net.cookie(a) in known]:
                app.close()
                alive.remove(app)
        self.assert_stats(sockets=0)
        stats = cw.stats()
        self.assertEqual(stats["entered"] + stats["adopted"], 20)

    def test_reaping_makes_room(self):
        """All are reaped in the end, though few are tracked at a time."""
        self.module(max_tracked=8)
        apps = self.bulk(20)
        cw.put("timeout", 1)
        for app in apps:
            self.assertTrue(net.aborted(app, 60 * SLOW))
        self.assert_stats(sockets=0, reaped_timeout=20)

    def test_fair_share(self):
        """A namespace that has taken all leaves room for another."""
        self.module(max_tracked=32)
        self.bulk(60)
        self.assertLessEqual(cw.stats()["sockets"], 32)
        with self.netns():
            spells = self.bulk(4)
            wait_until(lambda: cw.stats()["sockets"] == len(spells), "its share", 60)

    def test_fair_share_soon(self):
        """Walks that were in vain for one namespace are no reason for another to wait."""
        self.module(max_tracked=32)
        apps = self.bulk(60)
        for vain in (1, 2, 3, 4):    # each is twice as long after the one before
            walks = cw.stats()["walks"]
            known = {r["cookie"] for r in cw.sockets()}
            next(app for app in apps if net.cookie(app) in known).close()
            apps = [app for app in apps if app.fileno() != -1]
            wait_until(lambda: cw.stats()["walks"] > walks, f"walk {vain}", 60)
        with self.netns():
            spells = self.bulk(4)
            wait_until(lambda: cw.stats()["sockets"] == len(spells), "its share", 6)

    def test_readers_keep_nothing(self):
        """Readers that wait at the end of a list do not keep its sockets tracked."""
        apps = self.of_one_list(BATCH)
        cookies = {net.cookie(app) for app in apps}
        with self.while_unloaded(max_tracked=BATCH):
            pass
        self.adopted(BATCH)
        # Each has its copies after the first row, and its place behind them all.
        # There are more places than eviction looks at under the lock at a time.
        readers = [self.reader(rows=1) for _ in range(BATCH + 8)]
        with self.netns():
            self.spell()
            wait_until(lambda: cw.stats()["sockets"] == 1, "its share", 60)
        wait_until(lambda: cw.stats()["sockets"] == BATCH - 1, "one left out", 60)
        for read, file in readers:
            found = [row["cookie"] for row in cw.parse_sockets((read + file.read()).decode())]
            self.assertEqual(len(set(found)), len(found))
            self.assertLessEqual(set(found), cookies)
            self.assertGreaterEqual(len(found), BATCH - 1)

    def of_one_list(self, number):
        """NUMBER sockets in CLOSE_WAIT that the module keeps in the same list.

        It has several; the address of the socket says which. The table shows
        one after the other, each in the order of the spells: the first one ends
        where that order breaks.
        """
        lsn = self.listener()
        apps, peers, first = [], [], []
        net.raise_nofile(100 * number)
        while len(first) < number:
            for app, peer in self.bulk(100, lsn, half=True):
                apps.append(app)
                peers.append(peer)
            place = {net.cookie(app): i for i, app in enumerate(apps)}
            shown = [place[row["cookie"]] for row in cw.sockets()]
            self.assertEqual(len(shown), len(apps))
            first = [shown[0]]
            for i in shown[1:]:
                if i < first[-1]:
                    break
                first.append(i)
        chosen = set(first[:number])
        for i, pair in enumerate(zip(apps, peers)):
            if i not in chosen:
                for sock in pair:
                    sock.close()
        return [apps[i] for i in first[:number]]

    def reader(self, rows):
        """A table of which no more than ROWS have been read: these, and the file."""
        file = self.keep(open(f"{cw.TABLES}/sockets", "rb", buffering=0))
        # without a buffer readline() takes one byte at a time
        return b"".join(file.readline() for _ in range(1 + rows)), file

    def test_fair_share_adds_up(self):
        """Shares or not, no more than max_tracked; and each has its share at least."""
        self.module(max_tracked=32)
        self.bulk(60)
        share = 32 // (cw.tracker()["namespaces"] + 1)
        with self.netns():
            self.bulk(60)
            wait_until(lambda: cw.stats()["sockets"] >= share, "its share", 60)
        for _ in range(3):      # what is left over goes to whom a walk finds first
            walks = cw.stats()["walks"]
            wait_until(lambda: cw.stats()["walks"] > walks or cw.tracker()["entries_used"] == 32,
                       "a walk", 60)
            self.assertLessEqual(cw.tracker()["entries_used"], 32)
            self.assertGreaterEqual(cw.stats()["sockets"], share)


class ByWalk(Case):
    """tracking=walk: no tracepoint, everything is found."""

    def test_found_dropped_reaped(self):
        self.module(tracking="walk")
        spells = [self.spell(c) for c in ("unread", "held", "unnoticed", "unaccepted")]
        wait_until(lambda: cw.stats()["sockets"] == 4, "found by a walk", 60)
        self.assert_stats(entered=0, adopted=4, inexact=4)
        for spell in spells[:3]:
            row = cw.find(spell.app)
            self.assertEqual(row["exact"], 0)
        # what is closed disappears
        spells[0].app.close()
        wait_until(lambda: cw.stats()["sockets"] == 3, "dropped", 60)
        self.assert_stats(left=1, adopted=4)
        cw.put("timeout", 1)
        for spell in spells[1:3]:
            self.assertTrue(net.aborted(spell.app, 60 * SLOW))
            self.assertTrue(net.got_reset(spell.peer))
        self.assert_stats(sockets=1, left=1, reaped_timeout=2, skipped_unaccepted=1)

    def test_gone_is_not_shown(self):
        """A row of a socket that has left is not shown, swept or not."""
        self.module(tracking="walk")
        spell = self.spell()
        wait_until(lambda: cw.find(spell.app), "found by a walk", 60)
        spell.app.shutdown(socket.SHUT_WR)
        self.assertIsNone(cw.find(spell.app))
        self.assertEqual(sum(r["sockets"] for r in cw.ports().values()), 0)

    def test_never_early(self):
        """Idle counts from the adoption."""
        self.module(tracking="walk")
        cw.put("timeout", 2)
        spell = self.spell()
        self.assertTrue(net.aborted(spell.app, 60 * SLOW))
        self.assertGreaterEqual(time.monotonic() - spell.before, 2)

    @ktap.slow
    def test_several_spells(self):
        """A second spell of one socket is not the first one going on."""
        self.module(tracking="walk")
        lsn = self.listener()
        spell = self.spell("held", lsn, "out")
        wait_until(lambda: cw.find(spell.app), "found by a walk", 60)
        net.reset(spell.peer)
        net.disconnect(spell.app)
        wait_until(lambda: cw.stats()["sockets"] == 0, "dropped", 60)
        spell.app.connect(lsn.getsockname())
        spell.peer = lsn.accept()[0]
        spell.peer_ends()
        row = wait_until(lambda: cw.find(spell.app), "found again", 60)
        self.assertLessEqual(row["age_ms"], (time.monotonic() - spell.before + JIFFY) * 1000)
        self.assert_stats(adopted=2, left=1, sockets=1)

    def test_namespaces_and_tables(self):
        if os.path.exists("/proc/sys/net/ipv4/tcp_child_ehash_entries"):
            with open("/proc/sys/net/ipv4/tcp_child_ehash_entries", "w") as f:
                f.write("64")
        self.module(tracking="walk")
        other = self.netns()
        with other:
            self.bulk(5)
            wait_until(lambda: cw.stats()["sockets"] == 5, "found by a walk", 60)
        self.assertEqual(cw.stats()["sockets"], 0)


if __name__ == "__main__":
    ktap.main()
