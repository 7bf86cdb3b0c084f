"""Liqo's agent on a real kernel: the messages that it sends, byte for byte, on a socket as it has one.

Written from google/nftables v0.3.0, with what liqotech/liqo pkg/firewall (v1.2.0, and its pull requests 3155 and 3144) makes
of a FirewallConfiguration. Run as a program it reads a JSON list of specs, applies one after the other in two batches each,
and prints what became of it: errors and the listing of nft. It must not know what a ruleset is expected to do.
"""

import json
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]
Handles: TypeAlias = Mapping[str, tuple[str, int]]
"""The chain and the handle of each rule in the kernel, by its comment."""

# linux/netfilter/nfnetlink.h and nf_tables.h
_BEGIN, _END, _SUBSYSTEM = 16, 17, 10
_TABLE, _CHAIN, _RULE, _DELETE_RULE, _SET, _DELETE_SET, _ELEMENTS, _DELETE_ELEMENTS = 0, 3, 6, 8, 9, 11, 12, 14
_DELETE_TABLE, _DELETE_CHAIN = 2, 5
_REQUEST, _ACKNOWLEDGE, _CREATE, _ECHO, _APPEND = 1, 4, 0x400, 8, 0x800
_NESTED, _NFPROTO_IPV4, _POSTROUTING = 0x8000, 2, 4
_VERDICTS = {"drop": 0, "accept": 1}
_PROTOCOLS = {"tcp": 6, "udp": 17}
_STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}


class AgentError(AssertionError):
    """The program could not run here."""


def applied(specs: Sequence[Object]) -> list[dict[str, Any]]:
    """What became of each spec, in a fresh network namespace: ``errors`` of the two batches, and the ``listing`` after."""
    for tool in ("nft", "unshare"):
        if shutil.which(tool) is None:
            raise AgentError(f"{tool} is not installed; these tests need it")
    command = ["unshare", "-rn", sys.executable, __file__]
    run = subprocess.run(command, input=json.dumps(specs), text=True, capture_output=True, check=False)
    if run.returncode != 0:
        raise AgentError(f"in a user and network namespace: exit status {run.returncode}\n{run.stderr}")
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def installed(table: Object) -> bytes:
    """The batch that installs a table where there is none."""
    return _batch([*_missing(table, {}, ())])


# ---- Batches ----


def _superfluous(
    table: Object, handles: Handles, sets: Mapping[str, Sequence[str]], chains: Sequence[str]
) -> Iterator[bytes]:
    name = table["name"]
    gone = {*chains} - {chain["name"] for chain in table["chains"]}
    for each in sorted(gone):
        # With its rules.
        yield _message(_DELETE_CHAIN, 0, _text(1, name) + _text(3, each))
    wanted = {rule["name"] for chain in table["chains"] for rule in chain["rules"]["filterRules"]}
    for comment, (chain, handle) in handles.items():
        if comment not in wanted and chain not in gone:
            place = _text(1, name) + _text(2, chain)
            yield _message(_DELETE_RULE, 0, place + _attribute(3, struct.pack(">Q", handle)))
    held = {each["name"]: [element["key"] for element in each["elements"]] for each in table["sets"]}
    for number, (one, keys) in enumerate(sorted(sets.items()), 1):
        if one not in held:
            yield _message(_DELETE_SET, 0, _text(1, name) + _text(2, one))
        elif set(keys) != set(held[one]):
            if keys:
                yield _message(_DELETE_ELEMENTS, _CREATE, _elements(name, one, number, keys))
            if held[one]:
                yield _message(_ELEMENTS, _CREATE, _elements(name, one, number, held[one]))


def _missing(table: Object, handles: Handles, sets: Sequence[str]) -> Iterator[bytes]:
    name = table["name"]
    yield _message(_TABLE, _CREATE, _text(1, name) + _number(2, 0))
    for number, each in enumerate(table["sets"], 1):
        if each["name"] in sets:
            continue
        kind = _number(3, 0) + _number(4, 7) + _number(5, 4) + _number(10, number)
        yield _message(_SET, _CREATE, _text(1, name) + _text(2, each["name"]) + kind)
        keys = [element["key"] for element in each["elements"]]
        if keys:
            yield _message(_ELEMENTS, _CREATE, _elements(name, each["name"], number, keys))
    numbers = {each["name"]: number for number, each in enumerate(table["sets"], 1)}
    for chain in table["chains"]:
        hook = _nested(4, _number(1, _POSTROUTING) + _number(2, chain["priority"]))
        policy = _number(5, _VERDICTS[chain["policy"]])
        yield _message(
            _CHAIN, _CREATE, _text(1, name) + _text(3, chain["name"]) + hook + policy + _text(7, chain["type"])
        )
        for rule in chain["rules"]["filterRules"]:
            if rule["name"] in handles:
                continue
            comment = rule["name"].encode() + b"\0"
            body = _text(1, name) + _text(2, chain["name"]) + _nested(4, b"".join(_expressions(rule, numbers)))
            yield _message(_RULE, _CREATE | _ECHO | _APPEND, body + _attribute(7, bytes([0, len(comment)]) + comment))


def _elements(table: str, name: str, number: int, keys: Sequence[str]) -> bytes:
    held = b"".join(
        _nested(index & 0x7FFF, _nested(1, _attribute(1, IPv4Address(key).packed))) for index, key in enumerate(keys, 1)
    )
    # One attribute, whose 16-bit length wraps.
    length = struct.pack("=HH", (4 + len(held)) & 0xFFFF, 3 | _NESTED)
    return _text(2, name) + _number(4, number) + _text(1, table) + length + held


def _expressions(rule: Object, sets: Mapping[str, int]) -> Iterator[bytes]:
    for entry in rule["match"]:
        if "proto" in entry:
            yield _expression("meta", _number(2, 16) + _number(1, 1))
            yield _compared(0, bytes([_PROTOCOLS[entry["proto"]["value"]]]))
        if "ip" in entry:
            value = entry["ip"]["value"]
            offset = {"src": 12, "dst": 16}[entry["ip"]["position"]]
            yield _expression("payload", _number(1, 1) + _number(2, 1) + _number(3, offset) + _number(4, 4))
            if value.startswith("@"):
                inverted = _number(5, 1) if entry["op"] == "neq" else b""
                lookup = _number(2, 1) + inverted + _text(1, value[1:]) + _number(4, sets[value[1:]])
                yield _expression("lookup", lookup)
                continue
            operator = {"eq": 0, "neq": 1}[entry["op"]]
            first, _, last = value.partition("-")
            if last:
                yield _ranged(operator, IPv4Address(first).packed, IPv4Address(last).packed)
            elif "/" not in value:
                yield _compared(operator, IPv4Address(value).packed)
            else:
                network = IPv4Network(value)
                yield _masked(network.netmask.packed)
                yield _compared(operator, network.network_address.packed)
        if "port" in entry:
            offset = {"src": 0, "dst": 2}[entry["port"]["position"]]
            yield _expression("payload", _number(1, 1) + _number(2, 2) + _number(3, offset) + _number(4, 2))
            first, _, last = entry["port"]["value"].partition("-")
            if last:
                # a range ignores op
                yield _compared(5, struct.pack(">H", int(first)))
                yield _compared(3, struct.pack(">H", int(last)))
            else:
                yield _compared(0 if entry["op"] == "eq" else 1, struct.pack(">H", int(first) & 0xFFFF))
        if "ctstate" in entry:
            bits = sum(_STATES[state] for state in entry["ctstate"]["value"])
            yield _expression("ct", _number(2, 0) + _number(1, 1))
            yield _masked(struct.pack("=I", bits))
            yield _compared(1 if entry["op"] == "eq" else 0, bytes(4))
    verdict = _nested(2, _number(1, _VERDICTS[rule["action"]]))
    yield _expression("immediate", _number(1, 0) + _nested(2, verdict))


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        _number(1, 1)
        + _number(2, 1)
        + _number(3, 4)
        + _nested(4, _attribute(1, mask))
        + _nested(5, _attribute(1, bytes(4))),
    )


def _compared(operator: int, data: bytes) -> bytes:
    return _expression("cmp", _number(1, 1) + _number(2, operator) + _nested(3, _attribute(1, data)))


def _ranged(operator: int, first: bytes, last: bytes) -> bytes:
    ends = _nested(3, _attribute(1, first)) + _nested(4, _attribute(1, last))
    return _expression("range", _number(1, 1) + _number(2, operator) + ends)


def _expression(name: str, data: bytes) -> bytes:
    return _nested(1, _text(1, name) + _nested(2, data))


# ---- Netlink ----


def _batch(messages: Sequence[bytes]) -> bytes:
    ends = [
        struct.pack("=IHHIIBBH", 20, kind, _REQUEST, 0, 0, 0, 0, socket.htons(_SUBSYSTEM)) for kind in (_BEGIN, _END)
    ]
    return b"".join([ends[0], *messages, ends[1]]) if messages else b""


def _message(kind: int, flags: int, data: bytes) -> bytes:
    header = struct.pack("=IHHII", 20 + len(data), _SUBSYSTEM << 8 | kind, _REQUEST | _ACKNOWLEDGE | flags, 0, 0)
    return header + struct.pack("=BBH", _NFPROTO_IPV4, 0, 0) + data


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _nested(kind: int, data: bytes) -> bytes:
    return _attribute(kind | _NESTED, data)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack(">i", number))


# ---- The program ----


def _send(batch: bytes) -> str:
    """Send a batch; the name of the first error, empty for none."""
    if not batch:
        return ""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as peer:
        peer.bind((0, 0))
        try:
            peer.send(batch)
            # The kernel has answered when it comes back.
            while True:
                answer = peer.recv(1 << 20, socket.MSG_DONTWAIT)
                while len(answer) >= 20:
                    length, kind = struct.unpack_from("=IH", answer)
                    (code,) = struct.unpack_from("=i", answer, 16)
                    if kind == 2 and code:
                        return OSError(-code, "").__class__.__name__ + f" {-code}"
                    answer = answer[(length + 3) // 4 * 4 :]
        except BlockingIOError:
            return ""
        except OSError as error:
            # The answers did not fit, but the batch is done: the real agent looks again, and finds nothing to do.
            return "" if error.errno == 105 else f"errno {error.errno}"


def listing() -> list[dict[str, Any]]:
    """What nft lists of the network namespace that this process is in."""
    run = subprocess.run(["nft", "-j", "-a", "list", "ruleset"], text=True, capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(run.stdout)["nftables"]
    return found


def apply(table: Object, between: Callable[[], None] = lambda: None) -> list[str]:
    """Apply a table in the network namespace that this process is in, in two batches; their errors.

    ``between`` is called after the first.
    """
    mine = [entry for entry in listing() if {table["name"]} == {each.get("table") for each in entry.values()}]
    rules = [entry["rule"] for entry in mine if "rule" in entry]
    handles = {rule["comment"]: (rule["chain"], rule["handle"]) for rule in rules}
    sets = {entry["set"]["name"]: entry["set"].get("elem", []) for entry in mine if "set" in entry}
    chains = [entry["chain"]["name"] for entry in mine if "chain" in entry]
    first = _send(_batch([*_superfluous(table, handles, sets, chains)]))
    between()
    second = ""
    if not first:
        wanted = {rule["name"] for chain in table["chains"] for rule in chain["rules"]["filterRules"]}
        kept = {comment: place for comment, place in handles.items() if comment in wanted}
        second = _send(_batch([*_missing(table, kept, [*sets])]))
    return [first, second]


def remove(table: str) -> str:
    """Remove a table, as the agent does when its object goes; the error, empty for none or if it is not there."""
    there = any(entry.get("table", {}).get("name") == table for entry in listing())
    return _send(_batch([_message(_DELETE_TABLE, 0, _text(1, table))])) if there else ""


if __name__ == "__main__":
    json.dump(
        [{"errors": apply(spec["table"]), "listing": listing()} for spec in json.load(sys.stdin)],
        sys.stdout,
    )
