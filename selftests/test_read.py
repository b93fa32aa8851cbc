#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reading the tables: any size of read(), any length, whatever happens meanwhile."""
import collections
import errno
import os
import threading

from lib import cw, ktap, net

SIZES = (1, 7, 100, 4095, 4096, 65536)


def read_all(name, size=65536, fd=None, base=None):
    """The whole of a table by read(2) of SIZE bytes."""
    own = fd is None
    if own:
        fd = os.open(f"{base or cw.TABLES}/{name}", os.O_RDONLY)
    try:
        parts = []
        while True:
            part = os.read(fd, size)
            assert len(part) <= size
            if not part:
                return b"".join(parts).decode()
            parts.append(part)
    finally:
        if own:
            os.close(fd)


class Sizes(cw.Case):
    limit = 120

    def cookies(self, content):
        rows = cw.parse_sockets(content)
        return [row["cookie"] for row in rows]

    def test_sockets(self):
        """Each socket once, whatever the size of the pieces."""
        number = ktap.count(300, 40)
        apps = self.bulk(number)
        expected = sorted(net.cookie(a) for a in apps)
        for size in SIZES:
            with self.subTest(size=size):
                found = self.cookies(read_all("sockets", size))
                self.assertEqual(sorted(found), expected)

    def test_ports(self):
        number = ktap.count(150, 20)
        lsns = [self.listener(port=2000 + i) for i in range(number)]
        for lsn in lsns:
            self.bulk(1, lsn)
        for size in SIZES:
            with self.subTest(size=size):
                table = cw.parse_ports(read_all("ports", size))
                self.assertEqual(list(table), [("in", 2000 + i) for i in range(number)])
                self.assertEqual({r["sockets"] for r in table.values()}, {1})

    def test_stats(self):
        self.bulk(3)
        for size in SIZES:
            with self.subTest(size=size):
                self.assertEqual(cw.parse_stats(read_all("stats", size))["entered"], 3)

    def test_empty(self):
        for name in ("ports", "sockets"):
            for size in SIZES:
                self.assertEqual(read_all(name, size).count("\n"), 1, (name, size))

    def test_rewind(self):
        """lseek() to the start begins anew, from anywhere."""
        apps = self.bulk(ktap.count(200, 30))
        for name, lines in (("sockets", len(apps) + 1), ("ports", 2), ("stats", None)):
            fd = os.open(f"{cw.TABLES}/{name}", os.O_RDONLY)
            try:
                whole = read_all(name, 65536, fd)
                if lines:
                    self.assertEqual(whole.count("\n"), lines)
                for first in (0, 1, 50, 5000):
                    os.lseek(fd, 0, os.SEEK_SET)
                    os.read(fd, first)
                    os.lseek(fd, 0, os.SEEK_SET)
                    again = read_all(name, 4096, fd)
                    self.assertEqual(again.count("\n"), whole.count("\n"), (name, first))
            finally:
                os.close(fd)

    def test_rewind_sees_the_present(self):
        fd = os.open(f"{cw.TABLES}/ports", os.O_RDONLY)
        try:
            self.assertEqual(cw.parse_ports(read_all("ports", 4096, fd)), {})
            self.bulk(2, self.listener(port=8080))
            os.lseek(fd, 0, os.SEEK_SET)
            table = cw.parse_ports(read_all("ports", 4096, fd))
            self.assertEqual(table["in", 8080]["sockets"], 2)
        finally:
            os.close(fd)

    def test_pread(self):
        """pread() at 0 is a new look; one beyond the end returns nothing."""
        apps = self.bulk(30)
        fd = os.open(f"{cw.TABLES}/sockets", os.O_RDONLY)
        try:
            first = os.pread(fd, 65536, 0).decode()
            self.assertTrue(first.startswith("dir local"))
            self.assertEqual(os.pread(fd, 9, 0), b"dir local")
            self.assertEqual(os.pread(fd, 5, 4), b"local")
            self.assertEqual(os.pread(fd, 100, 10 ** 9), b"")
            self.assertEqual(len(self.cookies(read_all("sockets", 4096, fd))), len(apps))
        finally:
            os.close(fd)

    def test_several_files_at_once(self):
        """Each open file has a place of its own."""
        apps = self.bulk(ktap.count(200, 30))
        expected = sorted(net.cookie(a) for a in apps)
        fds = [os.open(f"{cw.TABLES}/sockets", os.O_RDONLY) for _ in range(5)]
        parts = collections.defaultdict(list)
        waiting = list(fds)
        while waiting:
            for number, fd in enumerate(list(waiting)):
                part = os.read(fd, 500 + 100 * number)
                parts[fd].append(part)
                if not part:
                    waiting.remove(fd)
        for fd in fds:
            os.close(fd)
            self.assertEqual(sorted(self.cookies(b"".join(parts[fd]).decode())), expected)

    def test_one_file_from_several_threads(self):
        """They share a place; together they read each line once."""
        apps = self.bulk(ktap.count(200, 30))
        fd = os.open(f"{cw.TABLES}/sockets", os.O_RDONLY)
        parts = []

        def read():
            while True:
                part = os.read(fd, 997)
                if not part:
                    return
                parts.append(part)
        threads = [threading.Thread(target=read) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        os.close(fd)
        self.assertEqual(b"".join(parts).count(b"\n"), len(apps) + 1)


@ktap.slow
class Many(cw.Case):
    limit = 600

    def many(self, number, sizes):
        pairs = self.bulk(number, self.listener(host="0.0.0.0", port=8080, backlog=4096),
                          half=True)
        self.assert_stats(entered=number, sockets=number, missed=0)
        expected = {net.cookie(app) for app, _ in pairs}
        for size in sizes:
            with self.subTest(size=size):
                lines = read_all("sockets", size).splitlines(keepends=True)
                column = cw.SOCKETS.index("cookie")
                found = collections.Counter(int(line.split()[column], 16) for line in lines[1:])
                # told in numbers, for there are too many to show
                twice = sum(n > 1 for n in found.values())
                self.assertEqual((twice, len(expected - set(found)), len(set(found) - expected)),
                                 (0, 0, 0), "twice, missing, unknown")
                # all of them by the strict parser takes a minute
                cw.parse_sockets("".join(lines[:1000]))
                cw.parse_sockets("".join(lines[:1] + lines[1:][-1000:]))
        self.assertEqual(cw.ports()["in", 8080]["sockets"], number)
        self.assert_stats(entered=number, sockets=number, missed=0)
        for app, _ in pairs:
            app.close()
        self.assert_stats(entered=number, left=number, sockets=0)

    def test_many(self):
        self.many(ktap.count(2000, 100), SIZES[1:])

    def test_huge(self):
        """In a hundred thousand reads, or in a few."""
        if ktap.SCALE < 1:
            self.skipTest("too many sockets for this machine")
        large = os.environ.get("CW_LARGE") == "1"
        self.many(100000 if large else 20000, (97, 977, 4099, 65521, 1 << 20))


class Churn(cw.Case):
    limit = 200

    def churning(self, function):
        """Runs function() while connections come and go in this namespace."""
        stop = threading.Event()
        problems = []

        def churn():
            try:
                lsn = net.listener()
                while not stop.is_set():
                    made = net.bulk(20, lsn)
                    for app in made:
                        app.close()
                lsn.close()
            except Exception as e:  # pylint: disable=broad-except
                problems.append(repr(e))
        threads = [threading.Thread(target=churn) for _ in range(2)]
        for t in threads:
            t.start()
        try:
            function()
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(problems, [])

    @ktap.slow
    def test_those_that_stay(self):
        """A socket that was there all along is in every pass, once."""
        apps = self.bulk(ktap.count(200, 30))
        expected = collections.Counter(net.cookie(a) for a in apps)

        def read():
            for i in range(ktap.count(60, 6)):
                size = SIZES[1 + i % 5]
                rows = cw.parse_sockets(read_all("sockets", size))
                found = collections.Counter(r["cookie"] for r in rows)
                for cookie in expected:
                    self.assertEqual(found[cookie], 1, f"by {size} bytes")
                twice = [c for c, n in found.items() if n > 1]
                self.assertEqual(twice, [], "twice in one pass")
        self.churning(read)
        self.assert_stats(sockets=len(apps))

    def test_ports(self):
        """The row of a port that is at rest does not shake."""
        lsn = self.listener(port=8080)
        number = ktap.count(100, 10)
        self.bulk(number, lsn)

        def read():
            for _ in range(ktap.count(100, 10)):
                row = cw.ports()["in", 8080]
                self.assertEqual((row["sockets"], row["unnoticed"]), (number, number))
        self.churning(read)

    def test_stats(self):
        """Counters only grow, and the numbers stay plausible."""
        names = ("entered", "left", "walks") + cw.SPELLS

        def read():
            last = cw.stats()
            for _ in range(ktap.count(100, 10)):
                now = cw.stats()
                for name in names:
                    self.assertGreaterEqual(now[name], last[name], name)
                self.assertLess(now["sockets"], 1000)
                last = now
        self.churning(read)
        self.assert_balance()

    def test_stops_in_the_middle(self):
        """A reader goes on after half of the sockets were closed."""
        for closed in ("even", "first", "last", "all"):
            with self.subTest(closed=closed):
                apps = self.bulk(ktap.count(300, 60))
                cookies = [net.cookie(a) for a in apps]
                fd = os.open(f"{cw.TABLES}/sockets", os.O_RDONLY)
                try:
                    content = os.read(fd, 2000)
                    half = len(apps) // 2
                    going = {"even": apps[::2], "first": apps[:half], "last": apps[half:],
                             "all": apps}[closed]
                    gone = {net.cookie(a) for a in going}
                    for app in going:
                        app.close()
                    content += read_all("sockets", 4096, fd).encode()
                finally:
                    os.close(fd)
                found = collections.Counter(
                    r["cookie"] for r in cw.parse_sockets(content.decode()))
                for cookie in cookies:
                    if cookie not in gone:
                        self.assertEqual(found[cookie], 1)
                    self.assertLessEqual(found[cookie], 1)
                for app in apps:
                    app.close()
                self.assert_stats(sockets=0)

    def test_others_come_in_the_middle(self):
        apps = self.bulk(ktap.count(100, 30))
        cookies = {net.cookie(a) for a in apps}
        fd = os.open(f"{cw.TABLES}/sockets", os.O_RDONLY)
        try:
            content = os.read(fd, 2000)
            self.bulk(ktap.count(100, 30))
            content += read_all("sockets", 4096, fd).encode()
        finally:
            os.close(fd)
        found = collections.Counter(r["cookie"] for r in cw.parse_sockets(content.decode()))
        self.assertEqual({found[c] for c in cookies}, {1})
        self.assertEqual(max(found.values()), 1)

    @ktap.slow
    def test_passes_end(self):
        """A pass ends though sockets come as fast as it reads.

        Of the list in which it is, out of several, it shows none that came after
        it had come there. With so many the first list is longer than what is
        copied at a time, so that after one row the pass is still in that.
        """
        if ktap.SCALE < 1:
            self.skipTest("too many sockets for this machine")
        before = {net.cookie(a) for a in self.bulk(900)}
        with open(f"{cw.TABLES}/sockets", "rb", buffering=0) as file:
            # without a buffer readline() takes one byte at a time
            content = file.readline() + file.readline()
            after = {net.cookie(a) for a in self.bulk(200)}
            content += file.read()
        found = {row["cookie"] for row in cw.parse_sockets(content.decode())}
        self.assertLessEqual(before, found)
        self.assertGreater(len(after - found), 0)

    def test_reaped_in_the_middle(self):
        """Rows at hand belong to sockets that the reaper has ended meanwhile."""
        self.bulk(ktap.count(200, 40))
        fd = os.open(f"{cw.TABLES}/sockets", os.O_RDONLY)
        try:
            content = os.read(fd, 2000)
            cw.put("timeout", 1)
            net.wait_until(lambda: cw.stats()["sockets"] == 0, "all reaped")
            content += read_all("sockets", 4096, fd).encode()
        finally:
            os.close(fd)
        cw.parse_sockets(content.decode())


class Ends(cw.Case):
    limit = 120

    def test_namespace_dies(self):
        """An open file, half read, whose namespace everybody has left."""
        for name in ("ports", "sockets", "stats"):
            with self.subTest(name=name):
                ns = net.NetNS()
                with ns:
                    lsn = net.listener()
                    apps = net.bulk(40, lsn)
                    fd = os.open(f"{cw.TABLES}/{name}", os.O_RDONLY)
                    os.read(fd, 200)
                for s in apps + [lsn]:
                    s.close()
                ns.close()
                try:
                    for _ in range(3):
                        try:
                            while os.read(fd, 4096):
                                pass
                            os.lseek(fd, 0, os.SEEK_SET)
                        except OSError as e:
                            self.assertIn(e.errno, (errno.EIO, errno.ENXIO, errno.ENODEV))
                finally:
                    os.close(fd)

    def test_module_goes(self):
        """rmmod does not wait for readers; they get an error, then or at once."""
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.bulk(50)
        fds = [os.open(f"{cw.TABLES}/{n}", os.O_RDONLY) for n in ("ports", "sockets", "stats")]
        fds += [os.open(cw.SYSCTL + n, os.O_RDWR) for n in cw.SYSCTLS]
        for fd in fds[:3]:
            os.read(fd, 100)
        self.addCleanup(self._module_as_before)
        self.assertEqual(cw.unload(), "")
        for fd in fds:
            with self.assertRaises(OSError):
                os.read(fd, 100)
        for fd in fds[3:]:
            with self.assertRaises(OSError):
                os.write(fd, b"1")
        self.assertEqual(cw.load(), "")
        for fd in fds:
            with self.assertRaises(OSError):
                os.read(fd, 100)
            os.close(fd)


if __name__ == "__main__":
    ktap.main()
