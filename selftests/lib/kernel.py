# SPDX-License-Identifier: GPL-2.0
"""System calls that Python does not wrap, and what surrounds a process."""
import ctypes
import mmap
import os
import pickle
import platform
import select
import struct
import subprocess
import traceback

import fcntl

CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)
_SYSCALLS = {
    "x86_64": {"bpf": 321, "userfaultfd": 323, "finit_module": 313},
    "aarch64": {"bpf": 280, "userfaultfd": 282, "finit_module": 273},
}


def _checked(result):
    if result < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return result


def unshare(flags):
    _checked(_libc.unshare(flags))


def setns(fd, flags=0):
    _checked(_libc.setns(fd, flags))


def syscall(name, *args):
    try:
        number = _SYSCALLS[platform.machine()][name]
    except KeyError:
        raise NotImplementedError(f"number of {name} on {platform.machine()}") from None
    return _checked(_libc.syscall(ctypes.c_long(number), *args))


def lock_memory():
    """No page fault from here on."""
    _checked(_libc.mlockall(3))     # MCL_CURRENT | MCL_FUTURE


def have_module(name):
    """Loads a module of the kernel; true if it is there afterwards, or built in."""
    return subprocess.run(["modprobe", "-q", name], check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


class Child:
    """A process that runs function(*args) and hands back what it returns.

    With stay=True it stays, after having returned its result, until release().
    """

    def __init__(self, function, *args, stay=False):
        result_r, result_w = os.pipe()
        stay_r, stay_w = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(result_r)
            os.close(stay_w)
            try:
                result = (True, function(*args))
            except BaseException as e:  # pylint: disable=broad-except
                result = (False, (type(e).__name__, getattr(e, "errno", None),
                                  traceback.format_exc()))
            with os.fdopen(result_w, "wb") as pipe:
                pickle.dump(result, pipe)
            if stay:
                os.read(stay_r, 1)
            os._exit(0)
        os.close(result_w)
        os.close(stay_r)
        self._stay = stay_w
        with os.fdopen(result_r, "rb") as pipe:
            data = pipe.read()
        if not stay:
            self.release()
        self.ok, self.value = pickle.loads(data) if data else (False, ("died", None, ""))

    def release(self):
        if self.pid:
            os.close(self._stay)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def result(self):
        if not self.ok:
            raise AssertionError(f"in a child process: {self.value[2] or self.value}")
        return self.value

    @property
    def errno(self):
        """Of the OSError that ended the function; None if it returned."""
        return None if self.ok else self.value[1]


def as_user(uid, function, *args):
    """A Child that runs FUNCTION as user and group UID, without capabilities."""
    def run():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        return function(*args)
    return Child(run)


def in_user_ns(function, *args, outside=1000, net=False):
    """A Child that is user OUTSIDE, and root in a user namespace of its own."""
    def run():
        os.setgroups([])
        os.setresgid(outside, outside, outside)
        os.setresuid(outside, outside, outside)
        # the files in /proc/self are root's until this
        _checked(_libc.prctl(4, 1, 0, 0, 0))  # PR_SET_DUMPABLE
        unshare(CLONE_NEWUSER | (CLONE_NEWNET if net else 0))
        for name, content in (("setgroups", "deny"), ("uid_map", f"0 {outside} 1"),
                              ("gid_map", f"0 {outside} 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(content)
        return function(*args)
    return Child(run)


def drop_capabilities():
    """Root without power: uid 0, every capability gone."""
    header = struct.pack("Ii", 0x20080522, 0)
    _checked(_libc.capset(ctypes.create_string_buffer(header),
                          ctypes.create_string_buffer(24)))


# --- bpf(2): only what puts a socket into a map ---------------------------

BPF_MAP_CREATE, BPF_MAP_UPDATE_ELEM = 0, 2
BPF_MAP_TYPE_SOCKMAP = 15


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr, max(len(attr), 128))
    return syscall("bpf", cmd, ctypes.byref(buf), len(buf))


def sockmap(sock):
    """A new sockmap with the socket in it; returns the map's descriptor."""
    fd = bpf(BPF_MAP_CREATE, struct.pack("IIIII", BPF_MAP_TYPE_SOCKMAP, 4, 4, 1, 0))
    key = ctypes.c_uint32(0)
    value = ctypes.c_uint32(sock.fileno())
    try:
        bpf(BPF_MAP_UPDATE_ELEM, struct.pack("IxxxxQQQ", fd, ctypes.addressof(key),
                                             ctypes.addressof(value), 0))
    except OSError:
        os.close(fd)
        raise
    return fd


# --- userfaultfd(2): memory whose first use waits for us -------------------

class FaultyPage:
    """A page of memory; who touches it waits until serve()."""

    _API = 0xC018AA3F
    _REGISTER = 0xC020AA00
    _ZEROPAGE = 0xC020AA04
    _MODE_MISSING = 1

    def __init__(self):
        self.fd = syscall("userfaultfd", os.O_CLOEXEC)
        self.memory = mmap.mmap(-1, mmap.PAGESIZE,
                                flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._view = (ctypes.c_char * mmap.PAGESIZE).from_buffer(self.memory)
        self.address = ctypes.addressof(self._view)
        self.served = False
        fcntl.ioctl(self.fd, self._API, struct.pack("QQQ", 0xAA, 0, 0))
        fcntl.ioctl(self.fd, self._REGISTER,
                    struct.pack("QQQQ", self.address, mmap.PAGESIZE, self._MODE_MISSING, 0))

    def serve(self):
        if not self.served:
            self.served = True
            fcntl.ioctl(self.fd, self._ZEROPAGE,
                        struct.pack("QQQq", self.address, mmap.PAGESIZE, 0, 0))

    def close(self):
        self.serve()
        os.close(self.fd)

    def wanted(self):
        """Whether somebody waits for it."""
        return bool(select.select([self.fd], [], [], 0)[0])

    def recv(self, sock, length):
        """recv(2) into the page; Python's own would touch it first."""
        return _checked(_libc.recv(sock.fileno(), ctypes.c_void_p(self.address),
                                   ctypes.c_size_t(length), 0))

    def send(self, sock, length):
        """send(2) from the page."""
        return _checked(_libc.send(sock.fileno(), ctypes.c_void_p(self.address),
                                   ctypes.c_size_t(length), 0))
