"""Edits of a policy under a flood of packets: the real control loop, Liqo's agent on a real kernel, and no mercy.

Run as a program in a new user and network namespace, which becomes the node. A process sends packets all the time that
every policy denies, and others that every policy allows. Another one edits the policy, lets the controller go on, kills it
between two requests, and applies what is stored as Liqo's agent does, in two transactions; before it goes on after each of
these, packets of both kinds have met the kernel as it is. This module must not know how an edit is carried out.

Input on stdin: ``{"edits": number, "seed": number, "in_place": bool}``; in place, no controller runs, and what it wants is
written straight into the one object. Output: the counts of ``Counts``. While no agent is at work the kernel does not change,
and the flood rests.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import digest
from liqo_connectivity.operator.controller.writing.object_client import firewall_path
from liqo_connectivity.operator.kube.response import Json
from tests.support import netlink_agent
from tests.support.checkout import ROOT
from tests.support.controller_stage import CHAIN, STANDIN, Stage
from tests.support.manifests import Object
from tests.support.memory_api import MemoryApi
from tests.support.namespaces import inside, ip
from tests.support.packet_flood import Counts, Flood
from tests.support.router import Endpoint

KEYS = (CHAIN, STANDIN)


def flooded(edits: int, seed: int, *, in_place: bool = False) -> Counts:
    """What becomes of some edits, in a new network namespace."""
    given = json.dumps({"edits": edits, "seed": seed, "in_place": in_place})
    command = ["unshare", "-rn", sys.executable, "-m", "tests.support.edit_flood"]
    run = subprocess.run(command, input=given, text=True, capture_output=True, check=False, cwd=ROOT)
    if run.returncode != 0:
        raise AssertionError(f"exit status {run.returncode}\n{run.stderr[-6000:]}")
    return Counts(**json.loads(run.stdout))


# ---- The program ----


class KilledError(BaseException):
    """The controller is no more."""


class DeadlyApi(MemoryApi):
    """An API server whose client is killed now and then, before a request is sent or before its answer comes."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.odds = 0.0
        self.kills = 0
        self._random = random

    def apply(self, path: str, body: Mapping[str, object] | bytes, *, force: bool, partial: bool = False) -> Json:
        self._perhaps()
        made = super().apply(path, body, force=force, partial=partial)
        self._perhaps()
        return made

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        self._perhaps()
        gone = super().delete(path, uid=uid, resource_version=resource_version)
        self._perhaps()
        return gone

    def _perhaps(self) -> None:
        if self._random.random() < self.odds:
            self.kills += 1
            raise KilledError


class Node:
    """The node's agent: what it has applied of each object. The other node's is a moment later."""

    def __init__(self, stage: Stage, flood: Flood) -> None:
        self._stage = stage
        self._flood = flood
        self._applied: dict[ObjectKey, tuple[str, int]] = {}
        self._tables: dict[ObjectKey, str] = {}

    @property
    def idle(self) -> bool:
        """Whether it has applied everything."""
        selected = {key: self._version(key) if self._stage.is_selected(key) else None for key in KEYS}
        return all(version == self._applied.get(key) for key, version in selected.items())

    def _version(self, key: ObjectKey) -> tuple[str, int] | None:
        found = self._stage.api.stored.get(firewall_path(key))
        return (str(found["metadata"]["uid"]), int(found["metadata"]["generation"])) if found is not None else None

    def work(self, *, both: bool) -> None:
        """Apply what is stored and report it, the other node too if ``both``."""
        for key in KEYS:
            table, version = self._stage.chain(key), self._version(key)
            if table is None or version is None or not self._stage.is_selected(key):
                if key in self._tables:
                    self._flood.flow(on=True)
                    check(netlink_agent.remove(self._tables.pop(key)))
                    self._applied.pop(key, None)
                    self._flood.meet()
                    self._flood.flow(on=False)
                continue
            if self._applied.get(key) != version:
                self._flood.flow(on=True)
                check(*netlink_agent.apply(table, self._flood.meet))
                self._flood.meet()
                self._flood.flow(on=False)
                self._applied[key], self._tables[key] = version, table["name"]
            self._stage.report("True", "True" if both else "", key=key)


def check(*errors: str) -> None:
    """Raises for what the kernel refused."""
    if any(errors):
        raise AssertionError(f"the kernel refused a batch: {errors}")


def policy(random: Random) -> list[Object]:
    """Rules of which all but the last are about others than the two pods, or let the allowed one pass."""
    others: list[Object] = [
        {"action": random.choice(["allow", "deny"]), side: {"namespace": "other"}}
        for side in random.choices(["source", "destination"], k=random.randint(0, 4))
    ]
    if random.random() < 0.5:
        others.append({"action": "allow", "source": {"namespace": "free"}})
        others.append({"action": "deny", "destination": {"group": "remote-cluster"}})
    return others


def play(edits: int, seed: int, flood: Flood, stage: Stage, *, in_place: bool) -> None:
    """Edit the policy again and again."""
    random = Random(seed)
    node = Node(stage, flood)
    with flood:
        converge(stage, node, random)
        flood.begin()
        stage.leads = not in_place
        for number in range(edits):
            stage.edit("deny", *policy(random))
            stage.pod(10 + random.randrange(20), "other")
            if in_place:
                stage.run(0.05)
                write_in_place(stage, node)
            else:
                converge(stage, node, random, random.choice([0.0, 0.02, 0.2]))
            assert_as_wanted(stage, f"edit {number} of seed {seed}")


def converge(stage: Stage, node: Node, random: Random, odds: float = 0.0) -> None:
    """Let everybody work until one object is stored as it is wanted, and nothing is left to do.

    ``odds`` are those that the controller is killed before or after a request.
    """
    api = stage.api
    assert isinstance(api, DeadlyApi)
    for _ in range(500):
        api.odds = odds
        try:
            stage.run(random.choice([0.05, 0.5, 3.0]))
        except KilledError:
            # What the rules derive follows from the objects alone; that takes a third of a second.
            stage.restart(fresh=random.random() < 0.02)
        api.odds = 0.0
        if node.idle and is_as_wanted(stage):
            return
        stage.watch()
        if random.random() < 0.8:
            node.work(both=random.random() < 0.8)
        if random.random() < 0.2:
            stage.pod(10 + random.randrange(20), "other")
    raise AssertionError(f"an edit does not end: {json.dumps(api.stored, indent=1)}\n{stage.state.firewalls}")


def is_as_wanted(stage: Stage) -> bool:
    first = stage.chain(CHAIN)
    if first is None or stage.chain(STANDIN) is not None or not stage.loop.quiescent:
        return False
    return digest({"table": first}) == stage.state.desired.firewall("milan").digest


def write_in_place(stage: Stage, node: Node) -> None:
    """What an edit was before there were stand-ins."""
    body: Any = stage.state.desired.firewall("milan").body
    stage.api.apply(firewall_path(CHAIN), {"metadata": {}, "spec": body["spec"]}, force=True)
    node.work(both=True)


def assert_as_wanted(stage: Stage, where: str) -> None:
    """The kernel has one table, with the rules of the object in their order."""
    table = stage.chain(CHAIN)
    assert table is not None
    found = netlink_agent.listing()
    tables = [entry["table"]["name"] for entry in found if "table" in entry]
    rules = [entry["rule"]["comment"] for entry in found if "rule" in entry]
    assert tables == [table["name"]], where
    assert rules == [rule["name"] for rule in table["chains"][0]["rules"]["filterRules"]], where


def main() -> None:
    """Build the node, play, and print what came of it."""
    logging.disable()
    given = json.load(sys.stdin)
    node = os.open("/proc/self/ns/net", os.O_RDONLY)
    ip("link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "ascii")
    endpoints: list[Endpoint] = []
    for number, cidr in enumerate(("10.244.0.0/16", "10.71.0.0/16"), 1):
        with inside(node):
            endpoints.append(Endpoint(number, node, [cidr]))
    with inside(node):
        api = DeadlyApi(Random(given["seed"]))
        stage = Stage(api)
        stage.pod(1, "shop")
        stage.pod(2, "free")
        flood = Flood(*endpoints)
        play(given["edits"], given["seed"], flood, stage, in_place=given["in_place"])
        made = flood.counts()
    made.edits, made.kills = given["edits"], api.kills
    json.dump(asdict(made), sys.stdout)


if __name__ == "__main__":
    main()
