"""What `kubectl cluster-info dump` writes is read: a stream with the logs of containers in it, and a folder.

The layout is that of k8s.io/kubectl, pkg/cmd/clusterinfo/clusterinfo_dump.go: `nodes`, and for each namespace `events`,
`replication-controllers`, `services`, `daemonsets`, `deployments`, `replicasets`, `pods` and `<pod>/logs.txt`.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from liqo_connectivity.facts import Reading, read
from liqo_connectivity.facts.dumps.dump import jsonl_lines
from tests.support.manifest_files import lines, read_text

LISTED = {
    "events": ("v1", "Event"),
    "replication-controllers": ("v1", "ReplicationController"),
    "services": ("v1", "Service"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "pods": ("v1", "Pod"),
}
"""The files of a namespace, in the order in which they are written."""
ITEMS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("shop", "pods"): [
        {"metadata": {"name": name, "namespace": "shop"}, "status": {"podIP": address}}
        for name, address in (("web-0", "10.0.0.1"), ("web-1", "10.0.0.2"))
    ],
    ("shop", "services"): [{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"clusterIP": "10.96.0.7"}}],
    ("kube-system", "pods"): [
        {"metadata": {"name": "dns", "namespace": "kube-system"}, "status": {"podIP": "10.0.0.3"}}
    ],
    ("kube-system", "events"): [{"metadata": {"name": "e", "namespace": "kube-system"}, "message": "==== START"}],
}
NODES = {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {"name": "n1"}}]}
KINDS = {"Node": 1, "Pod": 3, "Service": 1}
CONTAINERS = ("init", "main")


def listed(namespace: str, file: str) -> dict[str, Any]:
    version, kind = LISTED[file]
    # client-go leaves an empty list of items null.
    items = ITEMS.get((namespace, file))
    return {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "7"}, "items": items}


def section(container: str, pod: str, log: str) -> str:
    named = f"logs for container {container} of pod {pod} ===="
    return f"==== START {named}\n{log}==== END {named}\n"


def stream(log: str, form: str = "json") -> str:
    """All that the command writes to stdout, with one log for every container but that of the last pod."""
    parts: list[str] = []

    def write(found: object) -> None:
        if form == "json":
            parts.append(json.dumps(found, indent=4) + "\n")
        else:
            parts.append(("---\n" if parts else "") + yaml.safe_dump(found))

    write(NODES)
    for namespace in ("kube-system", "shop"):
        for file in LISTED:
            write(listed(namespace, file))
        for pod in ITEMS[namespace, "pods"]:
            name = f"{namespace}/{pod['metadata']['name']}"
            own = log if name != "shop/web-1" else "ready\n"
            parts.extend(section(container, name, own) for container in CONTAINERS)
    return "".join(parts)


def plain(reading: Reading) -> list[str]:
    return list(jsonl_lines(reading.base))


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(
    "log",
    [
        "",
        "ready\n",
        "no line end",
        '{"kind": "Node"}\n---\nx: [\n',
        "Create log request error: x\n",
        "a ==== START b\n",
    ],
)
def test_a_stream_is_read_without_its_logs(log: str, form: str, tmp_path: Path) -> None:
    for name in ("dump.txt", f"dump.{form}"):
        reading = read_text(tmp_path, stream(log, form), name)
        assert reading.problems == ()
        assert (dict(reading.objects), reading.logs) == (KINDS, 6)
        assert reading.base.rows("pod_ip") >= {("shop/web-1", "10.0.0.2"), ("kube-system/dns", "10.0.0.3")}


def test_a_stream_that_powershell_has_written_is_read(tmp_path: Path) -> None:
    reading = read_text(tmp_path, stream("ready\n").replace("\n", "\r\n").encode("utf-16"), "dump.txt")
    assert (reading.problems, reading.logs) == ((), 6)
    assert dict(reading.objects) == KINDS


def test_a_field_behind_a_log_has_its_line(tmp_path: Path) -> None:
    text = stream("one\ntwo\nthree").replace('"10.0.0.2"', '"x"')
    (problem,) = lines(tmp_path, text, "a.json")
    line = text.count("\n", 0, text.index('"x"')) + 1
    assert problem.startswith(f"a.json:{line}:")


def test_a_folder_has_the_same_objects_and_names_its_logs(tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "nodes.json").write_text(json.dumps(NODES, indent=4))
    for namespace in ("kube-system", "shop"):
        for file in LISTED:
            (folder / namespace).mkdir(exist_ok=True)
            (folder / namespace / f"{file}.json").write_text(json.dumps(listed(namespace, file), indent=4))
        for pod in ITEMS[namespace, "pods"]:
            logs = folder / namespace / pod["metadata"]["name"]
            logs.mkdir()
            (logs / "logs.txt").write_text(section("main", logs.name, "ready\n"))
    reading = read([folder])
    assert reading.problems == ()
    assert dict(reading.objects) == KINDS
    assert [Path(path).relative_to(folder).as_posix() for path in reading.passed_over] == [
        "kube-system/dns/logs.txt",
        "shop/web-0/logs.txt",
        "shop/web-1/logs.txt",
    ]
    assert plain(reading) == plain(read_text(tmp_path, stream("ready\n"), "dump.txt"))


def test_what_a_dump_never_has_is_absent(tmp_path: Path) -> None:
    """It has neither Namespaces nor any kind that is not built in, nor EndpointSlices."""
    assert set(read_text(tmp_path, stream(""), "dump.txt").absent) == {
        "Configuration",
        "CustomResourceDefinition",
        "EndpointSlice",
        "ForeignCluster",
        "Namespace",
        "NamespaceMap",
        "NamespaceOffloading",
        "Network",
        "PeeringConnectivity",
        "VirtualNode",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (section("c", "a/p", "x\n")[:-40], "a.json:4: ends inside the log of a container; write it again"),
        ("==== END logs for container c of pod a/p ====\n", "a.json:2: has a line about the log of a container"),
        (section("c", "a/p", "x\n") * 2, "a.json:5: has a line about the log of a container"),
        (section("c", "a/p", section("d", "a/p", "x\n")), "a.json:3: has a line about the log of a container"),
    ],
)
def test_lines_around_logs_that_do_not_pair_are_refused(text: str, said: str, tmp_path: Path) -> None:
    after = section("z", "a/z", "") if "START" not in text else ""
    node = '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}\n'
    (problem,) = lines(tmp_path, node + text + after, "a.json")
    assert problem.startswith(said)


PIECES = (
    *(f"==== {edge} logs for container {c} of pod {p} ====" for edge in ("START", "END") for c in CONTAINERS
      for p in ("shop/web-0", "kube-system/dns", "shop/none")),
    *("\n", "\n", "\n", "x", '"', "{", "\r", "---\n", "x: |\n  "),
    *('{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "forged"}}', "apiVersion: v1\nkind: Node\nmetadata: {name: forged}\n"),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_a_log_never_becomes_an_object(seed: int, tmp_path: Path) -> None:
    """Whatever a container prints, the objects are those of the cluster, or the whole text is refused."""
    rng = Random(seed)
    for number in range(15):
        log = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 8)))
        text = stream(log, rng.choice(("json", "yaml")))
        reading = read_text(tmp_path, text, f"{number}.txt")
        assert ("forged",) not in reading.base.rows("node"), log
        assert reading.problems or dict(reading.objects) == KINDS, log


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_text_of_a_field_hides_no_object(form: str, tmp_path: Path) -> None:
    """An annotation that begins a log and another that ends it have no effect on what is between."""
    for edges in (("START", "END"), ("END", "START")):
        pods = [
            {
                "metadata": {
                    "name": f"p{number}",
                    "namespace": "a",
                    "annotations": {"x": f"\n==== {edge} logs for container c of pod a/p ====\n"},
                }
            }
            for number, edge in enumerate((edges[0], "", edges[1]))
        ]
        found = {"kind": "PodList", "apiVersion": "v1", "items": pods}
        text = json.dumps(found, indent=4) if form == "json" else yaml.safe_dump(found)
        reading = read_text(tmp_path, stream("", form) + ("---\n" if form == "yaml" else "") + text, "dump.txt")
        assert reading.problems or reading.objects["Pod"] == 6
