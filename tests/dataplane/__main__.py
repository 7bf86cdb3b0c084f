"""Run by ``make truth``: real packets in network namespaces of our own, and whether the kernel does with them what ``why`` says.

It goes on until there are enough probes or the time is up, then prints the seeds, the rate and what was wrong. Each
disagreement is made smaller and written to ``build/truth/``, from where it can be moved to ``tests/data/dataplane/``. The exit
status is 1 if there was one, and 2 if the harness itself failed: then nothing is known.
"""

import gc
import json
import os
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.dataplane import campaign, cases, mutation
from tests.support.checkout import ROOT

FOLDER: Final = ROOT / "build" / "truth"
APART: Final = 1_000_000
"""How far the first seeds of two processes are from each other."""
SHRUNK: Final = 3
"""How many disagreements are made smaller; the others are only named."""


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.dataplane", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="cases to try again, and nothing else")
    parser.add_argument("--probes", type=int, default=2_000_000, help="how many are enough (default: %(default)s)")
    parser.add_argument("--mutants", type=int, help="try the harness itself on so many rulesets with a mistake")
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: one for each CPU")
    parser.add_argument("--parts", action="store_true", help="chains in parts for Liqo's agents, and no others")
    parser.add_argument("--inside", type=int, help="the number of this process, which is in its own namespaces")
    options = parser.parse_args(arguments)
    if options.inside is None:
        return _parent(options)
    # On one CPU a fence stays behind what was sent before it.
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[options.inside % len(cpus)]})
    # Almost nothing here is a cycle: looking for them, as often as Python does, takes a third of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    print(json.dumps(_tried(options) if options.files else _bred(options) if options.mutants else _sent(options)))
    return 0


def _parent(options: Namespace) -> int:
    """Start the processes, each in its own namespaces, and sum up what they found."""
    begin, count = time.monotonic(), 1 if options.files else options.processes
    children: list[subprocess.Popen[str]] = []
    for number in range(count):
        first = options.seed + APART * number
        given = [
            "--seed",
            first,
            "--seconds",
            options.seconds,
            "--probes",
            -(-options.probes // count),
            "--inside",
            number,
        ]
        if options.mutants:
            given += ["--mutants", -(-options.mutants // count)]
        if options.parts:
            given.append("--parts")
        command = [sys.executable, "-m", "tests.dataplane", *map(str, (*given, *map(Path.resolve, options.files)))]
        children.append(subprocess.Popen(["unshare", "-rnm", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True))
    said = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        print("truth: the harness failed: either namespaces are forbidden here, or a probe was lost", file=sys.stderr)
        return 2
    found: list[dict[str, Any]] = [json.loads(text) for text in said]
    for each in found:
        print("\n".join([f"truth: {each['what']}: {_listed(each['counts'])}", *each["wrong"]]))
    total, seconds = sum((Counter(each["counts"]) for each in found), Counter[str]()), time.monotonic() - begin
    wrong = sum(each["disagreements"] for each in found)
    rate = f", {total['probes'] / seconds:.0f}/s" if "probes" in total else ""
    print(f"truth: {_listed(total)} in {seconds:.1f} s{rate}; {wrong} disagreements")
    return 1 if wrong else 0


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _sent(options: Namespace) -> dict[str, Any]:
    tally, seeds = campaign.run(options.seed, options.probes, options.seconds, divided=options.parts)
    lines = [
        f"{case.name}, nft {case.nft}, agent {case.agent}, parts {case.parts}: {case.traffic}: {case.kind}: {case.became}"
        for case in tally.wrong
    ]
    for number, case in enumerate(tally.wrong[:SHRUNK]):
        small = cases.smaller(case)
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / f"seed-{seeds[-1]}-{number}.json"
        file.write_text(cases.written(small), "utf-8")
        lines.append(f"{file.relative_to(ROOT)}:\n{cases.report(small)}")
    counts = {"probes": tally.probes, "policies": tally.policies, "changes of sets alone": tally.refilled}
    counts["chains in parts"] = tally.divided
    counts |= {f"topologies ({kind})": count for kind, count in sorted(tally.topologies.items())}
    counts |= {f"of kind {kind}": count for kind, count in tally.kinds.items()}
    counts |= {f"by way of {path}": count for path, count in sorted(tally.paths.items())}
    counts |= {f"of form {form}": count for form, count in tally.forms.items()}
    counts |= {f"flows {verdict}": count for verdict, count in sorted(tally.told.items())}
    return _found(f"seeds {seeds[0]} to {seeds[-1]}", counts, lines, len(tally.wrong))


def _bred(options: Namespace) -> dict[str, Any]:
    score, seeds = mutation.run(options.seed, options.mutants, options.seconds, divided=options.parts)
    counts = {"mutants": score.tried, "killed": score.killed.total(), "harmless": score.harmless.total()}
    counts |= {
        "in federations": score.meshes,
        "of chains in parts": score.divided,
        "that cut tunnels and were not sent": score.unsent,
    }
    counts |= {f"of {kind}": count for kind, count in sorted(score.killed.items())}
    return _found(f"seeds {seeds[0]} to {seeds[-1]}", counts, score.wrong, len(score.wrong))


def _tried(options: Namespace) -> dict[str, Any]:
    found = [(file, cases.complaints(cases.read(file))) for file in options.files]
    lines = [f"{file}: {line}" for file, wrong in found for line in wrong]
    return _found("cases", {"cases": len(found)}, lines, len(lines))


def _found(what: str, counts: dict[str, int], wrong: list[str], disagreements: int) -> dict[str, Any]:
    return {"what": what, "counts": counts, "wrong": wrong, "disagreements": disagreements}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
