#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The generic netlink family: spec, dumps, filters, refusals, reaping, events."""
import contextlib
import errno
import ipaddress
import os
import socket
import subprocess
import tempfile
import threading
import time

from lib import cw, genl, kernel, ktap, net
from lib.ktap import SLOW
from lib.net import wait_until

# Of the kernel's description of a policy (enum netlink_policy_type_attr).
TYPE, MIN_U, MAX_U, MAX_LEN, POLICY, MASK = 1, 4, 5, 7, 8, 12
TYPES = {"flag": 1, "u8": 2, "u16": 3, "u32": 4, "u64": 5, "binary": 10, "nest": 13}
NONE = {"unaccepted": 0, "kernel": 0, "mptcp": 0, "ulp": 0, "busy": 0, "changed": 0}


def number(data):
    return int.from_bytes(data, "little")


def packed(address):
    return ipaddress.ip_address(address).packed


class Case(cw.Case):
    def client(self, **kwargs):
        return self.keep(genl.Socket(**kwargs))

    def cookies(self, **filters):
        """Cookies of a dump with this filter; none may come twice."""
        rows = self.client().dump("sockets-get", **({"filter": filters} if filters else {}))
        found = [row["socket"]["cookie"] for row in rows]
        self.assertEqual(len(found), len(set(found)))
        return set(found)

    def assert_selects(self, spells, **filters):
        """The filter, with underscores for dashes, lets just these through, in every request."""
        filters = {name.replace("_", "-"): value for name, value in filters.items()}
        self.assertEqual(self.cookies(**filters), {s.cookie for s in spells}, filters)
        nl = self.client()
        ports = nl.dump("ports-get", filter=filters)
        self.assertEqual(sum(row["port"]["sockets"] for row in ports), len(spells), filters)
        answer = nl.reap(filter=filters, dry_run=True)
        self.assertEqual((answer["matched"], answer["reaped"]), (len(spells),) * 2, filters)


class Spec(Case):
    def test_family(self):
        nl = self.client()
        self.assertEqual(nl.version, 1)
        self.assertEqual(list(nl.groups), ["events"])

    def test_policies(self):
        """What the kernel lets in is what the spec says, bound by bound."""
        nl = self.client()
        tables, starts = nl.policies()
        for name, op in nl.spec.ops.items():
            way = "dump" if "dump" in op else "do"
            if way not in op:
                self.assertNotIn(op["value"], starts, name)
                continue
            # What refuses everything is not described, or not even named; and some
            # kernels, 6.12.95 is one, call each operation that is only dumped 0.
            start = starts.get(op["value"] if op["value"] in starts or way == "do" else 0,
                               {}).get(2 if way == "dump" else 1)
            table = tables.get(start, {})
            allowed = op[way].get("request", {}).get("attributes", [])
            self.compare(nl.spec, "main", {a: nl.spec.sets["main"][a] for a in allowed},
                         table, tables)

    def compare(self, spec, group, attrs, table, tables):
        self.assertEqual({a["value"] for a in attrs.values()}, set(table), group)
        for name, attr in attrs.items():
            have, checks = table[attr["value"]], attr.get("checks", {})
            self.assertEqual(number(have[TYPE]), TYPES[attr["type"]], name)
            if "min" in checks:
                self.assertEqual(number(have[MIN_U]), checks["min"], name)
            if "max" in checks:
                self.assertEqual(number(have[MAX_U]), checks["max"], name)
            if "max-len" in checks:
                self.assertEqual(number(have[MAX_LEN]), checks["max-len"], name)
            if attr.get("enum-as-flags"):
                self.assertEqual(number(have[MASK]), 2 ** len(spec.enums[attr["enum"]]) - 1, name)
            if attr["type"] == "nest":
                inner = attr["nested-attributes"]
                self.compare(spec, inner, spec.sets[inner], tables[number(have[POLICY])], tables)

    def test_stats(self):
        spell = self.spell()
        got, = self.client().do("stats-get")
        self.assertEqual(got["tracking"], "events")
        with open("/sys/module/tcp_close_wait/version", encoding="ascii") as f:
            self.assertEqual(got["module-version"], f.read().strip())
        self.assertEqual({k.replace("-", "_"): v for k, v in got["stats"].items()}, cw.stats())
        self.assertEqual(got["stats"]["sockets"], 1)
        del spell


class Dump(Case):
    def test_file_refs(self):
        """One for each descriptor, here and in other processes: 1; 3 and 2; 1 and 1."""
        spells = [self.spell() for _ in range(3)] + [self.spell("unaccepted")]
        for fd in (os.dup(spells[1].app.fileno()) for _ in range(2)):
            self.addCleanup(os.close, fd)

        def child():
            for spell in spells[:2]:
                spell.app.close()
        made = kernel.Child(child, stay=True)
        self.addCleanup(made.release)
        found = {row["socket"]["inode"]: row["socket"]["file-refs"]
                 for row in self.client().dump("sockets-get")}
        self.assertEqual(found, {os.fstat(spell.app.fileno()).st_ino: refs
                                 for spell, refs in zip(spells, (1, 5, 2))} | {0: 0})

    def test_empty(self):
        nl = self.client()
        self.assertEqual(nl.dump("sockets-get"), [])
        self.assertEqual(nl.dump("ports-get"), [])

    def test_same_as_proc(self):
        lsn6 = self.listener(socket.AF_INET6, host="::")
        for cls in cw.CLASSES:
            self.spell(cls)
        self.spell("held", direction="out")
        self.spell(lsn=lsn6, address=("::1", lsn6.getsockname()[1]))
        self.spell(lsn=lsn6, address=("127.0.0.1", lsn6.getsockname()[1]),
                   family=socket.AF_INET)

        def unsent():
            return sum(row["tx_bytes"] for row in cw.sockets())

        def settled():
            """Nothing has been taken by the peer of the one that sends, for a while."""
            before = unsent()
            time.sleep(0.2)
            return unsent() == before
        wait_until(settled, "the peer's buffer is full")
        nl = self.client()
        rows = {row["socket"]["cookie"]: row["socket"] for row in nl.dump("sockets-get")}
        table = cw.sockets()
        self.assertEqual(set(rows), {row["cookie"] for row in table})
        for want in table:
            row = rows[want["cookie"]]
            for end in ("local", "remote"):
                host = str(ipaddress.ip_address(row[end]))
                if ":" in host:
                    host = socket.inet_ntop(socket.AF_INET6, row[end])
                self.assertEqual(net.text((host, row[end + "-port"])), want[end])
            for name in ("dir", "class", "exact", "rx_bytes", "tx_bytes", "uid", "inode", "cgroup"):
                self.assertEqual(row[name.replace("_", "-")], want[name], name)
            for name in ("age_ms", "idle_ms"):
                self.assertLessEqual(row[name.replace("_", "-")], want[name])
        ports = {(r["port"]["dir"], r["port"]["port"]): r["port"] for r in nl.dump("ports-get")}
        self.assertEqual(list(ports), list(cw.ports()))
        for key, want in cw.ports().items():
            for name in want:
                if not name.endswith("_ms") and name not in cw.AGES:
                    self.assertEqual(ports[key][name.replace("_", "-")], want[name], name)
            self.assertEqual(sum(ports[key][n.replace("_", "-")] for n in cw.AGES),
                             want["sockets"])

    def test_resumes(self):
        """Slow reader, small buffer: who is there all along is met exactly once."""
        keep = self.bulk(ktap.count(1500, 200))
        others = self.bulk(ktap.count(700, 100))
        wanted = {net.cookie(app) for app in keep}
        nl = self.client(buffer=4096)
        lsn = self.listener()
        nl.start("sockets-get")
        found, done, messages = [], False, 0
        while not done:
            part, done = nl.receive(nl.seq)
            found += [nl.spec.decode("main", body)["socket"]["cookie"] for _, body in part]
            messages += 1
            for _ in range(20):
                if others:
                    others.pop().close()
            net.close_wait("unnoticed", lsn).close()
        self.assertGreater(messages, len(wanted) // 40)
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(wanted, set(found))

    def test_many_ports(self):
        """A port table that does not fit into one message."""
        cookies = set()
        for _ in range(ktap.count(150, 20)):
            cookies.add(self.spell().cookie)
        nl = self.client(buffer=4096)
        rows = [row["port"] for row in nl.dump("ports-get")]
        self.assertEqual([(r["dir"], r["port"]) for r in rows], list(cw.ports()))
        self.assertEqual(sum(r["sockets"] for r in rows), len(cookies))

    def test_left_in_the_middle(self):
        """A dump that nobody reads on costs nobody anything, and is given up."""
        apps = self.bulk(ktap.count(500, 200))
        nl = self.client(buffer=4096)
        nl.start("sockets-get")
        nl.receive(nl.seq)
        for app in apps:
            app.close()
        self.assert_stats(sockets=0)
        if cw.module_file():
            self.assertIn("in use", cw.unload())
        nl.close()
        self.module()

    def test_end_of_namespace(self):
        with self.netns() as other:
            self.bulk(200)
            nl = genl.Socket(buffer=4096)
            nl.start("sockets-get")
            nl.receive(nl.seq)
        other.close()
        self.assertTrue(nl.receive(nl.seq)[0])
        nl.close()

    def test_own_namespace_only(self):
        spell = self.spell()
        with self.netns():
            other = self.spell()
            self.assertEqual(self.cookies(), {other.cookie})
        self.assertEqual(self.cookies(), {spell.cookie})

    def test_anybody_may_read(self):
        spell = self.spell()

        def read():
            with genl.Socket() as nl:
                return (len(nl.dump("sockets-get")), len(nl.dump("ports-get")),
                        nl.do("stats-get")[0]["stats"]["sockets"])
        self.assertEqual(kernel.as_user(65534, read).result(), (1, 1, 1))
        del spell

    def test_uid_in_the_readers_namespace(self):
        spell = self.spell()

        def read():
            with genl.Socket() as nl:
                return nl.dump("sockets-get")[0]["socket"]["uid"]
        self.assertEqual(kernel.in_user_ns(read, outside=1000).result(), 65534)
        del spell


class Filter(Case):
    def test_ports_and_direction(self):
        a, b = self.listener(port=8080), self.listener(port=8090)
        at_a, at_b = self.spell(lsn=a), self.spell("held", lsn=b)
        out = self.spell(lsn=self.listener(port=3306), direction="out")
        self.assert_selects([at_a], port_first=8080)
        self.assert_selects([at_a, at_b], port_first=8080, port_last=8090)
        self.assert_selects([at_b], port_first=8081, port_last=65535)
        self.assert_selects([out], dir="out")
        self.assert_selects([at_a, at_b], dir="in")
        self.assert_selects([out], port_first=3306, dir="out")
        self.assert_selects([], port_first=3306, dir="in")
        self.assert_selects([at_b], port_first=8080, port_last=8090, classes=1 << 4)

    def test_direction_is_decided_before_it_is_asked_for(self):
        """The very first look may be a filter on it."""
        spell = self.spell(direction="out")
        self.assertEqual(self.cookies(dir="in"), set())
        self.assertEqual(self.cookies(dir="out"), {spell.cookie})

    def test_port_of_a_first_look(self):
        """Which port is the service's depends on the direction, which is decided then."""
        lsn, nl = self.listener(port=3306), self.client()

        def first_looks(port):
            """What each request finds of a socket that nobody has looked at."""
            for ask in (lambda f: len(nl.dump("sockets-get", filter=f)),
                        lambda f: sum(row["port"]["sockets"]
                                      for row in nl.dump("ports-get", filter=f)),
                        lambda f: nl.reap(filter=f, dry_run=True)["matched"],
                        lambda f: nl.reap(filter=f)["matched"]):
                with contextlib.closing(net.close_wait("unnoticed", lsn, "out")) as spell:
                    yield ask({"port-first": port(spell)})

        self.assertEqual(list(first_looks(lambda spell: 3306)), [1] * 4)
        self.assertEqual(list(first_looks(lambda spell: spell.app.getsockname()[1])), [0] * 4)

    def test_classes(self):
        spells = {cls: self.spell(cls) for cls in cw.CLASSES if cls != "unaccepted"}
        for i, cls in enumerate(cw.CLASSES):
            self.assert_selects([spells[cls]] if cls in spells else [], classes=1 << i)
        self.assert_selects([spells["unread"], spells["held"]], classes=1 << 2 | 1 << 4)

    def test_addresses(self):
        v4 = self.listener(host="0.0.0.0")
        one = self.spell(lsn=v4, address=("127.0.0.1", v4.getsockname()[1]),
                         bind=("127.0.1.1", 0))
        two = self.spell(lsn=v4, address=("127.0.0.2", v4.getsockname()[1]),
                         bind=("127.0.2.1", 0))
        v6 = self.listener(socket.AF_INET6, host="::")
        six = self.spell(lsn=v6, address=("::1", v6.getsockname()[1]))
        mapped = self.spell(lsn=v6, address=("127.0.0.1", v6.getsockname()[1]),
                            family=socket.AF_INET, bind=("127.0.1.9", 0))
        self.assert_selects([one], peer=packed("127.0.1.1"))
        self.assert_selects([one, mapped], peer=packed("127.0.1.0"), peer_prefix=24)
        self.assert_selects([one, two, mapped], peer=packed("127.0.0.0"), peer_prefix=8)
        self.assert_selects([one, two, mapped], peer=packed("0.0.0.0"), peer_prefix=0)
        self.assert_selects([one, mapped], local=packed("127.0.0.1"))
        self.assert_selects([two], local=packed("127.0.0.2"))
        self.assert_selects([mapped], peer=packed("::ffff:127.0.1.9"))
        self.assert_selects([one, mapped], peer=packed("::ffff:127.0.1.0"), peer_prefix=120)
        self.assert_selects([six], peer=packed("::1"))
        self.assert_selects([six], local=packed("::"), local_prefix=96)
        self.assert_selects([six, mapped], local=packed("::"), local_prefix=64)
        self.assert_selects([six, mapped], peer=packed("::"), peer_prefix=0)
        self.assert_selects([one], local=packed("127.0.0.1"), peer=packed("127.0.1.1"))
        self.assert_selects([], local=packed("127.0.0.1"), peer=packed("127.0.2.1"))

    def test_age_and_idle(self):
        old = self.spell("unread", data=b"hello" * 100)
        time.sleep(0.2)     # so much older, whatever else takes its time
        new = self.spell()
        middle = int((time.monotonic() - old.before) * 1000 - 100)
        self.assert_selects([], older_than=2 ** 64 - 1)
        self.assert_selects([], idle=2 ** 44)
        self.assert_selects([old, new], older_than=0, idle=0)
        self.assertIn(old.cookie, self.cookies(**{"older-than": middle}))
        self.assertNotIn(new.cookie, self.cookies(**{"older-than": 3600000}))
        idle = 200
        wait_until(lambda: self.cookies(idle=idle) == {old.cookie, new.cookie}, "both idle")

        def only_new():
            """None if it took so long that the one that was read from is idle again."""
            read = time.monotonic()
            old.app.recv(1)
            found = self.cookies(idle=idle)
            return found if time.monotonic() - read < idle / 1000 else None

        self.assertEqual(wait_until(only_new, "an answer in time"), {new.cookie})

    def test_uid(self):
        lsn = self.listener()
        mine = self.spell(lsn=lsn)
        os.seteuid(1234)
        try:
            theirs = self.spell(lsn=lsn, direction="out")
        finally:
            os.seteuid(0)
        self.assert_selects([mine], uid=0)
        self.assert_selects([theirs], uid=1234)
        self.assert_selects([], uid=4321)

    @contextlib.contextmanager
    def cgroups(self):
        with tempfile.TemporaryDirectory() as top:
            subprocess.run(["mount", "-t", "cgroup2", "none", top], check=True)
            made = [f"{top}/cw", f"{top}/cw/a", f"{top}/cw/a/deep", f"{top}/cw/b"]
            home = f"{top}/cgroup.procs"
            try:
                for path in made:
                    os.mkdir(path)
                yield made
            finally:
                with open(home, "w", encoding="ascii") as f:
                    f.write(str(os.getpid()))
                for path in reversed(made):
                    os.rmdir(path)
                subprocess.run(["umount", top], check=True)

    def test_cgroup(self):
        with self.cgroups() as made:
            top, a, deep, b = made
            spells = {}
            for path in (a, deep, b):
                with open(f"{path}/cgroup.procs", "w", encoding="ascii") as f:
                    f.write(str(os.getpid()))
                spells[path] = self.spell()
            inode = {path: os.stat(path).st_ino for path in made}
            self.assert_selects([spells[b]], cgroup=inode[b])
            self.assert_selects([spells[a], spells[deep]], cgroup=inode[a])
            self.assert_selects([spells[deep]], cgroup=inode[deep])
            self.assert_selects(list(spells.values()), cgroup=inode[top])
            self.assert_selects([], cgroup=2 ** 60)
            for spell in spells.values():
                spell.close()
            self.assert_stats(sockets=0)

    def test_reaped_ports(self):
        """A port without sockets has a row if the filter asks for ports alone."""
        lsn = self.listener(port=8080)
        self.spell(lsn=lsn)
        nl = self.client()
        self.assertEqual(nl.reap(all=True)["reaped"], 1)
        for filters, rows in (({}, 1), ({"port-first": 8080}, 1), ({"dir": "in"}, 1),
                              ({"dir": "out"}, 0), ({"port-first": 80}, 0),
                              ({"classes": 1}, 0), ({"older-than": 1}, 0), ({"uid": 0}, 0)):
            found = nl.dump("ports-get", filter=filters)
            self.assertEqual([(r["port"]["sockets"], r["port"]["reaped"]) for r in found],
                             [(0, 1)] * rows, filters)


class Refused(Case):
    """Each with words that name what is wrong, and nothing happens."""

    def assert_words(self, words, op, code=errno.EINVAL, **values):
        nl = self.client()
        call = nl.dump if op.endswith("s-get") and op != "stats-get" else nl.do
        with self.assertRaises(genl.Refused) as caught:
            call(op, **values)
        self.assertEqual(caught.exception.errno, code, values)
        self.assertIn(words, caught.exception.text, values)
        return caught.exception

    def test_filters(self):
        odd = (
            ("port-last is of no use without port-first", {"port-last": 5}),
            ("port-last is below port-first", {"port-first": 6, "port-last": 5}),
            ("peer has 4 or 16 bytes", {"peer": b"abc"}),
            ("local has 4 or 16 bytes", {"local": b""}),
            ("peer-prefix is longer than peer", {"peer": packed("127.0.0.1"), "peer-prefix": 33}),
            ("local-prefix is of no use without local", {"local-prefix": 8}),
            ("classes is 0", {"classes": 0}),
            ("cgroup is 0", {"cgroup": 0}),
            ("uid is not known", {"uid": 2 ** 32 - 1}),
        )
        for words, values in odd:
            for op in ("ports-get", "sockets-get"):
                self.assert_words(words, op, filter=values)
            self.assertIsNotNone(self.assert_words(words, "reap", filter=values).attr, values)

    def test_by_policy(self):
        for code, values in (
                (errno.ERANGE, {"port-first": 0}), (errno.ERANGE, {"dir": 2}),
                (errno.ERANGE, {"peer": bytes(17)}), (errno.ERANGE, {"peer-prefix": 129}),
                (errno.EINVAL, {"classes": 32}), (errno.EINVAL, {"uid": b"x"}),
                (errno.EINVAL, {"older-than": b"1234"})):
            for op in ("ports-get", "sockets-get", "reap"):
                error = self.assert_words("", op, code, filter=values)
                self.assertTrue(error.text, (op, values))
                self.assertIsNotNone(error.attr, (op, values))

    def test_unknown_attributes(self):
        nl = self.client()
        for op in ("ports-get", "sockets-get", "stats-get", "reap"):
            for group, body in (("main", genl.attribute(200, b"1234")),
                                ("filter", None)):
                if group == "filter":
                    if op == "stats-get":
                        continue
                    body = genl.attribute(nl.spec.sets["main"]["filter"]["value"] | 0x8000,
                                          genl.attribute(200, b"1234"))
                flags = genl.NLM_F_DUMP if "dump" in nl.spec.ops[op] else genl.NLM_F_ACK
                nl.send(nl.spec.ops[op]["value"], body, flags)
                with self.assertRaises(genl.Refused, msg=(op, group)) as caught:
                    list(nl.replies())
                self.assertEqual(caught.exception.errno, errno.EINVAL)

    def test_reap(self):
        spell = self.spell()
        self.assert_words("neither a filter nor cookies nor all", "reap")
        self.assert_words("neither a filter nor cookies nor all", "reap", limit=1)
        self.assert_words("neither a filter nor cookies nor all", "reap", filter={})
        self.assert_words("cookies has 8 bytes", "reap", cookies=b"1234567")
        self.assert_words("cookies has 8 bytes", "reap", cookies=b"")
        error = self.assert_words("", "reap", errno.ERANGE, all=True, limit=0)
        self.assertIsNotNone(error.attr)
        self.assert_stats(sockets=1, reaped_request=0)
        self.assertFalse(net.aborted(spell.app, 0))

    def test_permission(self):
        spell = self.spell()

        def reap():
            with genl.Socket() as nl:
                return nl.reap(all=True)
        self.assertEqual(kernel.as_user(1000, reap).errno, errno.EPERM)
        # root in a user namespace has no power over this network namespace
        self.assertEqual(kernel.in_user_ns(reap).errno, errno.EPERM)
        self.assert_stats(sockets=1, reaped_request=0)
        self.assertFalse(net.aborted(spell.app, 0))

    def test_container_reaps_its_own(self):
        outside = self.spell()

        def reap():
            net.link_up("lo")
            with net.listener() as lsn:
                spell = net.close_wait("held", lsn)
                with genl.Socket() as nl:
                    answer = nl.reap(all=True)
                aborted = bool(net.aborted(spell.app, 5 * SLOW))
                spell.close()
                return answer["reaped"], aborted
        self.assertEqual(kernel.in_user_ns(reap, net=True).result(), (1, True))
        self.assertFalse(net.aborted(outside.app, 0))


    def test_socket_from_outside(self):
        """The host's netlink socket in a container's hands: who sends counts, too."""
        spell = self.spell()
        outside = self.client()

        def inside():
            rows = len(outside.dump("sockets-get"))
            try:
                outside.reap(all=True)
                return rows, 0
            except genl.Refused as e:
                return rows, e.errno
        # what the host has opened it may let others read, as with any file
        self.assertEqual(kernel.in_user_ns(inside, net=True).result(), (1, errno.EPERM))
        self.assert_stats(sockets=1, reaped_request=0)
        self.assertFalse(net.aborted(spell.app, 0))

    def test_container_in_a_container(self):
        """Root of the inner one has no power over the outer one's namespace."""
        def inner():
            kernel.unshare(kernel.CLONE_NEWUSER)
            with genl.Socket() as nl:
                nl.reap(all=True)

        def outer():
            net.link_up("lo")
            with net.listener() as lsn:
                spell = net.close_wait("held", lsn)
                refused = kernel.Child(inner).errno
                alive = not net.aborted(spell.app, 0)
                spell.close()
                return refused, alive
        self.assertEqual(kernel.in_user_ns(outer, net=True).result(), (errno.EPERM, True))

    def test_host_may_in_a_container(self):
        """It enters the container's namespace, reaps there, and only there."""
        mine = self.spell()
        go = os.pipe()
        ready = os.pipe()

        def container():
            net.link_up("lo")
            with net.listener() as lsn:
                spell = net.close_wait("held", lsn)
                os.write(ready[1], b"%10d" % os.getpid())
                os.read(go[0], 1)
                aborted = bool(net.aborted(spell.app, 5 * SLOW))
                spell.close()
                return aborted, cw.stats()["reaped_request"]
        result = []
        thread = threading.Thread(
            target=lambda: result.append(kernel.in_user_ns(container, net=True)))
        thread.start()
        try:
            with open(f"/proc/{int(os.read(ready[0], 10))}/ns/net") as ns:
                home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
                try:
                    kernel.setns(ns.fileno(), kernel.CLONE_NEWNET)
                    cw.put("timeout", 1000)
                    with genl.Socket() as nl:
                        self.assertEqual(nl.reap(all=True)["reaped"], 1)
                finally:
                    kernel.setns(home, kernel.CLONE_NEWNET)
                    os.close(home)
        finally:
            os.write(go[1], b"x")
            thread.join(20 * SLOW)
            for fd in go + ready:
                os.close(fd)
        self.assertEqual(result[0].result(), (True, 1))
        self.assertFalse(net.aborted(mine.app, 0))
        self.assertEqual(cw.get("timeout"), "0")


class Reap(Case):
    def assert_answer(self, answer, matched, reaped, **skipped):
        self.assertEqual((answer["matched"], answer["reaped"]), (matched, reaped), answer)
        self.assertEqual(answer["skipped"], dict(NONE, **skipped))

    def test_effect(self):
        """ECONNABORTED once, a RST for the peer, whatever the timeout."""
        spell = self.spell("unread", data=b"hello")
        live = self.keep(net.connection(self.listener()))
        answer = self.client().reap(all=True)
        self.assert_answer(answer, 1, 1)
        self.assertNotIn("dry-run", answer)
        self.assertTrue(net.aborted(spell.app, 5))
        self.assertTrue(net.got_reset(spell.peer))
        self.assertEqual(spell.app.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
                         errno.ECONNABORTED)
        self.assertEqual(spell.app.recv(100), b"hello")
        self.assertEqual(spell.app.recv(100), b"")
        self.assert_stats(sockets=0, reaped_request=1, reaped_timeout=0, left=0)
        live.app.send(b"alive")
        self.assertEqual(live.peer.recv(100), b"alive")

    def test_acknowledged_last(self):
        """As generic clients expect it, and not at all if nobody asked for it."""
        nl = self.client()
        for _ in range(20):
            self.bulk(20)
            nl.ask_reap(all=True)
            (answer,), done = nl.receive(nl.seq)
            self.assertFalse(done)
            self.assertEqual(nl.receive(nl.seq), ([], True))
            nl.ask_reap(flags=0, all=True)
            (other,), done = nl.receive(nl.seq)
            self.assertFalse(done)
            self.assertEqual((answer[0], len(self.client().do("stats-get"))), (other[0], 1))
            with self.assertRaises(BlockingIOError):
                nl.sock.recv(1, socket.MSG_DONTWAIT)

    def test_dry_run(self):
        spells = [self.spell() for _ in range(3)]
        waiting = self.spell("unaccepted")
        answer = self.client().reap(all=True, dry_run=True)
        self.assert_answer(answer, 4, 3, unaccepted=1)
        self.assertTrue(answer["dry-run"])
        self.assert_stats(sockets=4, reaped_request=0)
        for spell in spells:
            self.assertFalse(net.aborted(spell.app, 0))
        del waiting

    def test_ports_freed(self):
        """Those that the kernel has chosen, each once; not what the application bound."""
        one, two = self.listener(port=3306), self.listener(port=3307)
        chosen = self.spell(lsn=one, direction="out")
        port = chosen.app.getsockname()[1]
        self.spell(lsn=two, direction="out", bind=("127.0.0.1", 45000))
        self.spell(lsn=one)
        nl = self.client()
        self.assertNotIn("ports-freed", nl.reap(all=True, dry_run=True))
        answer = nl.reap(all=True)
        self.assert_answer(answer, 3, 3)
        self.assertEqual(answer["ports-freed"], 1)
        chosen.peer.close()
        self.keep(net.listener(port=port))
        self.assertEqual(nl.reap(all=True)["ports-freed"], 0)

    def test_port_that_two_share_is_freed_once(self):
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as f:
            f.write("40001 40001")
        for port in (3306, 3307):
            spell = self.spell(lsn=self.listener(port=port), direction="out")
            self.assertEqual(spell.app.getsockname()[1], 40001)
        self.assertEqual(self.client().reap(all=True)["ports-freed"], 1)

    def test_reaped_sockets(self):
        spells = [self.spell() for _ in range(3)] + [self.spell("unaccepted")]
        self.addCleanup(os.close, os.dup(spells[0].app.fileno()))
        nl = self.client()
        self.assertNotIn("reaped-socket", nl.reap(all=True, dry_run=True))
        shown = nl.reap(all=True)["reaped-socket"]
        self.assertCountEqual(shown, [
            {"inode": os.fstat(spell.app.fileno()).st_ino, "file-refs": refs}
            for spell, refs in zip(spells, (2, 1, 1))])

    def test_many_reaped_sockets(self):
        held = {os.fstat(app.fileno()).st_ino for app in self.bulk(100)}
        shown = self.client().reap(all=True)["reaped-socket"]
        self.assertEqual(len(shown), 64)
        self.assertLessEqual({sock["inode"] for sock in shown}, held)
        self.assertEqual(len({sock["inode"] for sock in shown}), 64)

    def test_limit(self):
        self.bulk(10)
        nl = self.client()
        self.assert_answer(nl.reap(all=True, limit=3, dry_run=True), 10, 3)
        self.assert_answer(nl.reap(all=True, limit=3), 10, 3)
        self.assert_stats(sockets=7, reaped_request=3)
        self.assert_answer(nl.reap(all=True, limit=7), 7, 7)

    def test_cookies(self):
        spells = [self.spell() for _ in range(5)]
        wanted = [s.cookie for s in spells[1:3]]
        nl = self.client()
        self.assert_answer(nl.reap(cookies=wanted + [2 ** 63], filter={"dir": "out"}), 0, 0)
        self.assert_answer(nl.reap(cookies=list(reversed(wanted)) + wanted), 2, 2)
        self.assertEqual(self.cookies(), {s.cookie for s in spells[:1] + spells[3:]})
        self.assert_answer(nl.reap(cookies=wanted), 0, 0)

    def test_many_cookies(self):
        """As many as fit into one message."""
        spell = self.spell()
        many = [spell.cookie + 1 + i for i in range(8000)] + [spell.cookie]
        self.assert_answer(self.client().reap(cookies=many), 1, 1)

    def test_nothing(self):
        self.assert_answer(self.client().reap(all=True), 0, 0)
        self.assert_answer(self.client().reap(filter={"port-first": 1}), 0, 0)

    def test_skipped(self):
        lsn = self.listener()
        waiting = self.spell("unaccepted", lsn)
        nl = self.client()
        self.assert_answer(nl.reap(all=True), 1, 0, unaccepted=1)
        app = self.keep(lsn.accept()[0])
        self.assertFalse(net.aborted(app, 0))
        app.send(b"served")
        self.assertEqual(waiting.peer.recv(100), b"served")
        # what a request leaves alone is no stuck socket
        self.assertEqual(cw.stats()["skipped_unaccepted"], 0)

    def test_in_use(self):
        """Never waited for: the answer comes while the owner sits there."""
        spell, page, thread, result = self.stuck_owner()
        other = self.spell()
        nl = self.client()
        self.assert_answer(nl.reap(all=True), 2, 1, busy=1)
        self.assertTrue(net.aborted(other.app, 5))
        self.assertTrue(thread.is_alive())
        page.serve()
        thread.join(10 * SLOW)
        self.assertEqual(result, [5])
        self.assertFalse(net.aborted(spell.app, 0))

    def test_while_they_come_and_go(self):
        lsn = self.listener(backlog=4096)
        keep = [self.keep(net.connection(lsn)) for _ in range(5)]
        nl = self.client()
        total = 0
        for _ in range(ktap.count(20, 4)):
            apps = self.bulk(30, lsn)
            nl.ask_reap(all=True)
            for app in apps[::2]:
                app.close()
            answer = nl.answer()
            self.assertEqual(answer["matched"],
                             answer["reaped"] + sum(answer["skipped"].values()))
            total += answer["reaped"]
        total += nl.reap(all=True)["reaped"]
        self.assert_stats(sockets=0, reaped_request=total)
        for pair in keep:
            pair.app.send(b"alive")
            self.assertEqual(pair.peer.recv(100), b"alive")

    def test_one_at_a_time(self):
        """A second request in the namespace is refused, elsewhere it is not."""
        first, second = self.client(), self.client()
        with self.netns():
            elsewhere = self.client()
        for _ in range(50):
            self.bulk(ktap.count(1000, 100))
            first.ask_reap(all=True)
            try:
                elsewhere.ask_reap(all=True)
                second.ask_reap(all=True)
                second.answer()
            except genl.Refused as e:
                self.assertEqual(e.errno, errno.EBUSY)
                self.assertIn("another reap request", e.text)
                first.answer()
                break
            finally:
                elsewhere.answer()
            first.answer()
        else:
            self.fail("never met the first request")
        self.assert_answer(second.reap(all=True), 0, 0)

    def test_requester_goes_away(self):
        """The request ends with the socket from which it came."""
        number = ktap.count(4000, 300)
        self.bulk(number, half=True)
        gone = genl.Socket()
        gone.ask_reap(all=True)
        gone.close()
        nl = self.client()

        def again():
            try:
                return nl.reap(all=True, dry_run=True)
            except genl.Refused as e:
                self.assertEqual(e.errno, errno.EBUSY)
                return None
        left = wait_until(again, "the first request is over", 30)["matched"]
        self.assertGreater(left, 0)
        self.assert_stats(sockets=left, reaped_request=number - left)

    def test_unload_meanwhile(self):
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.bulk(ktap.count(4000, 300))
        nl = self.client()
        nl.ask_reap(all=True)
        self.module()
        answer = nl.answer()
        self.assertIn(answer.get("error", errno.ESHUTDOWN), (errno.ESHUTDOWN,))
        self.assertEqual(answer["matched"], answer["reaped"])


class Events(Case):
    def test_request_and_timeout(self):
        nl = self.client()
        nl.listen()
        first = self.spell("held")
        row = cw.find(first.app)
        self.client().reap(cookies=[first.cookie])
        event, = nl.events(1, 10 * SLOW)
        self.assertEqual((event["cause"], event["error"]), ("request", errno.ECONNABORTED))
        shown = event["socket"]
        self.assertEqual(
            (shown["cookie"], shown["inode"], shown["class"], shown["dir"], shown["remote-port"]),
            (first.cookie, row["inode"], "held", "in", int(row["remote"].rpartition(":")[2])))
        self.assertGreaterEqual(shown["age-ms"], row["age_ms"])
        second = self.spell()
        cw.put("timeout", 1)
        event, = nl.events(1, 10 * SLOW)
        self.assertEqual((event["cause"], event["error"]), ("timeout", errno.ETIMEDOUT))
        self.assertEqual(event["socket"]["cookie"], second.cookie)
        self.assertGreaterEqual(event["socket"]["idle-ms"], 1000)

    def test_one_for_each(self):
        nl = self.client()
        nl.sock.setsockopt(socket.SOL_SOCKET, 33, 2 ** 22)     # SO_RCVBUFFORCE
        nl.listen()
        apps = self.bulk(ktap.count(300, 50))
        self.client().reap(all=True)
        events = nl.events(len(apps), 10 * SLOW)
        self.assertEqual(sorted(e["socket"]["cookie"] for e in events),
                         sorted(net.cookie(app) for app in apps))

    def test_own_namespace_only(self):
        nl = self.client()
        nl.listen()
        with self.netns():
            self.spell()
            self.assertEqual(self.client().reap(all=True)["reaped"], 1)
        mine = self.spell()
        self.client().reap(all=True)
        self.assertEqual([e["socket"]["cookie"] for e in nl.events(1, 10 * SLOW)], [mine.cookie])

    def test_lost(self):
        """Who does not read is told that something was lost."""
        nl = self.client()
        nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        nl.listen()
        self.bulk(50)
        self.client().reap(all=True)
        with self.assertRaises(OSError) as caught:
            while True:
                nl.sock.recv(32768, socket.MSG_DONTWAIT)
        self.assertEqual(caught.exception.errno, errno.ENOBUFS)

    def test_not_for_a_dry_run(self):
        nl = self.client()
        nl.listen()
        spell = self.spell()
        self.client().reap(all=True, dry_run=True)
        self.client().reap(all=True)
        self.assertEqual([e["socket"]["cookie"] for e in nl.events(1, 10 * SLOW)], [spell.cookie])


if __name__ == "__main__":
    ktap.main()
