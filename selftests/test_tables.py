#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The three tables: format, classes, directions, addresses, ages, owners."""
import errno
import os
import socket
import stat
import subprocess
import time

from lib import cw, kernel, ktap, net
from lib.net import wait_until

V4, V6 = socket.AF_INET, socket.AF_INET6
IN_RANGE, OUT_OF_RANGE = 45000, 20000   # of ip_local_port_range's default
FREEBIND = (socket.IPPROTO_IP, 15, 1)


class Format(cw.Case):
    def test_empty(self):
        self.assertEqual(cw.ports(), {})
        self.assertEqual(cw.sockets(), [])
        self.assertEqual(set(cw.stats().values()), {0})

    def test_columns(self):
        self.assertEqual(cw.raw("ports").splitlines()[0].split(), list(cw.PORTS))
        self.assertEqual(cw.raw("sockets").splitlines()[0].split(), list(cw.SOCKETS))
        self.assertEqual([line.split()[0] for line in cw.raw("stats").splitlines()],
                         ["name"] + list(cw.STATS))

    def test_modes(self):
        for name in ("ports", "sockets", "stats"):
            mode = os.stat(f"{cw.TABLES}/{name}").st_mode
            self.assertTrue(stat.S_ISREG(mode), name)
            self.assertEqual(stat.S_IMODE(mode), 0o444, name)
            self.assert_refused(errno.EIO, self._write, name)
        self.assertEqual(sorted(os.listdir(cw.TABLES)), ["ports", "sockets", "stats"])

    @staticmethod
    def _write(name):
        fd = os.open(f"{cw.TABLES}/{name}", os.O_WRONLY)
        try:
            os.write(fd, b"x")
        finally:
            os.close(fd)

    def test_readable_by_anyone(self):
        spell = self.spell("unread")
        rows = kernel.as_user(65534, cw.sockets).result()
        self.assertEqual([r["cookie"] for r in rows], [spell.cookie])
        self.assertEqual(len(kernel.as_user(65534, cw.ports).result()), 1)
        self.assertEqual(kernel.as_user(65534, cw.stats).result()["sockets"], 1)

    def test_sorted_ports(self):
        """In by port as a number, then out."""
        for port in (20010, 3000, 9999, 100):
            self.spell(lsn=self.listener(port=port))
        self.spell(lsn=self.listener(port=7000), direction="out")
        self.assertEqual(list(cw.ports()), [("in", 100), ("in", 3000), ("in", 9999),
                                            ("in", 20010), ("out", 7000)])

    def test_ports_sum_up_sockets(self):
        """Each number of `ports` follows from the rows of `sockets`."""
        lsn = self.listener(port=8080)
        for cls in ("unread", "unnoticed", "held", "sending", "unaccepted"):
            for _ in range(2 if cls != "unaccepted" else 1):
                self.spell(cls, lsn)
        def at_rest():
            """The senders' last ACKs have come: two looks see the same."""
            rows, table, again = cw.sockets(), cw.ports(), cw.sockets()
            same = [r["tx_bytes"] for r in rows] == [r["tx_bytes"] for r in again]
            return same and (rows, table)
        rows, table = wait_until(at_rest, "sockets at rest")
        self.assertEqual(list(table), [("in", 8080)])
        row = table["in", 8080]
        self.assertEqual(row["sockets"], len(rows))
        for cls in cw.CLASSES:
            self.assertEqual(row[cls], sum(r["class"] == cls for r in rows), cls)
            self.assertEqual(row[cls], 1 if cls == "unaccepted" else 2, cls)
        for name in ("rx_bytes", "tx_bytes"):
            self.assertEqual(row[name], sum(r[name] for r in rows), name)
        self.assertGreaterEqual(row["age_max_ms"], max(r["age_ms"] for r in rows))
        self.assertGreaterEqual(row["idle_max_ms"], max(r["idle_ms"] for r in rows))
        self.assertEqual(row["inexact"], 0)
        self.assertEqual(row["reaped"], 0)
        self.assertEqual(cw.stats()["sockets"], len(rows))

    def test_row_goes_with_the_last_socket(self):
        spells = [self.spell(lsn=self.listener(port=p)) for p in (6001, 6001 + 1)]
        self.assertEqual(len(cw.ports()), 2)
        spells[0].close()
        wait_until(lambda: list(cw.ports()) == [("in", 6002)], "the row goes")
        spells[1].close()
        wait_until(lambda: cw.ports() == {} and cw.sockets() == [], "the row goes")


class Classes(cw.Case):
    def each(self, cls):
        for family in (V4, V6):
            for direction in ("in", "out"):
                if cls == "unaccepted" and direction == "out":
                    continue
                with self.subTest(family=family.name, direction=direction):
                    spell = self.spell(cls, self.listener(family), direction)
                    yield spell, self.row_of(spell)

    @staticmethod
    def row_of(spell):
        if spell.app is not None:
            return cw.find(spell.app)
        remote = net.text(spell.peer.getsockname())
        rows = [r for r in cw.sockets() if r["remote"] == remote]
        return rows[0] if len(rows) == 1 else None

    def test_unnoticed(self):
        for _spell, row in self.each("unnoticed"):
            self.assertIsNotNone(row)
            self.assertEqual(row["class"], "unnoticed")
            self.assertEqual((row["rx_bytes"], row["tx_bytes"]), (0, 0))

    def test_unread(self):
        for _spell, row in self.each("unread"):
            self.assertEqual(row["class"], "unread")
            self.assertEqual((row["rx_bytes"], row["tx_bytes"]), (5, 0))

    def test_held(self):
        for _spell, row in self.each("held"):
            self.assertEqual(row["class"], "held")
            self.assertEqual((row["rx_bytes"], row["tx_bytes"]), (0, 0))

    def test_sending(self):
        for spell, row in self.each("sending"):
            self.assertEqual(row["class"], "sending")
            wait_until(lambda s=spell: cw.find(s.app)["tx_bytes"]
                       == net.queued(s.app, net.SIOCOUTQ), "bytes as SIOCOUTQ has them")

    def test_unaccepted(self):
        for _spell, row in self.each("unaccepted"):
            self.assertEqual(row["class"], "unaccepted")
            self.assertEqual(row["inode"], 0)
            self.assertEqual(row["dir"], "in")

    def test_unaccepted_with_data(self):
        """Data waits, but the first class that fits is unaccepted."""
        spell = self.keep(net.connection(self.listener(), accept=False))
        spell.peer_ends(b"x" * 1000)
        row = self.row_of(spell)
        self.assertEqual((row["class"], row["rx_bytes"]), ("unaccepted", 1000))

    def test_sending_before_unread(self):
        spell = self.spell("unread", data=b"question")
        net.fill(spell.app)
        row = cw.find(spell.app)
        self.assertEqual((row["class"], row["rx_bytes"]), ("sending", 8))

    def test_one_byte_is_unread(self):
        self.assertEqual(cw.find(self.spell("unread", data=b"x").app)["rx_bytes"], 1)

    def test_much_unread(self):
        data = b"x" * 30000
        row = cw.find(self.spell("unread", data=data).app)
        self.assertEqual((row["class"], row["rx_bytes"]), ("unread", len(data)))

    def test_urgent_byte(self):
        """Out-of-band data is data that waits."""
        spell = self.keep(net.connection(self.listener()))
        spell.peer.send(b"!", socket.MSG_OOB)
        spell.peer_ends()
        self.assertEqual(cw.find(spell.app)["class"], "unread")

    def test_transitions(self):
        """One spell, from class to class as the application goes on."""
        spell = self.spell("unread", data=b"hello")
        app = spell.app

        def expect(cls, rx, what):
            row = cw.find(app)
            self.assertEqual((row["class"], row["rx_bytes"]), (cls, rx), what)

        expect("unread", 5, "at first")
        app.recv(100, socket.MSG_PEEK)
        expect("unread", 5, "after a peek")
        app.recv(2)
        expect("unread", 3, "after a part was read")
        app.recv(3)
        # the kernel may have merged the FIN with data that waited: read with it
        self.assertIn(cw.find(app)["class"], ("unnoticed", "held"))
        self.assertEqual(cw.find(app)["rx_bytes"], 0)
        self.assertEqual(app.recv(1), b"")
        expect("held", 0, "after the end of file was read")
        net.fill(app)
        expect("sending", 0, "while the peer does not read")
        spell.peer.setblocking(False)

        def drained():
            try:
                while spell.peer.recv(1 << 20):
                    pass
            except BlockingIOError:
                pass
            return cw.find(app)["class"] == "held"
        wait_until(drained, "held again, once the peer has read all")
        self.assertEqual(cw.find(app)["tx_bytes"], 0)
        app.close()
        wait_until(lambda: not cw.sockets(), "the row goes with the close")

    def test_fin_with_data_read_together(self):
        """A FIN that comes with the last data is read with it: held at once."""
        spell = self.keep(net.connection(self.listener()))
        spell.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        spell.peer.send(b"last words")
        spell.peer_ends()   # uncorks: the FIN travels with the data
        self.assertEqual(cw.find(spell.app)["class"], "unread")
        self.assertEqual(cw.find(spell.app)["rx_bytes"], 10)
        self.assertEqual(spell.app.recv(100), b"last words")
        self.assertEqual(cw.find(spell.app)["class"], "held")

    def test_accept_in_the_spell(self):
        spell = self.spell("unaccepted")
        self.assertEqual(self.row_of(spell)["class"], "unaccepted")
        spell.app = spell.lsn.accept()[0]
        row = cw.find(spell.app)
        self.assertEqual((row["class"], row["inode"], row["exact"]),
                         ("unnoticed", net.inode(spell.app), 1))


class Direction(cw.Case):
    def only(self):
        rows = cw.sockets()
        self.assertEqual(len(rows), 1)
        (direction, port), = cw.ports()
        self.assertEqual(rows[0]["dir"], direction)
        return direction, port

    def test_wildcard_listener(self):
        lsn = self.listener(host="0.0.0.0", port=IN_RANGE)
        self.spell(lsn=lsn, address=("127.0.0.1", IN_RANGE))
        self.assertEqual(self.only(), ("in", IN_RANGE))

    def test_specific_listener(self):
        self.spell(lsn=self.listener(port=IN_RANGE))
        self.assertEqual(self.only(), ("in", IN_RANGE))

    def test_specific_listener_v6(self):
        self.spell(lsn=self.listener(V6, port=IN_RANGE))
        self.assertEqual(self.only(), ("in", IN_RANGE))

    def test_wildcard_listener_v6(self):
        lsn = self.listener(V6, host="::", port=IN_RANGE)
        self.spell(lsn=lsn, address=("::1", IN_RANGE))
        self.assertEqual(self.only(), ("in", IN_RANGE))

    def test_v6_listener_serves_v4(self):
        lsn = self.listener(V6, host="::", port=IN_RANGE)
        spell = self.spell(lsn=lsn, address=("127.0.0.1", IN_RANGE), family=V4)
        self.assertEqual(self.only(), ("in", IN_RANGE))
        self.assertEqual(cw.find(spell.app)["local"], f"[::ffff:127.0.0.1]:{IN_RANGE}")

    def test_out(self):
        for family in (V4, V6):
            with self.subTest(family=family.name):
                spell = self.spell(lsn=self.listener(family, port=3306), direction="out")
                self.assertEqual(self.only(), ("out", 3306))
                spell.close()
                wait_until(lambda: not cw.sockets(), "it is gone")

    def test_out_over_mapped_address(self):
        """A v6 socket that connects to a v4 address."""
        lsn = self.listener(port=3306)
        spell = self.spell(lsn=lsn, direction="out", family=V6,
                           address=("::ffff:127.0.0.1", 3306))
        self.assertEqual(self.only(), ("out", 3306))
        self.assertEqual(cw.find(spell.app)["remote"], "[::ffff:127.0.0.1]:3306")

    def closed_listener(self, port):
        spell = self.keep(net.connection(self.listener(port=port)))
        spell.lsn.close()
        spell.peer_ends()
        return spell

    def test_no_listener_port_outside_range(self):
        self.closed_listener(OUT_OF_RANGE)
        self.assertEqual(self.only(), ("in", OUT_OF_RANGE))

    def test_no_listener_port_inside_range(self):
        spell = self.closed_listener(IN_RANGE)
        self.assertEqual(self.only(), ("out", spell.peer.getsockname()[1]))

    def test_range_is_that_of_the_namespace(self):
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
            f.write("10000 21000")
        spell = self.closed_listener(OUT_OF_RANGE)
        self.assertEqual(self.only(), ("out", spell.peer.getsockname()[1]))

    def test_range_includes_its_ends(self):
        for port, expected in ((32767, "in"), (32768, "out"), (60999, "out"), (61000, "in")):
            with self.subTest(port=port):
                spell = self.closed_listener(port)
                self.assertEqual(self.only()[0], expected)
                spell.close()
                wait_until(lambda: not cw.sockets(), "it is gone")

    def test_listener_on_another_address(self):
        """A listener that would not take the socket's address says nothing."""
        spell = self.keep(net.connection(self.listener(port=IN_RANGE)))
        spell.lsn.close()
        self.listener(host="127.0.0.2", port=IN_RANGE)
        spell.peer_ends()
        self.assertEqual(self.only()[0], "out")

    def test_v6only_listener_is_not_v4(self):
        spell = self.keep(net.connection(self.listener(port=IN_RANGE)))
        spell.lsn.close()
        self.listener(V6, host="::", port=IN_RANGE,
                      options=[(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)])
        spell.peer_ends()
        self.assertEqual(self.only()[0], "out")

    def test_listener_of_another_namespace(self):
        with self.netns():
            self.listener(host="0.0.0.0", port=IN_RANGE)
        self.closed_listener(IN_RANGE)
        self.assertEqual(self.only()[0], "out")

    def test_kept_when_listener_goes(self):
        lsn = self.listener(port=IN_RANGE)
        self.spell(lsn=lsn)
        self.assertEqual(self.only(), ("in", IN_RANGE))
        lsn.close()
        self.assertEqual(self.only(), ("in", IN_RANGE))
        self.listener(port=IN_RANGE)
        self.assertEqual(self.only(), ("in", IN_RANGE))

    def test_kept_when_listener_comes(self):
        lsn = self.listener(port=3306)
        self.spell(lsn=lsn, direction="out", bind=("127.0.0.1", IN_RANGE),
                   options=[(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)])
        self.assertEqual(self.only(), ("out", 3306))
        self.listener(port=IN_RANGE)
        self.assertEqual(self.only(), ("out", 3306))

    def test_anew_for_each_spell(self):
        """One socket: first out, then in, for then its local port has a listener."""
        lsn = self.listener(port=3306)
        reuse = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
        spell = self.spell(lsn=lsn, direction="out", bind=("127.0.0.1", IN_RANGE),
                           options=reuse)
        self.assertEqual(self.only(), ("out", 3306))
        net.reset(spell.peer)
        net.disconnect(spell.app)
        self.listener(port=IN_RANGE)
        spell.app.connect(lsn.getsockname())
        spell.peer = lsn.accept()[0]
        spell.peer_ends()
        self.assertEqual(self.only(), ("in", spell.app.getsockname()[1]))
        self.assertEqual(spell.app.getsockname()[1], IN_RANGE)


class Addresses(cw.Case):
    def check(self, spell):
        row = cw.find(spell.app)
        self.assertEqual(row["local"], net.text(spell.app.getsockname()))
        self.assertEqual(row["remote"], net.text(spell.app.getpeername()))

    def test_v4(self):
        self.check(self.spell("held"))
        self.check(self.spell("held", direction="out"))
        self.check(self.spell(lsn=self.listener(host="127.200.3.254")))

    def test_v6(self):
        self.check(self.spell("held", self.listener(V6)))
        self.check(self.spell("held", self.listener(V6), "out"))

    def test_v6_is_compressed(self):
        """As inet_ntop() writes it, whatever the place of the zeros."""
        for host in ("2001:db8::1", "2001:db8:1:2:3:4:5:6", "fd00:0:0:1::"):
            with self.subTest(host=host):
                net.add_address6(host, 128)
                lsn = self.listener(V6, host=host)
                self.check(self.spell(lsn=lsn))

    def test_link_local(self):
        other = self.netns()
        net.ip("link", "add", "cw0", "type", "veth", "peer", "name", "cw1",
               "netns", f"/proc/{os.getpid()}/fd/{other.fd}")
        net.ip("link", "set", "cw0", "addrgenmode", "none", "up")
        with other:
            net.ip("link", "set", "cw1", "addrgenmode", "none", "up")
            net.add_address6("fe80::2", 64, "cw1")
        net.add_address6("fe80::1", 64, "cw0")
        scope = socket.if_nametoindex("cw0")
        lsn = self.keep(socket.socket(V6, socket.SOCK_STREAM))
        lsn.bind(("fe80::1", 8080, 0, scope))
        lsn.listen(5)
        with other:
            client = self.keep(socket.socket(V6, socket.SOCK_STREAM))
            client.settimeout(10 * ktap.SLOW)
            client.connect(("fe80::1", 8080, 0, socket.if_nametoindex("cw1")))
        app = self.keep(lsn.accept()[0])
        client.shutdown(socket.SHUT_WR)
        net.wait_state(app, net.CLOSE_WAIT)
        row = cw.find(app)
        self.assertRegex(row["local"], r"^\[fe80::1\]:8080$")
        self.assertEqual(row["dir"], "in")


class Owner(cw.Case):
    def test_inode_and_cookie(self):
        for direction in ("in", "out"):
            spell = self.spell(direction=direction)
            row = cw.find(spell.app)    # by the cookie
            self.assertEqual(row["inode"], net.inode(spell.app))

    def test_cookie_before_anyone_asked(self):
        """The row shows a cookie that SO_COOKIE then confirms."""
        spell = self.spell()
        row, = cw.sockets()
        self.assertEqual(row["cookie"], spell.cookie)
        self.assertEqual(cw.sockets()[0]["cookie"], row["cookie"])

    def test_cookie_as_ss_prints_it(self):
        spell = self.spell()
        shown = subprocess.run(["ss", "-tneH", "state", "close-wait"], check=False,
                               stdout=subprocess.PIPE, text=True).stdout
        self.assertIn(f" sk:{spell.cookie:x} ", shown + " ")
        self.assertIn(f" {spell.cookie:x} ", cw.raw("sockets"))

    def test_unaccepted_has_a_cookie(self):
        spell = self.spell("unaccepted")
        row, = cw.sockets()
        spell.app = spell.lsn.accept()[0]
        self.assertEqual(row["cookie"], spell.cookie)

    def as_uid(self, uid, direction):
        os.setegid(uid)
        os.seteuid(uid)
        try:
            lsn = self.listener()
            return self.spell(lsn=lsn, direction=direction)
        finally:
            os.seteuid(0)
            os.setegid(0)

    def test_uid(self):
        for uid in (0, 1000, 65534):
            for direction in ("in", "out"):
                with self.subTest(uid=uid, direction=direction):
                    spell = self.as_uid(uid, direction)
                    self.assertEqual(cw.find(spell.app)["uid"], uid)

    def test_uid_of_unaccepted(self):
        """That of its listener, not root."""
        os.seteuid(1000)
        try:
            lsn = self.listener()
        finally:
            os.seteuid(0)
        self.spell("unaccepted", lsn)
        self.assertEqual(cw.sockets()[0]["uid"], 1000)

    def test_uid_in_user_namespace(self):
        """1000 outside is 0 inside; who is not mapped is the overflow uid."""
        mine = self.as_uid(1000, "out").cookie
        others = self.as_uid(0, "out").cookie
        rows = kernel.in_user_ns(cw.sockets, outside=1000).result()
        with open("/proc/sys/kernel/overflowuid") as f:
            overflow = int(f.read())
        self.assertEqual({r["cookie"]: r["uid"] for r in rows}, {mine: 0, others: overflow})

    def test_cgroup(self):
        root = "/sys/fs/cgroup"
        if not os.path.exists(f"{root}/cgroup.procs"):
            self.skipTest("no cgroup2 at /sys/fs/cgroup")
        with open("/proc/self/cgroup") as f:
            before = [line.strip()[3:] for line in f if line.startswith("0::")][0]
        group = f"{root}/cw-test-{os.getpid()}"
        os.mkdir(group)
        self.addCleanup(os.rmdir, group)
        with open(f"{group}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        try:
            spells = [self.spell(), self.spell(direction="out")]
        finally:
            with open(f"{root}{before}/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))
        spells.append(self.spell())
        for spell in spells[:2]:
            self.assertEqual(cw.find(spell.app)["cgroup"], os.stat(group).st_ino)
        self.assertEqual(cw.find(spells[2].app)["cgroup"], os.stat(root + before).st_ino)
        for spell in spells:
            spell.close()


class Ages(cw.Case):
    def check_age(self, spell):
        """The age fits the moments that enclose the start and the look."""
        before = time.monotonic()
        row = cw.find(spell.app)
        after = time.monotonic()
        self.assertGreaterEqual(row["age_ms"], int((before - spell.after) * 1000) - 1)
        self.assertLessEqual(row["age_ms"], (after - spell.before) * 1000 + 1)
        return row

    def test_age_grows(self):
        spell = self.spell()
        first = self.check_age(spell)
        self.assertEqual(first["exact"], 1)
        later = wait_until(lambda: (r := self.check_age(spell))["age_ms"]
                           >= first["age_ms"] + 300 and r, "an older socket")
        self.assertEqual(later["idle_ms"], later["age_ms"])

    def test_ages_of_several(self):
        """Each its own; age_max_ms is that of the oldest."""
        lsn = self.listener(port=8080)
        old = self.spell(lsn=lsn)
        wait_until(lambda: time.monotonic() > old.after + 0.2, "some time")
        young = self.spell(lsn=lsn)
        self.check_age(old)
        self.check_age(young)
        self.assertGreaterEqual(cw.ports()["in", 8080]["age_max_ms"],
                                cw.find(old.app)["age_ms"] - 1000)
        self.assertGreaterEqual(cw.ports()["in", 8080]["age_max_ms"], 200)

    def test_age_is_that_of_the_fin(self):
        """Established long before, and accepted long after."""
        spell = self.keep(net.connection(self.listener(), accept=False))
        start = time.monotonic()
        wait_until(lambda: time.monotonic() > start + 0.3, "some time")
        spell.peer_ends()
        wait_until(lambda: time.monotonic() > start + 0.6, "some time")
        spell.app = spell.lsn.accept()[0]
        self.check_age(spell)

    def test_buckets(self):
        lsn = self.listener(port=8080)
        spell = self.spell(lsn=lsn)
        row = cw.ports()["in", 8080]
        if time.monotonic() < spell.before + 1:
            self.assertEqual([row[a] for a in cw.AGES], [1, 0, 0, 0, 0, 0])
        wait_until(lambda: cw.ports()["in", 8080]["lt_10s"], "older than 1 s")
        now = time.monotonic()
        self.assertGreaterEqual(now, spell.before + 1)
        self.spell(lsn=lsn)
        wait_until(lambda: cw.ports()["in", 8080]["lt_1s"] == 1
                   or time.monotonic() > now + 1, "the young one")
        row = cw.ports()["in", 8080]
        self.assertEqual((row["lt_1s"] + row["lt_10s"], row["lt_1m"]), (2, 0))

    def test_bucket_boundary(self):
        """lt_1s until 1,000 ms, not a moment longer."""
        spell = self.spell(lsn=self.listener(port=8080))

        def crossed():
            before = time.monotonic()
            row = cw.ports()["in", 8080]
            after = time.monotonic()
            if row["lt_1s"]:
                self.assertLess(before, spell.after + 1.002)
                self.assertLess(row["age_max_ms"], 1001)
            else:
                self.assertGreaterEqual(after, spell.before + 1)
                self.assertGreaterEqual(row["age_max_ms"], 999)
            return row["lt_10s"]
        wait_until(crossed, "1 s")

    def idle_after(self, spell, progress):
        """idle_ms drops to what can have passed since the progress."""
        wait_until(lambda: cw.find(spell.app)["idle_ms"] >= 300, "an idle socket")
        before = time.monotonic()
        progress()
        row = wait_until(lambda: (r := cw.find(spell.app))["idle_ms"] < 300 and r,
                         "progress resets idle", 2)
        self.assertLessEqual(row["idle_ms"], (time.monotonic() - before) * 1000 + 1)
        self.assertGreaterEqual(row["age_ms"], 300)
        self.assertEqual(row["exact"], 1)

    def test_read_is_progress(self):
        spell = self.spell("unread", data=b"hello")
        self.idle_after(spell, lambda: spell.app.recv(2))
        self.idle_after(spell, lambda: spell.app.recv(3))

    def test_reading_the_end_is_progress(self):
        spell = self.spell("unnoticed")
        self.idle_after(spell, lambda: spell.app.recv(1))

    def test_write_is_progress(self):
        spell = self.spell("held")
        self.idle_after(spell, lambda: spell.app.send(b"x"))

    def test_peers_ack_is_progress(self):
        spell = self.spell("sending")

        def peer_reads():
            queued = net.queued(spell.app, net.SIOCOUTQ)
            wait_until(lambda: spell.peer.recv(1 << 20) and
                       net.queued(spell.app, net.SIOCOUTQ) < queued, "an ACK")
        self.idle_after(spell, peer_reads)

    def test_looking_is_no_progress(self):
        """Neither the tables nor poll, peek or getsockopt."""
        spell = self.spell("unread")
        last = 0
        while last < 500:
            row = cw.find(spell.app)
            self.assertGreaterEqual(row["idle_ms"], last)
            self.assertEqual(row["idle_ms"], row["age_ms"])
            last = row["idle_ms"]
            cw.ports()
            spell.app.recv(1, socket.MSG_PEEK)
            net.aborted(spell.app, 0)

    def test_idle_max(self):
        """Of the one idle longest, while another one makes progress."""
        lsn = self.listener(port=8080)
        still = self.spell("held", lsn)
        busy = self.spell("held", lsn)
        busy.peer.settimeout(10)
        wait_until(lambda: cw.ports()["in", 8080]["idle_max_ms"] >= 300, "idle")
        busy.app.send(b"x")
        self.assertGreaterEqual(cw.ports()["in", 8080]["idle_max_ms"], 300)
        rows = {row["cookie"]: row["idle_ms"] for row in cw.sockets()}
        self.assertGreaterEqual(rows[still.cookie] - rows[busy.cookie], 300)


class Namespaces(cw.Case):
    def test_isolation(self):
        mine = self.spell(lsn=self.listener(port=8080))
        other = self.netns()
        with other:
            self.assertEqual((cw.ports(), cw.sockets()), ({}, []))
            self.assertEqual(set(cw.stats().values()), {0})
            theirs = [self.spell(lsn=self.listener(port=9090)) for _ in range(1)]
            self.assertEqual(list(cw.ports()), [("in", 9090)])
            self.assertEqual(cw.sockets()[0]["cookie"], theirs[0].cookie)
            self.assertEqual(cw.stats()["entered"], 1)
        self.assertEqual(list(cw.ports()), [("in", 8080)])
        self.assertEqual(cw.sockets()[0]["cookie"], mine.cookie)
        self.assertEqual(cw.stats()["entered"], 1)

    def test_through_another_process(self):
        """/proc/PID/net is the namespace of PID, not of the reader."""
        self.spell(lsn=self.listener(port=8080))
        other = self.netns()
        with other:
            self.spell(lsn=self.listener(port=9090))
            child = kernel.Child(os.getpid, stay=True)
        self.addCleanup(child.release)
        base = f"/proc/{child.result()}/net/tcp_close_wait"
        self.assertEqual(list(cw.ports(base)), [("in", 9090)])
        self.assertEqual(len(cw.sockets(base)), 1)
        self.assertEqual(cw.stats(base)["sockets"], 1)
        self.assertEqual(list(cw.ports()), [("in", 8080)])

    def test_file_stays_with_its_namespace(self):
        """A file that is open already shows the namespace it was opened in."""
        self.spell(lsn=self.listener(port=8080))
        with open(f"{cw.TABLES}/ports") as f:
            with self.netns():
                self.assertEqual(list(cw.parse_ports(f.read())), [("in", 8080)])

    def test_veth(self):
        """Two namespaces, one connection: only the side that was left behind."""
        other = self.netns()
        net.ip("link", "add", "cw0", "type", "veth", "peer", "name", "cw1",
               "netns", f"/proc/{os.getpid()}/fd/{other.fd}")
        net.ip("address", "add", "10.99.0.1/24", "dev", "cw0")
        net.ip("link", "set", "cw0", "up")
        with other:
            net.ip("address", "add", "10.99.0.2/24", "dev", "cw1")
            net.ip("link", "set", "cw1", "up")
        lsn = self.listener(host="10.99.0.1", port=8080)
        with other:
            client = self.keep(net.connect(("10.99.0.1", 8080)))
        app = self.keep(lsn.accept()[0])
        client.shutdown(socket.SHUT_WR)
        net.wait_state(app, net.CLOSE_WAIT)
        self.assertEqual(list(cw.ports()), [("in", 8080)])
        self.assertEqual(cw.sockets()[0]["remote"], net.text(client.getsockname()))
        with other:
            self.assertEqual((cw.ports(), cw.sockets()), ({}, []))

    def test_socket_of_another_namespace_in_our_hand(self):
        """What counts is the socket's namespace, not that of its owner."""
        other = self.netns()
        with other:
            spell = self.spell()
        self.assertEqual(cw.sockets(), [])
        spell.app.recv(1)
        self.assertEqual(cw.sockets(), [])
        with other:
            self.assertEqual(cw.find(spell.app)["class"], "held")


class Debugfs(cw.Case):
    BASE = cw.DEBUGFS

    def setUp(self):
        super().setUp()
        if not os.path.isdir("/sys/kernel/debug/tracing") \
                and not os.path.ismount("/sys/kernel/debug"):
            self.skipTest("debugfs is not mounted")

    def test_root_only(self):
        for name in ("netns", "tracker"):
            self.assertEqual(os.stat(f"{self.BASE}/{name}").st_mode & 0o077, 0, name)
            child = kernel.as_user(65534, cw.raw, name, self.BASE)
            self.assertEqual(child.errno, errno.EACCES)
            self.assertTrue(cw.raw(name, self.BASE))

    def test_namespaces(self):
        """A row for each namespace with sockets or a timeout."""
        number = os.fstat(self.ns.fd).st_ino

        def row():
            lines = cw.raw("netns", self.BASE).splitlines()
            self.assertEqual(lines[0].split(), ["netns", "sockets", "age_max_ms", "timeout"])
            rows = {int(line.split()[0]): [int(w) for w in line.split()[1:]]
                    for line in lines[1:]}
            return rows.get(number)

        self.assertIsNone(row())
        spell = self.spell()
        self.assertEqual((row()[0], row()[2]), (1, 0))
        cw.put("timeout", 1000)
        self.assertEqual((row()[0], row()[2]), (1, 1000))
        spell.close()
        wait_until(lambda: row() == [0, 0, 1000], "the socket is gone")
        cw.put("timeout", 0)
        self.assertIsNone(row())


if __name__ == "__main__":
    ktap.main()
