"""``python -m benchmarks.snapshot``: how long a whole snapshot takes, beside a plain parse of the same file.

The bound: a command takes at most three times as long as the plain parse, and two seconds. Exits with 1 when it is
missed. Whole child processes are measured, with the start of Python and all imports.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks import cluster
from benchmarks.measure import Run, interleaved, python

FACTOR, EXTRA_SECONDS = 3, 2.0
PARSE_JSON = "import json, sys; json.load(open(sys.argv[1]))"
PARSE_YAML = "import sys, yaml; list(yaml.load_all(open(sys.argv[1]), Loader=yaml.CSafeLoader))"
WHY_EXITS = (0, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """A command on a file beside the plain parse."""

    file: str
    command: str
    seconds: float
    parse_seconds: float
    bound_seconds: float
    peak_megabytes: int

    @property
    def holds(self) -> bool:
        return self.seconds <= self.bound_seconds


def write_json(pods: int, path: Path) -> None:
    """Write a cluster of pods of real size as one JSON List, as kubectl does."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n"apiVersion": "v1",\n"kind": "List",\n"items": [\n')
        for number, item in enumerate(_items(pods)):
            file.write((",\n" if number else "") + json.dumps(item, indent=4))
        file.write("\n]\n}\n")


def write_yaml(pods: int, path: Path) -> None:
    """Write a cluster of pods of real size as one YAML List, as kubectl does."""
    with path.open("w", encoding="utf-8") as file:
        file.write("apiVersion: v1\nkind: List\nitems:\n")
        for item in _items(pods):
            file.write(yaml.dump([item], Dumper=yaml.CSafeDumper))


def _items(pods: int) -> Iterator[cluster.Object]:
    # One at a time: what this process holds would count as the peak memory of its children.
    return (cluster.padded(o) if o["kind"] == "Pod" else o for o in cluster.objects(pods))


def measure(pods: int, yaml_pods: int, rounds: int) -> list[Row]:
    """Measure render and why on a JSON and a YAML snapshot. Raises ChildError."""
    with TemporaryDirectory() as folder:
        files = {"json": Path(folder, "cluster.json"), "yaml": Path(folder, "cluster.yaml")}
        write_json(pods, files["json"])
        write_yaml(yaml_pods, files["yaml"])
        rows: list[Row] = []
        for kind, parse in (("json", PARSE_JSON), ("yaml", PARSE_YAML)):
            path = str(files[kind])
            tool = ("-m", "liqo_connectivity")
            best = interleaved(
                {
                    "parse": python("-c", parse, path),
                    "render": python(*tool, "render", "-f", path),
                    "why": python(*tool, "why", "shop/pod-0", "shop/pod-12", "-f", path),
                },
                rounds,
                WHY_EXITS,
            )
            rows += [_row(kind, command, best[command], best["parse"]) for command in ("render", "why")]
        return rows


def _row(kind: str, command: str, done: Run, parse: Run) -> Row:
    bound = FACTOR * parse.seconds + EXTRA_SECONDS
    return Row(kind, command, done.seconds, parse.seconds, bound, done.peak_bytes >> 20)


def main() -> int:
    """Measure and print; give the exit code."""
    parser = ArgumentParser(prog="python -m benchmarks.snapshot", description=__doc__)
    parser.add_argument("--pods", type=int, default=10_000, help="pods of the JSON snapshot (default 10000)")
    parser.add_argument("--yaml-pods", type=int, default=1_000, help="pods of the YAML snapshot (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved runs, of which the quickest counts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    rows = measure(given.pods, given.yaml_pods, given.rounds)
    if given.json:
        print(json.dumps([{**asdict(row), "holds": row.holds} for row in rows], indent=2))
    else:
        print(f"JSON: {given.pods} pods of 6 KB; YAML: {given.yaml_pods}; quickest of {given.rounds} interleaved runs")
        print(f"{'file':5} {'command':8} {'seconds':>8} {'parse':>8} {'ratio':>6} {'bound':>8} {'peak MB':>8}")
        for row in rows:
            ratio = row.seconds / row.parse_seconds
            print(
                f"{row.file:5} {row.command:8} {row.seconds:8.2f} {row.parse_seconds:8.2f} {ratio:6.2f} "
                f"{row.bound_seconds:8.2f} {row.peak_megabytes:8}" + ("" if row.holds else "  MISSED")
            )
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
