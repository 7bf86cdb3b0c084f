"""A control plane that the real controller runs against, as it is installed: its CRD, its service account, its roles.

What the tests of whole scenarios share: what is stored, what a computation from all objects says it should be,
and waiting until nothing changes any more. It must not know what a scenario is about.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from liqo_connectivity import chains
from liqo_connectivity.facts.extraction.kinds import KIND_BY_NAME, KINDS
from tests.support.api_client import ApiError, Object
from tests.support.clusters import RENDERED, base_of, solve, tables
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds
from tests.support.manifest_tools import DEPLOY, NAME, NAMESPACE, kustomize, objects
from tests.support.operator_process import Running, running
from tests.support.waiting import eventually

FIREWALLS = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"
POLICIES = "/apis/security.liqo.io/v1/peeringconnectivities"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OURS = "app.kubernetes.io/managed-by=liqo-connectivity-engine"
FINALIZER = "security.liqo.io/peering-connectivity"
OWNER_UID = "security.liqo.io/owner-uid"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"
PATIENT = ("--lease-duration=10", "--renew-deadline=8", "--request-timeout=5", "--sweep-interval=2")
"""A machine that runs other tests too must not cost it its lease."""
QUIET = 0.6
"""Seconds without a write after which nothing is under way: more than any wait of a quick controller but a retry's."""

Change = Callable[[dict[tuple[str, str, str], Object]], None]


def read_crds() -> list[Object]:
    """Those of Liqo's newest CRDs whose objects the controller reads or writes."""
    kinds = {*KIND_BY_NAME, "FirewallConfiguration"}
    return [crd for crd in crds() if crd["spec"]["names"]["kind"] in kinds]


def install(plane: ControlPlane, change: Change | None = None) -> Path:
    """Apply what is shipped but the Deployment, and give the kubeconfig of its service account.

    ``change`` may edit what is applied, by kind, namespace and name.
    """
    shipped = objects(kustomize(DEPLOY))
    if change is not None:
        change(shipped)
    for (kind, _, _), found in sorted(shipped.items(), key=lambda each: each[0][0] != "Namespace"):
        if kind not in ("Deployment", "Service"):
            plane.admin.apply(found)
    eventually(lambda: plane.admin.serves("security.liqo.io/v1", "PeeringConnectivity"))
    return plane.service_account_kubeconfig(NAMESPACE, NAME)


class OperatorCluster:
    """What tests ask of a control plane where a controller runs or may be started."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path) -> None:
        self.plane = plane
        self.client = plane.admin
        self.kubeconfig = kubeconfig
        self._logs = Path(mkdtemp(dir=plane.folder))

    @contextmanager
    def operator(self, *options: str, ready: bool = True) -> Iterator[Running]:
        """Run the controller while the context lasts, ready from the start unless that is not wanted.

        Its log is shown if something fails.
        """
        log = Path(mkdtemp(dir=self._logs), "log")
        namespace = () if any(each.startswith("--namespace") for each in options) else (f"--namespace={NAMESPACE}",)
        with running(self.kubeconfig, log, *PATIENT, *namespace, *options) as controller:
            try:
                if ready:
                    eventually(controller.ready)
                yield controller
            except BaseException as error:
                error.add_note(f"the controller logged:\n{log.read_text('utf-8')[-6000:]}")
                raise

    # -- what is stored

    def get(self, path: str) -> Object | None:
        """What is at the path, or None."""
        try:
            return self.client.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def conditions(self, policy: str) -> dict[str, tuple[str, str]]:
        """Status and reason of each condition of a policy."""
        return {kind: (one["status"], one["reason"]) for kind, one in self.whole_conditions(policy).items()}

    def whole_conditions(self, policy: str) -> dict[str, Object]:
        """Each condition of a policy by its type; none if the policy is not there."""
        found = (self.get(policy) or {}).get("status", {}).get("conditions", [])
        return {one["type"]: one for one in found}

    def message(self, policy: str, kind: str = "Ready") -> str:
        """The message of a condition, or nothing."""
        return str(self.whole_conditions(policy).get(kind, {}).get("message", ""))

    def said(self, policy: str, kind: str, status: str, reason: str = "") -> Object:
        """Wait until a condition of the newest generation of a policy has this status, and this reason if one is given."""

        def answer() -> Object:
            stored = self.client.get(policy)
            found = {one["type"]: one for one in stored.get("status", {}).get("conditions", [])}.get(kind)
            if found is None or found["observedGeneration"] != stored["metadata"]["generation"]:
                return {}
            return found if found["status"] == status and reason in ("", found["reason"]) else {}

        return eventually(answer, 20, shows=lambda: json.dumps(self.get(policy), indent=1))

    def programmed(self, policy: str) -> None:
        """Wait until the chain of a policy is stored."""
        self.said(policy, "Programmed", "True")

    def elements(self, firewall: str, party: str) -> list[str] | None:
        """The elements of a set such as ``group.vc_local``, all shards, in order; None if there is no such set."""
        return elements((self.get(firewall) or {}).get("spec", {}), party)

    def holds(self, firewall: str, party: str, *wanted: str) -> None:
        """Wait until a set has exactly these elements."""
        eventually(
            lambda: self.elements(firewall, party) == sorted(wanted, key=_numeric),
            20,
            shows=lambda: f"wanted {wanted}, there is {json.dumps(self.get(firewall), indent=1)[:4000]}",
        )

    def versions(self, namespace: str = "") -> dict[str, str]:
        """The resourceVersion of every object that the controller writes, in one namespace or in all, by its place."""
        held = {}
        for path in (FIREWALLS, POLICIES):
            # For a moment after its definition changed, the server says of a kind that it is not ready.
            for found in eventually(partial(self._listed, path))[0]:
                metadata = found["metadata"]
                if namespace in ("", metadata["namespace"]):
                    held[f"{path}:{metadata['namespace']}/{metadata['name']}"] = metadata["resourceVersion"]
        return held

    def _listed(self, path: str) -> list[list[Object]]:
        found = self.get(path)
        return [found["items"] if found is not None else []]

    def settled(self, namespace: str = "", seconds: float = 30) -> dict[str, str]:
        """Wait until no version has changed for a while, in one namespace or in all; the versions."""
        held, since = self.versions(namespace), time.monotonic()

        def is_quiet() -> bool:
            nonlocal held, since
            if (found := self.versions(namespace)) != held:
                held, since = found, time.monotonic()
            return time.monotonic() - since >= QUIET

        eventually(is_quiet, seconds, every=0.1, shows=lambda: f"objects are written over and over: {held}")
        return held

    # -- what should be stored

    def state(self) -> list[Object]:
        """Everything that the rules are told about, as the server has it."""
        found: list[Object] = []
        for kind in KINDS:
            prefix = f"/apis/{kind.group}" if kind.group else "/api"
            listed = self.get(f"{prefix}/{kind.version}/{kind.plural}") or {"items": []}
            found += [{**one, "apiVersion": kind.api_version, "kind": kind.name} for one in listed["items"]]
        return found

    def rendered(self) -> dict[tuple[str, str], Object]:
        """What ``render`` gives for that state from scratch: the specs by namespace and name."""
        return specs_of(self.state())

    def written(self) -> dict[tuple[str, str], Object]:
        """What the controller has written: the specs by namespace and name."""
        return {
            (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]
            for one in self.client.list(FIREWALLS, labelSelector=OURS)
        }

    def as_rendered(self, namespace: str = "") -> None:
        """Wait until what is stored is what is rendered, in one namespace or in all."""

        def only(found: Mapping[tuple[str, str], Object]) -> dict[tuple[str, str], Object]:
            return {key: spec for key, spec in found.items() if namespace in ("", key[0])}

        wanted = only(self.rendered())
        eventually(
            lambda: only(self.written()) == wanted,
            15,
            shows=lambda: (
                f"wanted {json.dumps(list(wanted.values()))}\nstored {json.dumps(list(only(self.written()).values()))}"
            ),
        )


def specs_of(state: list[Object]) -> dict[tuple[str, str], Object]:
    """What is rendered for objects: the specs by namespace and name."""
    found: dict[tuple[str, str], Object] = {}
    for table in tables(solve(base_of(state), RENDERED)):
        made: Any = json.loads(json.dumps(chains.firewall_object(table)))
        found[made["metadata"]["namespace"], made["metadata"]["name"]] = made["spec"]
    return found


def elements(spec: Mapping[str, Any], party: str) -> list[str] | None:
    """The elements of all shards of a set, in order; None if there is no such set."""
    sets = [held for held in spec.get("table", {}).get("sets", []) if held["name"].rpartition(".")[0] == party]
    return [entry["key"] for held in sets for entry in held["elements"]] if sets else None


def _numeric(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split("."))


def party(namespace: str) -> str:
    """The name of the sets of a namespace."""
    return f"namespace.{namespace.replace('-', '_')}"
