"""Valid input with random damage: manifests, dumps, answers and rules in every form that is read, from a seed.

Holds no test. Damage is done to bytes, which mostly breaks syntax, or to values, which mostly keeps it.
"""

import copy
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from liqo_connectivity.facts import jsonl_lines, read
from tests.support.case_folder import BASES

POLICY: Final = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: policy, namespace: liqo-tenant-milan, creationTimestamp: '2026-07-10T09:00:00Z'}
spec:
  rules:
  - {source: {group: vc-local}, destination: {group: vc-remote}, action: allow}
  - {source: {namespace: infra}, destination: {group: remote-cluster}, action: deny}
  - {source: {group: remote-cluster}, action: deny}
"""
RULES: Final = """\
// The hosts of a peering.
.decl host_cidr(peering: Cluster, cidr: Cidr)
host_cidr(Peering, Cidr) :- remote_cidr(Peering, "external", Cidr), Peering != "rome".
member_cidr(Peering, "hosts", Cidr) :- host_cidr(Peering, Cidr).
owned_group("hosts").
"""
TOKENS: Final = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f\x8b", b"\xed\xa0\x80", b"\r\n", b"\n---\n", b"...\n", b"\x1b[31m"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"'",
        b":",
        b",",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!binary x",
        b"!x",
        b"%YAML 9\n",
    ),
    *(b"\\ud800", b"\\u0000", b"2147483648", b"-9" * 40, b"1e999", b"NaN", b"null", b"true", b"\xe2\x80\xa8", b"#"),
    *(
        b'{"type":"DELETED","object":',
        b"kind: List\n",
        b".input x\n",
        b":- ",
        b"!",
        b"@cidr_family(",
        b"min X : {",
        b"_",
    ),
)
VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 2**31, 10**30, 1.5, float("inf"), float("nan"), "", " ", "\0", "\x1b[31m\n", "\u2028"),
    *(
        "a" * 5000,
        "\ud83d\ude00",
        "\ud800",
        "Remote-Cluster",
        "10.0.0.0/8",
        "::ffff:10.0.0.1",
        "0.0.0.0/0",
        "2038-01-19T03:14:08Z",
    ),
    *(
        [],
        {},
        [[]],
        {"": ""},
        {"a/b~c": [1]},
        [None],
        {"kind": "Pod"},
        {"items": None},
        {"metadata": {"continue": "x"}},
    ),
)
ENVELOPES: Final[tuple[Callable[[list[Any]], Any], ...]] = (
    lambda found: found,
    lambda found: [{"apiVersion": "v1", "kind": "List", "items": found}],
    lambda found: [{"type": "ADDED", "object": each} for each in found],
)
"""Objects, a list of them, or the events of a watch."""


@dataclass(frozen=True)
class Mutated:
    """Arguments of the command line, which name these files."""

    arguments: tuple[str, ...]
    files: Mapping[str, bytes]


def mutated(seed: int) -> Mutated:
    """Some valid input, damaged here and there, and what to ask about it."""
    rng = Random(seed)
    documents = [*copy.deepcopy(_base()), yaml.load(POLICY, yaml.CSafeLoader)]
    for _ in range(rng.choice((0, 0, 1, 3))):
        _damage_value(documents, rng)
    found = rng.choice(ENVELOPES)(documents)
    name, data = _written(found, rng)
    files = {name: _damaged(data, rng) if rng.random() < 0.6 else data}
    arguments = [*_question(rng, files), "-f", name]
    if rng.random() < 0.3:
        files["dump.jsonl"] = _damaged(_dump(), rng)
        arguments += ["-f", "dump.jsonl"]
    if rng.random() < 0.15 and arguments[0] in ("check", "why", "render"):
        files["own.dl"] = _damaged(RULES.encode(), rng)
        arguments += ["--rules", "own.dl"]
    if arguments[0] == "verify":
        arguments = ["verify", "answer.json", "--facts", name]
    elif arguments[:2] == ["facts", "load"]:
        arguments = ["facts", "load", name]
    return Mutated(tuple(arguments), files)


def _question(rng: Random, files: dict[str, bytes]) -> list[str]:
    flow = ("ip:10.71.9.9", "infra/dns-0")
    asked = rng.randrange(10)
    if asked == 0:
        files["answer.json"] = _damaged(b'{"schemaVersion":2,"verdict":"denied","peerings":[],"unknown":[]}', rng)
        return ["verify"]
    return [
        ["why", *flow, "-o", "json"],
        ["why", *flow],
        ["why", "group:vc-local@milan", "group:remote-cluster@milan"],
        ["why-not", *flow],
        ["check"],
        ["check", "-o", "json"],
        ["render", "-o", rng.choice(("yaml", "json", "nft", "nft-json"))],
        ["facts", "dump", *rng.choice(((), ("--redact",)))],
        ["facts", "load"],
        ["query", "finding(Code, Kind, Object, Detail)", "--why"],
    ][asked]


@cache
def _base() -> list[Any]:
    paths = sorted((BASES / "consumer").glob("*.yaml"))
    return [each for path in paths for each in yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader) if each]


@cache
def _dump() -> bytes:
    base = read(sorted((BASES / "consumer").glob("*.yaml"))).base
    return "".join(line + "\n" for line in jsonl_lines(base)).encode()


def _written(documents: list[Any], rng: Random) -> tuple[str, bytes]:
    """The documents in one of the forms that are read, and a name for the file."""
    # YAML cannot hold half a character, even escaped.
    if rng.random() < 0.5 or "\\ud8" in json.dumps(documents):
        name, text = "a.json", "\n".join(json.dumps(each, indent=rng.choice((None, 1))) for each in documents)
    else:
        name, text = "a.yaml", yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"))
    data = text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")
    if rng.random() < 0.15:
        return name + ".gz", gzip.compress(data, 1)
    return rng.choice((name, name, "a", "a.jsonl")), data


def _damaged(data: bytes, rng: Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8))):
        start = rng.randint(0, len(data))
        end = min(len(data), start + rng.choice((0, 1, 1, 3, 40)))
        piece = rng.choice((b"", rng.choice(TOKENS), data[start:end] * 3, rng.randbytes(2), data[:start][-60:]))
        data = data[:start] + piece + data[end:]
    return data[: rng.randint(0, len(data))] if rng.random() < 0.15 else data


def _damage_value(documents: list[Any], rng: Random) -> None:
    """Replace, remove, misspell or repeat something in one of the documents."""
    inner: Any = documents
    while True:
        keys: list[Any] = list(inner) if isinstance(inner, dict) else [*range(len(inner))]
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(inner[key], dict | list) and rng.random() < 0.8:
            inner = inner[key]
            continue
        break
    match rng.randrange(4):
        case 0:
            inner[key] = copy.deepcopy(rng.choice(VALUES))
        case 1:
            del inner[key]
        case 2 if isinstance(key, str):
            inner[rng.choice((key.upper(), key[1:], key + "s", "from"))] = inner.pop(key)
        case _:
            documents.append(copy.deepcopy(rng.choice(documents)))


def write(found: Mutated, folder: Path) -> None:
    """Write the files of an input into a folder."""
    for name, data in found.files.items():
        (folder / name).write_bytes(data)
