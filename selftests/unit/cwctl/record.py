#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: record.py CWCTL-RECORD

Makes some services that leak, asks for them by the recording cwctl (make record),
and prints a tar archive in base64: *.nl with the kernel's answers, and root/proc
with the descriptors that go with them. As root in a throw-away machine, with the
module loaded; time has to pass quickly there (selftests/vm/run --icount), since
some of the sockets are hours old. The output goes through

  sed '1,/^BEGIN/d;/^END/,$d' | base64 -d | tar xJ
"""
import base64
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
from lib import cw, kernel, net  # noqa: E402  pylint: disable=wrong-import-position

PIDS = {"shop": "3121", "orders": "871"}


def record(name, *args, **kwargs):
    path = f"{name}.nl"
    subprocess.run([os.path.realpath(TOOL), *args], check=False,
                   stdout=subprocess.DEVNULL, env={**os.environ, "CW_RECORD": path}, **kwargs)


def leak():
    """Returns descriptors by process: {name: [(fd, inode)]}."""
    net.link_up("lo")
    for address in ("10.0.0.1/8", "10.0.0.2/8", "192.0.2.17/24"):
        net.ip("addr", "add", address, "dev", "lo")
    net.ip("addr", "add", "2001:db8:1234:5678:9abc:def0:1234:5678/128", "dev", "lo", "nodad")
    shop = net.listener(host="10.0.0.1", port=8080)
    news = net.listener(net.socket.AF_INET6,
                        "2001:db8:1234:5678:9abc:def0:1234:5678", port=8081)
    slow = net.listener(host="10.0.0.1", port=8443)
    database = net.listener(host="10.0.0.2", port=3306)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as f:
        f.write("40001 40002")
    spells = [("orders", net.close_wait("unnoticed", database, "out", bind=("10.0.0.1", 0)))
              for _ in range(2)]
    spells += [("shop", net.close_wait("held", shop, bind=("192.0.2.17", port)))
               for port in (50001, 50002, 50003)]
    time.sleep(2 * 3600 + 300)
    spells.append(("shop", net.close_wait(
        "held", news, bind=("2001:db8:1234:5678:9abc:def0:1234:5678", 50004))))
    time.sleep(185)
    spells += [("shop", net.close_wait("unread", shop, bind=("192.0.2.17", 50005))),
               ("shop", net.close_wait("sending", shop, bind=("192.0.2.17", 50006))),
               ("", net.close_wait("unaccepted", slow, bind=("192.0.2.17", 50007)))]
    time.sleep(7)
    return spells


def fake_root(spells):
    os.makedirs("root/sys/module/tcp_close_wait")
    fds = {"shop": 7, "orders": 12}
    for name, pid in PIDS.items():
        os.makedirs(f"root/proc/{pid}/fd")
        with open(f"root/proc/{pid}/comm", "w", encoding="ascii") as f:
            f.write({"shop": "java", "orders": "python3"}[name] + "\n")
    for name, spell in spells:
        if name:
            os.symlink(f"socket:[{net.inode(spell.app)}]",
                       f"root/proc/{PIDS[name]}/fd/{fds[name]}")
            fds[name] += 1


def main():
    home = tempfile.mkdtemp()
    tool_home = os.getcwd()
    os.chdir(home)
    globals()["TOOL"] = os.path.join(tool_home, sys.argv[1])
    ns = net.NetNS()
    with ns:
        record("empty", "status")
        spells = leak()
        fake_root(spells)
        record("ports", "show")
        record("sockets", "list")
        record("status", "status")
        kernel.as_user(65534, record, os.path.join(tempfile.gettempdir(), "refused"),
                       "reap", "--all").result()
        os.replace(os.path.join(tempfile.gettempdir(), "refused.nl"), "refused.nl")
        record("nothing", "reap", "--port", "9")
        record("dry", "reap", "--all", "--dry-run")
        with subprocess.Popen([os.path.realpath(TOOL), "monitor"], stdout=subprocess.DEVNULL,
                              env={**os.environ, "CW_RECORD": "monitor.nl"}) as monitor:
            time.sleep(2)
            record("reap", "reap", "--all", "--max", "6")
            time.sleep(2)
            monitor.terminate()
    assert cw.loaded()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:xz") as tar:
        tar.add(".")
    print("BEGIN")
    print(base64.encodebytes(archive.getvalue()).decode(), end="")
    print("END")


if __name__ == "__main__":
    main()
