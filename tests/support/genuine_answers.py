"""Whether the checker accepts what `why -o json` itself answers, about random clusters with Services of every sort.

Services share addresses, have no endpoints, or some that could not be read, rewrite ports, and have node ports; they are asked
about by name, by address, with a port and without. Policies have every field, and either Liqo's agents or nft enforce.
"""

import json
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from liqo_connectivity import checker
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.cli import run
from liqo_connectivity.rules import program
from tests.support.certificates import RULES, SCHEMA
from tests.support.clusters import example
from tests.support.descriptions import Cluster
from tests.support.draws import canonical_address, chance
from tests.support.manifests import objects

QUESTIONS: Final = 8
PORTS: Final = ((80, "TCP"), (80, "UDP"), (53, "UDP"), (443, "TCP"), (8080, "SCTP"))
NODE_PORT: Final = 30080
SHARED: Final = ("198.51.100.7", "198.51.100.8", "10.96.0.200")
"""Addresses that several Services may have at once."""

_builtin = cache(program.builtin)


def refused(seed: int) -> list[str]:
    """What the checker says against genuine answers about the cluster of a seed; nothing if it accepts them all.

    It may say that a claim about several pairs of addresses is not shown.
    """
    rng = Random(f"genuine {seed}")
    described, flows = example(seed, QUESTIONS)
    found = [*objects(described), *_services(rng, described)]
    with TemporaryDirectory() as folder, patch.object(program, "builtin", _builtin):
        path = Path(folder, "cluster.json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))
        given = ["-f", str(path), *(["--assume-complete"] if chance(rng, 0.8) else [])]
        dump = _said("facts", "dump", *given)[1]
        facts = checker.read_facts(dump.splitlines(keepends=True), RULES)
        wrong: list[str] = []
        for source, destination, state, *_ in flows:
            asked = _question(rng, described, found, source, destination)
            several = ["--proofs", "3"] if chance(rng, 0.2) else []
            several += ["--enforcer", rng.choice(("liqo", "nftables", "agent"))]
            code, text = _said("why", *asked, *given, "--state", state, "-o", "json", *several)
            if code in (exits.OK, exits.DENIED, exits.UNKNOWN):
                wrong += [f"{' '.join(asked)} --state {state}: {line}" for line in _against(text, facts)]
            elif code != exits.USAGE:
                wrong.append(f"{' '.join(asked)}: exit code {code}")
    return wrong


def _said(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        code = run(list(arguments))
    return code, out.getvalue()


def _against(text: str, facts: checker.SourcedFacts) -> list[str]:
    document = json.loads(text)
    try:
        found = checker.check(checker.read_certificate(text), RULES, facts, SCHEMA)
    except checker.NotShownError as error:
        return [] if sum(document["pairs"].values()) > 1 or _is_group(document) else [str(error)]
    except checker.RejectedError as error:
        return [str(error)]
    return [] if found.verdict == document["verdict"] else [f"it is found to say {found.verdict}"]


def _is_group(document: Any) -> bool:
    return any(document[side]["endpoint"].startswith("group:") for side in ("source", "destination"))


def _question(rng: Random, described: Cluster, found: list[Any], source: str, destination: str) -> tuple[str, str]:
    pods = [f"{pod.namespace}/{pod.name}" for pod in described.pods]
    groups = [f"group:{name}@{rng.choice(described.foreign_clusters).cluster}" for name in ("vc-local", "vc-remote")]
    services = [one for one in found if one["kind"] == "Service"]
    names = [f"{one['metadata']['namespace']}/svc/{one['metadata']['name']}" for one in services]
    addresses = [f"ip:{address}" for one in services for address in _addresses_of(one)]
    starts = [f"ip:{source}", f"ip:{source}", rng.choice(pods), rng.choice(pods), rng.choice(groups)]
    ends = [
        f"ip:{destination}",
        rng.choice(pods),
        *(rng.choice(some) for some in (names, addresses, addresses) if some),
    ]
    nodes = [f"ip:{address}" for node in described.nodes for address in node.addresses]
    ends += [rng.choice(nodes)] if nodes and chance(rng, 0.3) else []
    number, protocol = rng.choice((*PORTS, (NODE_PORT, "TCP")))
    port = rng.choice((f":{number}/{protocol.lower()}", ":icmp")) if chance(rng, 0.3) else ""
    start, end = rng.choice(starts), rng.choice(ends)
    return start, f"ip:[{end.removeprefix('ip:')}]{port}" if port and end.count(":") > 1 else end + port


def _addresses_of(service: Any) -> list[str]:
    spec = service.get("spec", {})
    return [text for text in (spec.get("clusterIP", "None"), *spec.get("externalIPs", ())) if text != "None"]


def _services(rng: Random, described: Cluster) -> list[Any]:
    own = [canonical_address(address) for pod in described.pods for address in pod.addresses]
    found: list[Any] = []
    for number in range(rng.randint(1, 4)):
        name, namespace = f"made-{number}", rng.choice(("shop", "infra"))
        externals: list[str] = [*rng.sample(SHARED, rng.randint(0, 2))]
        if own and chance(rng, 0.1):
            externals.append(rng.choice(own))
        drawn = rng.sample(PORTS, rng.randint(1, 3))
        ports: list[Any] = [{"name": f"p{n}", "port": port, "protocol": of} for n, (port, of) in enumerate(drawn)]
        node_port = chance(rng, 0.3) and drawn[0][1] == "TCP"
        if node_port:
            ports[0]["nodePort"] = NODE_PORT
        cluster_ip = "None" if chance(rng, 0.2) else f"10.96.1.{number}"
        spec: Any = {"clusterIP": cluster_ip, "externalIPs": externals, "ports": ports}
        if node_port:
            spec["type"] = "NodePort"
        if chance(rng, 0.05):
            spec = {"clusterIP": 7}
        found.append(_made("v1", "Service", namespace, name, spec=spec))
        if externals and chance(rng, 0.2):
            ingress = [{"ip": externals[0], "ipMode": "Proxy"}]
            found[-1]["status"] = {"loadBalancer": {"ingress": ingress}}
        for part in range(rng.choice((0, 1, 1, 2))):
            some = rng.sample(own, min(len(own), rng.randint(0, 3)))
            endpoints: Any = 7 if chance(rng, 0.05) else [{"addresses": [address]} for address in some]
            labels = {"kubernetes.io/service-name": name}
            made = _made("discovery.k8s.io/v1", "EndpointSlice", namespace, f"{name}-{part}", endpoints=endpoints)
            made["metadata"]["labels"] = labels
            # Nodes rewrite a port to that of its name, if the list has one.
            made["ports"] = [{**one, "port": rng.choice(PORTS)[0]} for one in ports if chance(rng, 0.8)]
            for one in made["ports"]:
                one.pop("nodePort", None)
            found.append(made)
    return found


def _made(version: str, kind: str, namespace: str, name: str, **fields: Any) -> Any:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **fields}
