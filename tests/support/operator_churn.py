"""A peering whose pods and policy keep changing, and what must hold of every write that is made meanwhile.

Some pods never change: their addresses must be in the set of the rule that drops them in every object that is written,
or traffic that was always denied was allowed for a while. It must not know what goes wrong meanwhile.
"""

import json
import random
import time
from typing import Any

from tests.support.api_client import Object
from tests.support.fault_proxy import FaultProxy
from tests.support.liqo_peerings import Peering
from tests.support.operator_cluster import OperatorCluster, elements
from tests.support.operator_scene import Scene
from tests.support.waiting import eventually, pause

ALWAYS = ("deny", "vc-remote", "private-subnets")
SOMETIMES = ("allow", "vc-local", "vc-remote")
ANCHORS = 3


class Churn:
    """One peering with pods on both sides, changed by its own random number generator."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.cluster: OperatorCluster = scene.cluster
        self.peering: Peering = scene.place.peering()
        self._place = scene.place
        self._random = random.Random(seed)
        self._work = scene.place.namespace()
        self.peering.offload(self._work)
        self.anchors = [self.peering.address() for _ in range(ANCHORS)]
        for number, address in enumerate(self.anchors):
            self._shadow(f"anchor-{number}", address)
        self._pods: dict[str, str] = {}
        self._made = 0
        self.policy = self.peering.policy(ALWAYS)

    def step(self) -> None:
        """Change something."""
        change = self._random.choice((self._add, self._add, self._move, self._remove, self._finish, self._edit))
        change()

    def run(self, seconds: float, every: float = 0.05) -> None:
        """Change things for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
            pause(every)

    def converged(self, seconds: float = 10) -> None:
        """Wait until what is stored is what everything there is gives, and the status says so."""
        key = self.peering.namespace, f"{self.peering.name}-connectivity"
        # A server that has just come back refuses some kinds for a moment.
        wanted = eventually(self.cluster.rendered)[key]
        end = time.monotonic() + seconds
        eventually(
            lambda: self.cluster.written().get(key) == wanted,
            seconds,
            shows=lambda: f"wanted {json.dumps(wanted)}\nstored {json.dumps(self.cluster.written().get(key))}",
        )
        eventually(
            lambda: self.cluster.conditions(self.policy).get("Programmed", ("",))[0] == "True",
            end + 5 - time.monotonic(),
        )

    def never_widened(self, proxy: FaultProxy, since: int) -> None:
        """Check every write of its FirewallConfigurations that the server took from a request on.

        At any time one of the two is whole: the other one may be emptied, or deleted then.
        """
        whole = {self.peering.firewall: True}
        for request in proxy.written("firewallconfigurations", since):
            if request.path.startswith(self.peering.firewall):
                whole[request.path] = request.method == "PATCH" and self.is_whole(request.body)
                assert any(whole.values()), request
                if whole[request.path]:
                    self.drops_anchors(request.body)
                else:
                    assert request.method in ("PATCH", "DELETE"), request

    @staticmethod
    def is_whole(written: Object) -> bool:
        """Whether an object holds a chain."""
        return bool(written["spec"]["table"].get("chains"))

    def drops_anchors(self, written: Object) -> None:
        """Check that an object drops what its policy always denies."""
        spec: dict[str, Any] = written["spec"]
        held = elements(spec, "group.vc_remote")
        assert held is not None
        assert set(self.anchors) <= set(held), written
        names = {each["name"] for each in spec["table"]["sets"] if each["name"].startswith("group.vc_remote.")}
        (chain,) = spec["table"]["chains"]
        dropped = {
            entry["ip"]["value"].removeprefix("@")
            for rule in chain["rules"]["filterRules"]
            if rule["action"] == "drop"
            for entry in rule["match"]
            if "ip" in entry and entry["ip"]["position"] == "src"
        }
        assert names <= dropped, written

    def _shadow(self, name: str, address: str, phase: str = "Running") -> None:
        labels = {"liqo.io/shadowPod": "true"}
        self._place.pod(self._work, name, address, node=self.peering.name, labels=labels, phase=phase)

    def _add(self) -> None:
        name = f"pod-{self._made}"
        self._made += 1
        if self._random.random() < 0.5:
            self._pods[name] = "shadow"
            self._shadow(name, self.peering.address())
        else:
            self._pods[name] = "local"
            self._place.pod(self._work, name, self._place.address())

    def _one(self) -> str | None:
        return self._random.choice(sorted(self._pods)) if self._pods else None

    def _move(self) -> None:
        name = self._one()
        if name is not None and self._pods[name] == "shadow":
            self._shadow(name, self.peering.address())

    def _finish(self) -> None:
        name = self._one()
        if name is not None and self._pods[name] == "shadow":
            self._shadow(name, self.peering.address(), "Failed")

    def _remove(self) -> None:
        name = self._one()
        if name is not None:
            del self._pods[name]
            self._place.remove(f"/api/v1/namespaces/{self._work}/pods/{name}")

    def _edit(self) -> None:
        rules = [SOMETIMES, ALWAYS] if self._random.random() < 0.5 else [ALWAYS]
        self.peering.policy(*rules)
