#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The sysctls: values, refusals, who may write, namespaces, concurrency."""
import errno
import os
import stat
import threading

from lib import cw, kernel, ktap

RULES = cw.SYSCTL + "port_timeouts"

# what is written, and what it reads back as
CANONICAL = (
    ("80=5", "80=5"),
    ("in:80=5", "80=5"),
    ("out:80=5", "out:80=5"),
    ("80-90=5", "80-90=5"),
    ("80-80=5", "80=5"),
    ("443=1,80=2", "80=2,443=1"),
    ("443=1 80=2", "80=2,443=1"),
    ("443=1, 80=2", "80=2,443=1"),
    ("443=1\n80=2\n", "80=2,443=1"),
    ("443=1\t80=2", "80=2,443=1"),
    ("  80=5  ", "80=5"),
    ("out:1=1,1=2", "1=2,out:1=1"),
    ("out:80=1,in:80=2", "80=2,out:80=1"),
    ("80-90=1,91-100=1", "80-90=1,91-100=1"),
    ("80=0", "80=0"),
    ("1-65535=31536000", "1-65535=31536000"),
    ("65535=1", "65535=1"),
)

BAD_RULES = (
    "x", "80", "80=", "=5", "80=x", "x=5", "80=5x", "80x=5", "80=-1", "-80=5", "80-=5",
    "80-79=5", "80--90=5", "80-90-100=5", "65536=5", "80-65536=5", "80=31536001",
    "80=4294967296", "4294967376=5", "80=99999999999999999999", "99999999999999999999=1",
    "in:80", "in=80", "in:=5", "in::80=5", "on:80=5", "IN:80=5", "inout:80=5", "in: 80=5",
    "in :80=5", "80 =5", "80= 5", "80 - 90=5", "80=5;90=5", "80=5/90=5", "80=5.0", "80=5s",
    "0x50=5", "+80=5", "80=+5", "80==5", "80=5=6", "80=5\0,90=6", "80=5,90=6x", "80=5,x",
    "80=5,80=6", "80=5,80=5", "80-90=5,85=6", "80-90=5,90-100=6", "85=1,80-90=2",
    "out:80=5,out:80-81=6", "1-65535=1,80=2", "\x80=5", "80=5\x01", "*=5", "all=5",
)

BAD_NUMBERS = ("x", "-1", "1x", "0x10", "1.5", "4294967296", "18446744073709551616",
               "99999999999999999999999", "1 2", "1,2", "--", "+", "- 1", "off")


class Case(cw.Case):
    def whole(self):
        return {name: cw.get(name) for name in cw.SYSCTLS}

    def refuse(self, name, value, code=errno.EINVAL):
        before = self.whole()
        with self.assertRaises(OSError, msg=f"{name} took {value!r}") as caught:
            cw.put(name, value)
        self.assertEqual(caught.exception.errno, code, f"{name}: {value!r}")
        self.assertEqual(self.whole(), before, f"after {value!r}")


class Values(Case):
    def test_defaults(self):
        self.assertEqual(self.whole(), cw.SYSCTLS)

    def test_mode(self):
        for name in cw.SYSCTLS:
            mode = os.stat(cw.SYSCTL + name).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o644, name)

    def test_timeout(self):
        for value in (1, 0, 60, 31536000, 7200):
            cw.put("timeout", value)
            self.assertEqual(cw.get("timeout"), str(value))
        for form in ("  42", "42\n", "42 ", "\t42\n"):
            cw.put("timeout", "1")
            cw.put("timeout", form)
            self.assertEqual(cw.get("timeout"), "42", repr(form))

    def test_bad_timeouts(self):
        cw.put("timeout", 17)
        for value in BAD_NUMBERS + ("31536001", "2147483648", "31536000000"):
            with self.subTest(value=value):
                self.refuse("timeout", value)

    def test_rate(self):
        for value in (1, 0, 1000, 100000):
            cw.put("reap_rate", value)
            self.assertEqual(cw.get("reap_rate"), str(value))

    def test_bad_rates(self):
        cw.put("reap_rate", 17)
        for value in BAD_NUMBERS:
            with self.subTest(value=value):
                self.refuse("reap_rate", value)

    def test_action(self):
        for value in ("observe", "reap", "observe\n", "reap\n"):
            cw.put("action", value)
            self.assertEqual(cw.get("action"), value.strip())

    def test_bad_actions(self):
        cw.put("action", "observe")
        for value in ("", "Reap", "REAP", "reaps", "rea", "observ", "observed", "kill", "0",
                      "1", "reap observe", "reap,observe", "x" * 5000, "\n"):
            if value == "":
                continue    # write(2) of nothing does nothing
            with self.subTest(value=value[:20]):
                self.refuse("action", value)


class Rules(Case):
    def test_canonical(self):
        for written, expected in CANONICAL:
            with self.subTest(written=written):
                cw.put("port_timeouts", written)
                self.assertEqual(self.separated(), expected)
                # what is read can be written
                cw.put("port_timeouts", cw.get("port_timeouts"))
                self.assertEqual(self.separated(), expected)

    @staticmethod
    def separated():
        """As it reads back; its separators may be commas or white space."""
        return ",".join(cw.get("port_timeouts").replace(",", " ").split())

    def test_bad(self):
        cw.put("port_timeouts", "80=5,out:3306=7")
        for value in BAD_RULES:
            with self.subTest(value=value):
                self.refuse("port_timeouts", value)

    def test_port_0(self):
        """No service has it: refused or harmless, but not half taken."""
        cw.put("port_timeouts", "80=5")
        for value in ("0=5", "0-10=5"):
            try:
                cw.put("port_timeouts", value)
            except OSError as e:
                self.assertEqual(e.errno, errno.EINVAL)
                self.assertEqual(self.separated(), "80=5")

    def test_cleared(self):
        for nothing in ("\n", " ", " \n", ","):
            with self.subTest(nothing=nothing):
                cw.put("port_timeouts", "80=5")
                try:
                    cw.put("port_timeouts", nothing)
                except OSError as e:
                    self.assertEqual((nothing, e.errno), (",", errno.EINVAL))
                else:
                    self.assertEqual(cw.get("port_timeouts"), "")

    def test_128_rules(self):
        rules = [f"{10000 + 2 * i}-{10001 + 2 * i}={31536000 - i}" for i in range(64)]
        rules += [f"out:{10000 + 2 * i}-{10001 + 2 * i}={31536000 - i}" for i in range(64)]
        cw.put("port_timeouts", ",".join(reversed(rules)))
        self.assertEqual(self.separated(), ",".join(rules))
        self.refuse("port_timeouts", ",".join(rules + ["out:9=9"]))

    def test_longest_text(self):
        """128 rules of the longest form, with white space between them."""
        rules = [f"out:{60000 + 3 * i}-{60001 + 3 * i}=31536000" for i in range(128)]
        cw.put("port_timeouts", " \t\n ".join(rules))
        self.assertEqual(self.separated(), ",".join(rules))

    def test_too_long(self):
        self.refuse_any("port_timeouts", "80=5" + " " * 70000)
        self.refuse_any("port_timeouts", ",".join(f"{i}=1" for i in range(1, 20000)))

    def refuse_any(self, name, value):
        before = self.whole()
        with self.assertRaises(OSError):
            cw.put(name, value)
        self.assertEqual(self.whole(), before)

    def test_in_parts(self):
        """A shell's echo writes 1024 bytes at a time: all of it counts, or nothing."""
        rules = ",".join(f"{10000 + i}=3600" for i in range(128))

        def write(text, parts):
            fd = os.open(RULES, os.O_WRONLY)
            try:
                for i in range(parts):
                    os.write(fd, text.encode()[1024 * i:1024 * (i + 1)])
            finally:
                os.close(fd)

        write(rules + "\n", 2)
        self.assertEqual(self.separated(), rules)
        cw.put("port_timeouts", "80=5")
        fd = os.open(RULES, os.O_WRONLY)
        try:
            os.write(fd, rules.encode()[:1024])
            cw.put("timeout", "77")         # another knob meanwhile
            os.write(fd, rules.encode()[1024:] + b"\n")
        finally:
            os.close(fd)
        self.assertEqual(self.separated(), rules)
        cw.put("port_timeouts", "80=5")
        # the first part would be a rule with another timeout, then with none
        for end in (",1=36", "00"), (",1=", "x"):
            first = rules[:1024 - len(end[0])].rpartition(",")[0]
            first += " " * (1024 - len(first) - len(end[0])) + end[0]
            self.assertEqual(len(first), 1024)
            write(first, 1)
            self.assertEqual(self.separated(), "80=5", "half is not in force")
            if end[1] == "x":
                with self.assertRaises(OSError) as refused:
                    write(first + end[1] + "\n", 2)
                self.assertEqual(refused.exception.errno, errno.EINVAL)
                self.assertEqual(self.separated(), "80=5")
        blanks = rules.replace(",", " ")
        blanks = blanks[:1024].rpartition(" ")[0].ljust(1024) + \
            blanks[:1025].rpartition(" ")[2] + blanks[1025:]
        write(blanks, 1)
        self.assertEqual(self.separated(), "80=5", "half that ends in a blank is kept")
        write(blanks + "\n", 2)
        self.assertEqual(self.separated(), rules)
        cw.put("port_timeouts", "80=5")
        write(rules[:1024], 1)
        cw.put("port_timeouts", "81=6")     # the part that was kept is forgotten
        self.assertEqual(self.separated(), "81=6")

    def test_bad_at_once(self):
        """What fills its blocks waits for the rest; what no rest can mend does not."""
        cw.put("port_timeouts", "80=5")
        too_many = b",".join(b"%d=1" % (1 + i) for i in range(129)) + b" "
        for bad in (b"x", b"80", b"90=5,80=x,", b"90=5,90=6,", too_many, b"\0", b"80=5\0"):
            for size in (1024, 2048, 4096, 65536):
                text = (bad * size)[:size]
                with self.subTest(bad=bad[:20], size=size), open(RULES, "wb", buffering=0) as f:
                    self.assert_refused(errno.EINVAL, f.write, text)
                    self.assertEqual(self.separated(), "80=5")

    def test_in_parts_by_two(self):
        """What two processes write at the same time does not mix."""
        mine, theirs = (",".join(f"{first + i}=3600" for i in range(128))
                        for first in (10000, 20000))
        cw.put("port_timeouts", "80=5")
        with open(RULES, "wb", buffering=0) as f:
            f.write(mine.encode()[:1024])

            def begin():
                with open(RULES, "wb", buffering=0) as other:
                    other.write(theirs.encode()[:1024])
            kernel.Child(begin).result()
            self.assert_refused(errno.EINVAL, f.write, mine.encode()[1024:] + b"\n")
        self.assertEqual(self.separated(), "80=5")

    def test_small_reads(self):
        rules = ",".join(f"{1000 + i}={i}" for i in range(128))
        cw.put("port_timeouts", rules)
        whole = cw.get("port_timeouts") + "\n"
        for size in (1, 7, 100, 4096):
            fd = os.open(RULES, os.O_RDONLY)
            try:
                parts = []
                while True:
                    part = os.read(fd, size)
                    self.assertLessEqual(len(part), size)
                    if not part:
                        break
                    parts.append(part)
            finally:
                os.close(fd)
            self.assertEqual(b"".join(parts).decode(), whole, f"by {size} bytes")

    def test_write_at_offset(self):
        """A second write to the same file: refused or a whole value, never a part."""
        cw.put("port_timeouts", "80=5")
        with open(RULES, "wb", buffering=0) as f:
            f.write(b"81=6")
            try:
                f.write(b"82=7")
            except OSError:
                pass
        self.assertIn(self.separated(), ("81=6", "82=7"))


class Permissions(Case):
    def test_unprivileged(self):
        for name, value in (("timeout", 5), ("port_timeouts", "80=1"),
                            ("action", "observe"), ("reap_rate", 5)):
            with self.subTest(name=name):
                self.assertIn(kernel.as_user(1000, cw.put, name, value).errno,
                              (errno.EPERM, errno.EACCES))
        self.assertEqual(self.whole(), cw.SYSCTLS)
        self.assertEqual(kernel.as_user(1000, self.whole).result(), cw.SYSCTLS)

    def test_descriptor_opened_by_root(self):
        """What counts is who writes, not who opened: file modes do not say."""
        for name, value in (("timeout", b"5"), ("port_timeouts", b"80=1"),
                            ("action", b"observe"), ("reap_rate", b"5")):
            with self.subTest(name=name):
                fd = os.open(cw.SYSCTL + name, os.O_WRONLY)
                try:
                    self.assertEqual(kernel.as_user(1000, os.write, fd, value).errno,
                                     errno.EPERM)
                finally:
                    os.close(fd)
        self.assertEqual(self.whole(), cw.SYSCTLS)

    def test_uid_0_without_capability(self):
        def drop_and_write():
            fd = os.open(cw.SYSCTL + "timeout", os.O_WRONLY)
            kernel.drop_capabilities()
            os.write(fd, b"5")
        self.assertEqual(kernel.Child(drop_and_write).errno, errno.EPERM)
        self.assertEqual(cw.get("timeout"), "0")

    def test_root_of_a_container(self):
        """Root in a user and network namespace of its own may set its own."""
        def inside():
            for name, value in (("timeout", "5"), ("port_timeouts", "80=1"),
                                ("action", "observe"), ("reap_rate", "5")):
                cw.put(name, value)
                if cw.get(name) != value:
                    return name
            return self.whole()
        child = kernel.in_user_ns(inside, net=True)
        self.assertEqual(child.result(), {"timeout": "5", "port_timeouts": "80=1",
                                          "action": "observe", "reap_rate": "5"})
        self.assertEqual(self.whole(), cw.SYSCTLS)

    def test_descriptor_in_a_container(self):
        """The host's file, opened by the host: not for root of a container either."""
        fds = {name: os.open(cw.SYSCTL + name, os.O_RDWR) for name in cw.SYSCTLS}

        def inside():
            refused = []
            for name, value in (("timeout", b"5"), ("port_timeouts", b"80=1"),
                                ("action", b"observe"), ("reap_rate", b"5")):
                try:
                    os.write(fds[name], value)
                except OSError as e:
                    refused.append(e.errno)
            return refused
        try:
            self.assertEqual(kernel.in_user_ns(inside, net=True).result(), [errno.EPERM] * 4)
        finally:
            for fd in fds.values():
                os.close(fd)
        self.assertEqual(self.whole(), cw.SYSCTLS)

    def test_root_of_a_user_namespace_only(self):
        """It has no power over a network namespace that is not its own."""
        self.assertIn(kernel.in_user_ns(cw.put, "timeout", 5).errno,
                      (errno.EPERM, errno.EACCES))
        self.assertEqual(cw.get("timeout"), "0")


class Namespaces(Case):
    def test_each_its_own(self):
        cw.put("timeout", 100)
        cw.put("port_timeouts", "80=5")
        cw.put("action", "observe")
        cw.put("reap_rate", 7)
        mine = self.whole()
        with self.netns():
            self.assertEqual(self.whole(), cw.SYSCTLS)
            cw.put("timeout", 200)
            cw.put("port_timeouts", "90=6")
        self.assertEqual(self.whole(), mine)

    def test_default_of_new_namespaces(self):
        path = "/sys/module/tcp_close_wait/parameters/default_timeout"
        with open(path) as f:
            before = f.read().strip()
        self.assertEqual(before, "0")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644)
        self.addCleanup(self.parameter, path, before)
        self.parameter(path, 3600)
        with self.netns():
            self.assertEqual(cw.get("timeout"), "3600")
        self.assertEqual(cw.get("timeout"), "0", "of a namespace that existed")
        self.assert_refused(errno.EINVAL, self.parameter, path, 31536001)
        self.assert_refused(errno.EINVAL, self.parameter, path, "x")
        with open(path) as f:
            self.assertEqual(f.read().strip(), "3600")

    @staticmethod
    def parameter(path, value):
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, str(value).encode())
        finally:
            os.close(fd)


class Parameters(Case):
    def test_default_timeout_at_load(self):
        with self.ns:
            self.module(default_timeout=1234)
            self.assertEqual(cw.get("timeout"), "1234")
            with self.netns():
                self.assertEqual(cw.get("timeout"), "1234")

    def test_visible(self):
        base = "/sys/module/tcp_close_wait/parameters"
        self.assertEqual(sorted(os.listdir(base)),
                         ["default_timeout", "max_tracked", "tracking"])
        for name, value in (("max_tracked", "1048576"), ("tracking", "events")):
            with open(f"{base}/{name}") as f:
                self.assertEqual(f.read().strip(), value)
            self.assertEqual(stat.S_IMODE(os.stat(f"{base}/{name}").st_mode), 0o444)


class Concurrent(Case):
    limit = 120

    def test_never_mixed(self):
        """Writers with sets of rules of their own; readers see one of them whole."""
        sets = [",".join(f"{1000 * k + i}={k}" for i in range(1, 101)) for k in range(1, 5)]
        rounds = ktap.count(200, 10)
        seen, problems = set(), []
        cw.put("port_timeouts", sets[0])
        stop = threading.Event()

        def write(rules):
            try:
                for _ in range(rounds):
                    cw.put("port_timeouts", rules)
                    try:
                        cw.put("port_timeouts", rules + ",1=x")
                        problems.append("a bad value was taken")
                    except OSError:
                        pass
            except Exception as e:  # pylint: disable=broad-except
                problems.append(repr(e))

        def read():
            try:
                while not stop.is_set():
                    value = Rules.separated()
                    if value not in sets:
                        problems.append(f"mixed: {value}")
                        return
                    seen.add(value)
            except Exception as e:  # pylint: disable=broad-except
                problems.append(repr(e))

        writers = [threading.Thread(target=write, args=(s,)) for s in sets]
        readers = [threading.Thread(target=read) for _ in range(2)]
        for t in readers + writers:
            t.start()
        for t in writers:
            t.join()
        stop.set()
        for t in readers:
            t.join()
        self.assertEqual(problems, [])
        self.assertIn(Rules.separated(), sets)

    def test_all_at_once(self):
        """Each sysctl from a thread of its own, with sockets and a short timeout."""
        problems = []
        values = {"timeout": ("0", "1", "100"), "action": ("reap", "observe"),
                  "reap_rate": ("0", "1", "1000"), "port_timeouts": ("80=1", "\n", "out:1=0")}
        rounds = ktap.count(150, 10)
        self.bulk(ktap.count(50, 5))

        def write(name):
            try:
                for i in range(rounds):
                    cw.put(name, values[name][i % len(values[name])])
                    cw.get(name)
                    cw.stats()
            except Exception as e:  # pylint: disable=broad-except
                problems.append(repr(e))
        threads = [threading.Thread(target=write, args=(n,)) for n in values]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(problems, [])
        self.assert_balance()


if __name__ == "__main__":
    ktap.main()
