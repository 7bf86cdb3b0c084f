"""Certificates of real answers hold, whatever is asked, and say what was checked."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from liqo_connectivity import checker
from liqo_connectivity.engine import Explainer, Model
from liqo_connectivity.facts.dumps.dump import jsonl_lines
from liqo_connectivity.operator.explain import answer
from liqo_connectivity.operator.explain.document.answer import answer_document
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port
from liqo_connectivity.operator.explain.flows import for_all_ports
from liqo_connectivity.operator.sources.input import AGENT, LIQO, NFTABLES
from liqo_connectivity.operator.sources.question import Question, question
from liqo_connectivity.rules.program import builtin_texts
from liqo_connectivity.rules.relations import Enforcer, Flow, FlowPort
from tests.support.certificates import FLOWS, RULES, SCHEMA, call, certificate, derives, dump, facts, nodes
from tests.support.clusters import base_of, example, solve
from tests.support.descriptions import Traffic
from tests.support.dump_lines import whole
from tests.support.manifests import objects


@pytest.mark.parametrize("name", FLOWS)
def test_the_certificate_of_an_answer_holds(name: str) -> None:
    document = certificate(name)
    found = checker.check(document, RULES, facts(), SCHEMA)
    assert found.verdict == document["verdict"]
    assert found.peerings == tuple(p["peering"] for p in document["peerings"])
    steps = [step for p in document["peerings"] for step in p["proof"]["steps"]]
    assert found.steps + found.facts == len(steps)
    assert bool(found.steps) == bool(found.peerings)
    assert found.absences == sum("absent" in node for _, node in nodes(document))


def test_the_certificate_of_what_is_not_known_holds(tmp_path: Path) -> None:
    """Without the peering's CIDR its policy is pending; and a pod without an address has no verdict at all."""
    lines = [line for line in dump().read_text().splitlines(keepends=True) if '"network_status_cidr"' not in line]
    lines = [line for line in lines if not ('"pod_ip"' in line and '"shop/web-3"' in line)]
    path = tmp_path / "facts.jsonl"
    lines = whole(lines)
    path.write_text("".join(lines))
    read = checker.read_facts(lines, RULES)
    for flow in (("shop/web-0", "shop/web-2"), ("shop/web-3", "shop/web-2")):
        code, text = call("why", *flow, "-f", str(path), "-o", "json")
        assert code == 3
        document = json.loads(text)
        assert checker.check(document, RULES, read, SCHEMA).verdict == "unknown"
        document["unknown"].pop()
        with pytest.raises(checker.RejectedError, match="unknown"):
            checker.check(document, RULES, read, SCHEMA)


@pytest.mark.parametrize("seed", range(25))
def test_the_certificates_of_random_clusters_hold(seed: int) -> None:
    described, flows = example(seed, 5)
    base = base_of(objects(described))
    read = checker.read_facts([f"{line}\n" for line in jsonl_lines(base)], RULES)
    enforcer = (LIQO, NFTABLES, AGENT)[seed % 3]
    loads = [] if enforcer == LIQO else [Enforcer(enforcer)]

    def solved(goals: Iterable[str], asked: Iterable[Question] = ()) -> Model:
        asked = list(asked)
        facts: list[Flow | FlowPort] = [q.flow for q in asked]
        facts += [q.port for q in asked if q.port is not None]
        return solve(base, goals, [*loads, *facts])

    # Services are asked about by `why` itself in the tests of genuine answers: it asks about their endpoints.
    rewritten = {address for _, address in base.rows("service_ip")}
    for state in ("new", "established"):
        # Asked together, as the pairs of two groups are: a proof may mention another question.
        asked = [_asked(flow) for flow in flows if flow.state == state and flow.destination not in rewritten]
        parts = {q.pair: [q] for q in asked if q.port is not None}
        for each in for_all_ports(solved, base, list({q.pair: q for q in asked if q.port is None}.values())):
            parts.setdefault(each.pair, []).append(each)
        explainer = Explainer(solved(answer.RELATIONS, [q for own in parts.values() for q in own]))
        for own in parts.values():
            flow, port = own[0].flow, own[0].port if own[0].ports is None else None
            start, end = (Endpoint(f"ip:{ip}", "ip", ip) for ip in (flow.source, flow.destination))
            found = answer.make(explainer, base, own, start, end, Port(port.port, port.protocol) if port else None)
            found = answer.with_every_proof(found, explainer)._replace(enforcer=enforcer)
            document = json.loads(json.dumps(answer_document(found)))
            assert checker.check(document, RULES, read, SCHEMA).verdict == document["verdict"]


def _asked(flow: Traffic) -> Question:
    # Nobody can ask about a protocol of no name alone.
    port = (flow.port, flow.protocol) if flow.protocol not in ("", "other") else None
    return question(flow.source, flow.destination, flow.state, port)


def test_all_proofs_of_a_certificate_are_checked() -> None:
    document = certificate("allowed", 3)
    one = checker.check(certificate("allowed"), RULES, facts(), SCHEMA)
    assert checker.check(document, RULES, facts(), SCHEMA).steps > 2 * one.steps
    steps = document["peerings"][0]["alternatives"][1]["steps"]
    step = next(step for step in steps if step["relation"] == "policy_party_group")
    step["sources"][0]["name"] = "other"
    with pytest.raises(checker.RejectedError, match=f"^/peerings/0/alternatives/1/steps/{step['step']} "):
        checker.check(document, RULES, facts(), SCHEMA)


def test_that_a_proof_is_the_lowest_is_not_checked() -> None:
    """It is said about the search, and nothing that is claimed follows from it."""
    document = certificate("denied")
    assert document["peerings"][0]["proof"]["minimal"] is True
    document["peerings"][0]["proof"]["minimal"] = False
    assert checker.check(document, RULES, facts(), SCHEMA).verdict == "denied"


def test_between_groups_only_a_denial_is_shown() -> None:
    code, text = call("why", "group:vc-remote@milan", "group:vc-local@milan", "-f", str(dump()), "-o", "json")
    assert code == 0
    with pytest.raises(checker.NotShownError, match="shows a denial only"):
        checker.check(json.loads(text), RULES, facts(), SCHEMA)


# ---- Other facts, other rules ----


def without(*words: str) -> list[str]:
    return whole(
        line for line in dump().read_text().splitlines(keepends=True) if not all(word in line for word in words)
    )


def fact(relation: str, *row: str | int) -> str:
    source = dict.fromkeys(("kind", "namespace", "name", "uid", "resourceVersion", "field", "value"), "x")
    return json.dumps({"relation": relation, "row": row, "source": source}) + "\n"


def test_a_fact_that_is_gone_is_missed() -> None:
    read = checker.read_facts(without('"pod_node"', '"shop/web-0"'), RULES)
    with pytest.raises(checker.RejectedError, match=r"pod_node\(.*\): it has no rule, and the facts do not hold it"):
        checker.check(certificate("allowed"), RULES, read, SCHEMA)


def test_a_fact_that_is_new_breaks_an_absence() -> None:
    lines = whole([*without("nothing"), fact("policy_terminating", "liqo-tenant-milan/milan")])
    document = certificate("allowed")
    with pytest.raises(checker.RejectedError, match=r"no policy_terminating.*follows") as caught:
        checker.check(document, RULES, checker.read_facts(lines, RULES), SCHEMA)
    candidate = next(step for step in document["peerings"][0]["proof"]["steps"] if derives("candidate")(step))
    assert caught.value.pointer.startswith(f"/peerings/0/proof/steps/{candidate['step']}/premises/")


def test_a_rule_that_is_new_breaks_an_absence() -> None:
    """The certificate does not list closed-world evidence: the checker derives it from the rules that the user trusts."""
    rules = checker.read_rules({**builtin_texts(), "mine.dl": 'member(P, "vc-local", A) :- peering(P), pod_ip(_, A).'})
    with pytest.raises(checker.RejectedError, match=r"min Matching : .*: this is not true"):
        checker.check(certificate("denied"), rules, facts(), SCHEMA)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "line 0: the dump is empty"),
        (["{}\n"], "line 1: is not the header"),
        (["HEADER\n", "x\n"], "line 2: is not JSON"),
        (["HEADER\n", "[]\n"], "line 2: is not an object"),
        (["HEADER\n", fact("flow", "f", "1.1.1.1", "2.2.2.2", "new")], "line 2: names no relation that objects assert"),
        (["HEADER\n", fact("governs", "m", "p", "f")], "line 2: names no relation"),
        (["HEADER\n", fact("pod", "a/b")], "line 2: is not a row of pod"),
        (["HEADER\n", fact("pod", "a/b", 1)], "line 2: is not a row of pod"),
        (["HEADER\n", fact("policy_rule", "a/b", True)], "line 2: is not a row of policy_rule"),
        (["HEADER\n", fact("pod", "a/b", "a").strip()], "line 2: the dump ends inside a line"),
        (["HEADER\n", '{"relation": "pod", "row": ["a/b", "a"]}\n'], "line 2: has no source"),
        (["HEADER\n", fact("pod", "a/b", "a")], "line 2: the dump has no end"),
        (["HEADER\n"], "line 1: the dump has no end"),
        (
            ["HEADER\n", fact("pod", "a/b", "a"), '{"facts":2}\n'],
            "line 3: the dump has 1 facts, and not as many as it says",
        ),
        (["HEADER\n", '{"facts":true}\n'], "line 2: the dump has 0 facts"),
        (["HEADER\n", '{"facts":0}\n', fact("pod", "a/b", "a")], "line 3: comes after the end of the dump"),
        (["HEADER\n", '{"facts":0,"x":1}\n'], "line 2: names no relation"),
        (
            ['{"format":"liqo-connectivity-facts","version":1}\n'],
            "line 1: is not the header of a facts dump of version 2",
        ),
    ],
)
def test_a_damaged_dump_is_refused(lines: list[str], problem: str) -> None:
    header = '{"format":"liqo-connectivity-facts","version":2}'
    with pytest.raises(checker.DumpError, match=problem):
        checker.read_facts([line.replace("HEADER", header) for line in lines], RULES)
