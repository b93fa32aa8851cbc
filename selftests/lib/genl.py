# SPDX-License-Identifier: GPL-2.0
"""Generic netlink by the family's own spec, and nothing else."""
import errno
import functools
import os
import secrets
import select
import socket
import struct

import yaml

SPEC = os.path.join(os.path.dirname(os.path.realpath(__file__)), "tcp_close_wait.yaml")

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3fff
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_STRICT = 1, 10, 11, 12
GENL_ID_CTRL = 16
CTRL_CMD_GETFAMILY, CTRL_CMD_GETPOLICY = 3, 10
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_VERSION = 1, 2, 3
CTRL_ATTR_MCAST_GROUPS, CTRL_ATTR_POLICY, CTRL_ATTR_OP_POLICY, CTRL_ATTR_OP = 7, 8, 9, 10

_PACK = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}


class Refused(OSError):
    """The kernel's refusal: errno, its words, and the attribute at fault."""

    def __init__(self, number, text, attr):
        super().__init__(number, f"{os.strerror(number)}: {text} ({attr})")
        self.text, self.attr = text, attr


class Spec:
    """The spec, as tables: sets[set][name] and numbers of operations."""

    def __init__(self, path=SPEC):
        with open(path, encoding="utf-8") as file:
            self.raw = yaml.safe_load(file)
        self.enums = {d["name"]: [e["name"] for e in d["entries"]]
                      for d in self.raw["definitions"]}
        self.sets = {}
        for group in self.raw["attribute-sets"]:
            self.sets[group["name"]] = {
                attr["name"]: dict(attr, value=number)
                for number, attr in enumerate(group["attributes"], 1)}
        self.ops = {op["name"]: dict(op, value=number)
                    for number, op in enumerate(self.raw["operations"]["list"], 1)}

    def encode(self, group, values):
        """Attributes of a dict; an int or bytes is taken as it is for odd requests."""
        data = b""
        for name, value in values.items():
            attr = self.sets[group][name]
            kind, flags = attr["type"], 0
            if isinstance(value, bytes):
                body = value
            elif kind == "nest":
                body, flags = self.encode(attr["nested-attributes"], value), NLA_F_NESTED
            elif kind == "flag":
                if not value:
                    continue
                body = b""
            elif kind == "binary":
                body = b"".join(struct.pack("=" + _PACK[attr["sub-type"]], v) for v in value)
            elif kind == "string":
                body = value.encode() + b"\0"
            else:
                if isinstance(value, str):
                    value = self.enums[attr["enum"]].index(value)
                body = struct.pack("=" + _PACK[kind], value)
            data += attribute(attr["value"] | flags, body)
        return data

    def decode(self, group, data):
        """A dict of the attributes; of one that may come several times, a list."""
        by_number = {attr["value"]: attr for attr in self.sets[group].values()}
        values = {}
        for number, body in attributes(data):
            attr = by_number[number]
            kind, name = attr["type"], attr["name"]
            if kind == "pad":
                continue
            if name in values and not attr.get("multi-attr"):
                raise AssertionError(f"attribute {name} twice")
            if kind == "nest":
                value = self.decode(attr["nested-attributes"], body)
                if attr.get("multi-attr"):
                    value = values.get(name, []) + [value]
                values[name] = value
            elif kind == "flag":
                values[name] = True
            elif kind == "binary":
                values[name] = body
            elif kind == "string":
                values[name] = body.rstrip(b"\0").decode()
            else:
                value = struct.unpack("=" + _PACK[kind], body)[0]
                values[name] = self.enums[attr["enum"]][value] if "enum" in attr else value
        return values


def attribute(kind, body):
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            raise AssertionError(f"an attribute of {length} bytes where {len(data)} are left")
        yield kind & NLA_TYPE_MASK, data[4:length]
        data = data[length + 3 & ~3:]


def flat(data):
    """A dict of attributes without a spec."""
    return dict(attributes(data))


@functools.lru_cache(maxsize=None)
def own_spec():
    """Read once: that takes most of a second in a virtual machine."""
    return Spec()


class Socket:
    """A netlink socket in the namespace in which it is made."""

    def __init__(self, spec=None, buffer=None, family=True):
        self.spec = spec or own_spec()
        self.size = buffer or 32768
        self.seq = 0
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        # an address that nobody had: a late answer to its last owner would come here
        self.sock.bind((secrets.randbelow(2 ** 31) + 2 ** 31, 0))
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_STRICT):
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.id = self.version = None
        self.groups = {}
        if family:
            self._resolve()

    def __enter__(self):
        return self

    def __exit__(self, *_args):
        self.close()

    def close(self):
        self.sock.close()

    def _resolve(self):
        name = attribute(CTRL_ATTR_FAMILY_NAME, self.spec.raw["name"].encode() + b"\0")
        self.send(CTRL_CMD_GETFAMILY, name, kind=GENL_ID_CTRL, version=2)
        found = flat(next(self.replies())[1])
        list(self.replies())
        self.id = struct.unpack("=H", found[CTRL_ATTR_FAMILY_ID])[0]
        self.version = struct.unpack("=I", found[CTRL_ATTR_VERSION])[0]
        for _, group in attributes(found.get(CTRL_ATTR_MCAST_GROUPS, b"")):
            group = flat(group)
            self.groups[group[1].rstrip(b"\0").decode()] = struct.unpack("=I", group[2])[0]

    # ---- messages

    def send(self, command, body=b"", flags=NLM_F_ACK, kind=None, version=1):
        self.seq += 1
        body = struct.pack("=BBH", command, version, 0) + body
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind or self.id,
                                   flags | NLM_F_REQUEST, self.seq, 0) + body)

    def receive(self, seq=None):
        """[(command, attributes)...] of one recv(), and whether it was the last."""
        data, done, found = self.sock.recv(self.size), False, []
        while data:
            length, kind, flags, number, _ = struct.unpack_from("=IHHII", data)
            if not 16 <= length <= len(data):
                raise AssertionError(f"a message of {length} bytes where {len(data)} are left")
            body, data = data[16:length], data[length + 3 & ~3:]
            if number not in (seq, 0):
                raise AssertionError(f"an answer to request {number}, not {seq}")
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                self._check(kind, flags, body)
                done = True
            else:
                found.append((body[0], body[4:]))
        return found, done

    def _check(self, kind, flags, body):
        code = struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
        if not code:
            return
        told = {}
        if flags & NLM_F_ACK_TLVS:
            start = 4
            if kind == NLMSG_ERROR:
                start += 16 if flags & NLM_F_CAPPED else struct.unpack_from("=I", body, 4)[0]
            told = flat(body[start:])
        text = told.get(1, b"").rstrip(b"\0").decode()
        offset = struct.unpack("=I", told[2])[0] if 2 in told else None
        raise Refused(-code, text, offset)

    def replies(self):
        """What comes until the acknowledgement or the end of a dump."""
        done = False
        while not done:
            found, done = self.receive(self.seq)
            yield from found

    def _decoded(self, op, messages):
        for command, body in messages:
            if command != self.spec.ops[op]["value"]:
                raise AssertionError(f"command {command} in the answer to {op}")
            yield self.spec.decode("main", body)

    def body(self, values):
        return self.spec.encode("main", values)

    # ---- operations

    def do(self, op, **values):
        self.send(self.spec.ops[op]["value"], self.body(_dashed(values)))
        return list(self._decoded(op, self.replies()))

    def start(self, op, **values):
        """Asks for a dump without reading it."""
        self.send(self.spec.ops[op]["value"], self.body(_dashed(values)), flags=NLM_F_DUMP)

    def dump(self, op, **values):
        self.start(op, **values)
        return list(self._decoded(op, self.replies()))

    def rest(self, op):
        return self._decoded(op, self.replies())

    def reap(self, **values):
        answer, = self.do("reap", **values)
        return answer

    def ask_reap(self, flags=NLM_F_ACK, **values):
        """A request that is taken or refused; answer() says which."""
        self.send(self.spec.ops["reap"]["value"], self.body(_dashed(values)), flags)

    def answer(self):
        answer, = self._decoded("reap", self.replies())
        return answer

    def listen(self, group="events"):
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.groups[group])

    def events(self, number, timeout):
        """At least NUMBER messages of the group."""
        found = []
        while len(found) < number:
            if not select.select([self.sock], [], [], timeout)[0]:
                raise AssertionError(f"{len(found)} of {number} events came")
            found += self._decoded("reaped-ntf", self.receive()[0])
        return found

    def policies(self):
        """{operation: {attribute: {field: value}}} as the kernel enforces them."""
        self.send(CTRL_CMD_GETPOLICY, attribute(CTRL_ATTR_FAMILY_ID, struct.pack("=H", self.id)),
                  flags=NLM_F_DUMP, kind=GENL_ID_CTRL, version=2)
        tables, starts = {}, {}
        for _, body in self.replies():
            top = flat(body)
            for op, body in attributes(top.get(CTRL_ATTR_OP_POLICY, b"")):
                starts[op] = {kind: struct.unpack("=I", index)[0]
                              for kind, index in attributes(body)}
            for index, body in attributes(top.get(CTRL_ATTR_POLICY, b"")):
                for attr, body in attributes(body):
                    tables.setdefault(index, {})[attr] = flat(body)
        return tables, starts


def _dashed(values):
    return {name.replace("_", "-"): value for name, value in values.items()}


def missing():
    """Whether the family is not there."""
    try:
        Socket().close()
    except OSError as e:
        if e.errno == errno.ENOENT:
            return True
        raise
    return False
