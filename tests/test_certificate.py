"""Certificates: those of real answers hold, and whatever is changed in one, its first bad node is named."""

import copy
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from gzip import decompress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from checkout import run as run_child
from clusters import VERDICTS, base_of, example, questions, solve
from manifests import objects

from liqo_connectivity import checker
from liqo_connectivity.facts.dump import jsonl_lines
from liqo_connectivity.operator import answer
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.endpoints import Endpoint
from liqo_connectivity.rules.program import builtin_texts
from liqo_connectivity.rules.relations import Flow

ROOT = Path(__file__).parent.parent
POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan, uid: "1", resourceVersion: "2", creationTimestamp: "2026-11-22T23:50:00Z"}
spec:
  rules:
  - {source: {group: vc-remote}, destination: {group: vc-local}, action: allow}
  - {source: {group: remote-cluster}, destination: {namespace: infra}, action: deny}
  - {source: {group: remote-cluster}, action: deny}
"""
FLOWS = {
    "allowed": ("shop/web-0", "shop/web-2"),
    "denied": ("shop/web-0", "infra/dns-0:53/udp"),
    "default": ("shop/web-2", "shop/web-0"),
    "established": ("shop/web-0", "infra/dns-0", "--state", "established"),
    "ungoverned": ("ip:1.1.1.1", "ip:2.2.2.2"),
    "ungoverned-v6": ("ip:fd00::1", "ip:FD00:0:0::2"),
    "group-denied": ("group:vc-remote@milan", "group:local-cluster@milan"),
}
RULES = checker.read_rules(builtin_texts())


def call(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    with redirect_stdout(out):
        code = run(list(arguments))
    return code, out.getvalue()


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The facts of the recorded cluster ``rome`` with a policy for its peering."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "rome.yaml").write_bytes(decompress((ROOT / "tests" / "snapshots" / "rome.yaml.gz").read_bytes()))
    (folder / "policy.yaml").write_text(POLICY)
    code, text = call("facts", "dump", "-f", str(folder))
    assert code == 0
    (folder / "facts.jsonl").write_text(text)
    return folder / "facts.jsonl"


@pytest.fixture(scope="module")
def certificates(dump: Path) -> dict[str, Any]:
    return {name: json.loads(call("why", *flow, "-f", str(dump), "-o", "json")[1]) for name, flow in FLOWS.items()}


@pytest.fixture(scope="module")
def facts(dump: Path) -> checker.Facts:
    return checker.read_facts(dump.read_text().splitlines(keepends=True), RULES)


# ---- What is right ----


@pytest.mark.parametrize("name", FLOWS)
def test_the_certificate_of_an_answer_holds(name: str, certificates: dict[str, Any], facts: checker.Facts) -> None:
    found = checker.check(certificates[name], RULES, facts)
    assert found.verdict == certificates[name]["verdict"]
    assert found.peerings == tuple(p["peering"] for p in certificates[name]["peerings"])
    assert bool(found.steps) == bool(found.peerings)


def test_the_certificate_of_what_is_not_known_holds(dump: Path, tmp_path: Path) -> None:
    """Without the peering's CIDR its policy is pending; and a pod without an address has no verdict at all."""
    lines = [line for line in dump.read_text().splitlines(keepends=True) if '"network_status_cidr"' not in line]
    lines = [line for line in lines if not ('"pod_ip"' in line and '"shop/web-3"' in line)]
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(lines))
    read = checker.read_facts(lines, RULES)
    for flow in (("shop/web-0", "shop/web-2"), ("shop/web-3", "shop/web-2")):
        code, text = call("why", *flow, "-f", str(path), "-o", "json")
        assert code == 3
        document = json.loads(text)
        assert checker.check(document, RULES, read).verdict == "unknown"
        document["unknown"].pop()
        with pytest.raises(checker.RejectedError, match="unknown"):
            checker.check(document, RULES, read)


@pytest.mark.parametrize("seed", range(25))
def test_the_certificates_of_random_clusters_hold(seed: int) -> None:
    described, asked = example(seed, 12)
    base = base_of(objects(described))
    flows = list(dict.fromkeys(Flow(f"{q.source} -> {q.destination}", *q[1:]) for q in questions(asked)))
    read = checker.read_facts([f"{line}\n" for line in jsonl_lines(base)], RULES)
    for state in ("new", "established"):
        # Asked together, as the pairs of two groups are: a proof may mention another question.
        together = [flow for flow in flows if flow.state == state]
        model = solve(base, VERDICTS, together)
        for flow in together:
            source, destination = (Endpoint(f"ip:{ip}", "ip", ip) for ip in (flow.source, flow.destination))
            document = json.loads(
                json.dumps(answer.to_json(answer.make(model, base, [flow], source, destination, None)))
            )
            document["pairs"] = {verdict: int(verdict == document["verdict"]) for verdict in document["pairs"]}
            assert checker.check(document, RULES, read).verdict == document["verdict"]


# ---- What is wrong ----


def nodes(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every object of a document with its pointer, in reading order."""
    if isinstance(node, dict):
        yield place, node
        for name, value in node.items():
            yield from nodes(value, f"{place}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from nodes(value, f"{place}/{number}")


def first(document: Any, wanted: Callable[[Any], bool]) -> tuple[str, Any]:
    return next((place, node) for place, node in nodes(document) if wanted(node))


def derives(relation: str) -> Callable[[Any], bool]:
    return lambda node: node.get("relation") == relation and "rule" in node


def swap_premises(d: Any) -> str:
    place, node = first(d, derives("matches"))
    node["premises"].reverse()
    return f"{place}/premises/0"


def change_a_row(d: Any) -> str:
    place, node = first(d, lambda n: n.get("relation") == "policy_party_group")
    node["row"][3] = "vc-local"
    return place


def drop_a_leaf(d: Any) -> str:
    place, node = first(d, derives("party_group"))
    node["premises"].pop()
    return place


def forge_a_fact(d: Any) -> str:
    """The whole subtree is claimed to be a fact."""
    place, node = first(d, derives("party_group"))
    del node["rule"], node["premises"]
    node |= {"height": 0, "sources": first(d, lambda n: "sources" in n and n["sources"])[1]["sources"]}
    return str(place)


def forge_a_leaf(d: Any) -> str:
    """Both the leaf and all that follows from it say the same, only the facts do not."""
    d["peerings"] = json.loads(json.dumps(d["peerings"]).replace("infra/dns-0", "infra/dns-9"))
    return first(d, lambda n: "sources" in n and "infra/dns-9" in n["row"])[0]


def invent_a_rule(d: Any) -> str:
    place, node = first(d, derives("peering_verdict"))
    node["rule"]["text"] = node["rule"]["text"].replace(":-", ':- "a" = "a",')
    return place


def point_to_another_rule(d: Any) -> str:
    place, node = first(d, derives("matches"))
    node["rule"]["line"] += 1
    return place


def use_another_rule(d: Any) -> str:
    place, node = first(d, derives("side_matches"))
    node["rule"] = first(d, derives("in_group"))[1]["rule"]
    return place


def leave_a_peering_out(d: Any) -> str:
    d["peerings"].clear()
    d["verdict"], d["pairs"] = "allowed", {"allowed": 1, "denied": 0, "unknown": 0}
    return "/peerings"


def name_a_peering_twice(d: Any) -> str:
    d["peerings"] *= 2
    return "/peerings"


def claim_another_verdict(d: Any) -> str:
    d["verdict"], d["pairs"] = "allowed", {"allowed": 1, "denied": 0, "unknown": 0}
    return "/verdict"


def claim_another_verdict_everywhere(d: Any) -> str:
    text = (
        json.dumps(d)
        .replace('"denied"', '"allowed"')
        .replace('"allowed": 0, "allowed": 1', '"allowed": 1, "denied": 0')
    )
    d.clear()
    d |= json.loads(text)
    return "/peerings/0/proof"


def claim_another_decision(d: Any) -> str:
    d["peerings"][0]["decidedBy"]["index"] = 0
    return "/peerings/0/decidedBy"


def claim_another_policy(d: Any) -> str:
    d["peerings"][0]["policy"] = "liqo-tenant-milan/other"
    return "/peerings/0/policy"


def claim_another_address(d: Any) -> str:
    d["source"]["address"] = "10.71.2.99"
    return "/source/address"


def ask_another_question(d: Any) -> str:
    d["state"] = "established"
    return first(d, lambda n: n.get("relation") == "flow")[0]


def deny_a_presence(d: Any) -> str:
    place, node = first(d, lambda n: "absent" in n)
    node["absent"]["row"] = [None for _ in node["absent"]["row"]]
    return place


def tell_an_untruth(d: Any) -> str:
    place, node = first(d, lambda n: "holds" in n)
    node["holds"] = "1 = 1"
    return place


def understate_a_height(d: Any) -> str:
    d["peerings"][0]["proof"]["height"] -= 1
    return "/peerings/0/proof"


def cite_another_object(d: Any) -> str:
    place, node = first(d, lambda n: n.get("relation") == "policy_action")
    node["sources"][0]["resourceVersion"] = "3"
    return place


def cite_nothing(d: Any) -> str:
    place, node = first(d, lambda n: n.get("relation") == "policy_action")
    node["sources"].clear()
    return place


def support_itself(d: Any) -> str:
    """A step is used, further down, to prove itself."""
    place, node = first(d, derives("candidate"))
    below = first(node, derives("tenant_namespace"))[1]
    inner = copy.deepcopy(node)
    below["premises"][0] = inner
    return f"{place}{first(node, lambda n: n is below)[0]}/premises/0"


def dress_up_a_forgery(d: Any) -> str:
    """A tuple that is not proved also says something that is true."""
    place, node = first(d, derives("party_group"))
    del node["rule"], node["premises"]
    node |= {"height": 0, "sources": [], "holds": "1 = 1"}
    return place


def add_a_reason(d: Any) -> str:
    d["unknown"].append({"object": "Pod a/b", "reason": "ObjectUnreadable", "detail": "it is not YAML"})
    return "/unknown/0"


MUTATIONS = [
    swap_premises,
    change_a_row,
    drop_a_leaf,
    forge_a_fact,
    forge_a_leaf,
    invent_a_rule,
    point_to_another_rule,
    use_another_rule,
    leave_a_peering_out,
    name_a_peering_twice,
    claim_another_verdict,
    claim_another_verdict_everywhere,
    claim_another_decision,
    claim_another_policy,
    claim_another_address,
    ask_another_question,
    deny_a_presence,
    tell_an_untruth,
    understate_a_height,
    cite_another_object,
    cite_nothing,
    support_itself,
    dress_up_a_forgery,
    add_a_reason,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_wrong_certificate_is_rejected(
    mutate: Callable[[Any], str], certificates: dict[str, Any], facts: checker.Facts
) -> None:
    document = copy.deepcopy(certificates["denied"])
    expected = mutate(document)
    with pytest.raises(checker.RejectedError) as caught:
        checker.check(document, RULES, facts)
    assert caught.value.pointer == expected, caught.value


UNCHECKED = ("/destination/port", "/destination/protocol")
"""What is only repeated from the question."""


def values(document: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every text, number and null of a document: its pointer, what holds it, and under which key."""
    for place, node in nodes(document):
        for key, value in node.items() if isinstance(node, dict) else ():
            inside = list(enumerate(value)) if isinstance(value, list) else []
            yield from ((f"{place}/{key}/{n}", value, n) for n, v in inside if not isinstance(v, dict | list))
            if not isinstance(value, dict | list):
                yield f"{place}/{key}", node, key


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", ["denied", "allowed"])
def test_no_value_can_be_changed(name: str, part: int, certificates: dict[str, Any], facts: checker.Facts) -> None:
    """Whatever stands anywhere in a certificate is checked; of the many alike in the proof, every twelfth."""
    document = copy.deepcopy(certificates[name])
    every = [found for found in values(document) if found[0] not in UNCHECKED]
    chosen = [f for n, f in enumerate(every) if "/proof/" not in f[0] or n % 12 == part * 3]
    assert len(chosen) > 40
    for place, holder, key in chosen if part == 0 else [f for f in chosen if "/proof/" in f[0]]:
        old = holder[key]
        holder[key] = 7 if old is None else old + 1 if isinstance(old, int) else f"{old}x"
        with pytest.raises(checker.RejectedError):
            pytest.fail(f"{place}: {checker.check(document, RULES, facts)}")
        holder[key] = old
    checker.check(document, RULES, facts)


@pytest.mark.parametrize(
    "document", [None, [], 1, "x", {}, {"schemaVersion": 2}, {"schemaVersion": 1, "verdict": "no"}]
)
def test_what_is_no_answer_is_rejected(document: object, facts: checker.Facts) -> None:
    with pytest.raises(checker.RejectedError):
        checker.check(document, RULES, facts)


def without(dump: Path, *words: str) -> list[str]:
    return [line for line in dump.read_text().splitlines(keepends=True) if not all(word in line for word in words)]


def fact(relation: str, *row: str | int) -> str:
    source = dict.fromkeys(("kind", "namespace", "name", "uid", "resourceVersion", "field", "value"), "x")
    return json.dumps({"relation": relation, "row": row, "source": source}) + "\n"


def test_a_fact_that_is_gone_is_missed(dump: Path, certificates: dict[str, Any]) -> None:
    read = checker.read_facts(without(dump, '"pod_shadow"', '"shop/web-0"'), RULES)
    with pytest.raises(checker.RejectedError, match=r"pod_shadow\(.*\): it has no rule, and the facts do not hold it"):
        checker.check(certificates["allowed"], RULES, read)


def test_a_fact_that_is_new_breaks_an_absence(dump: Path, certificates: dict[str, Any]) -> None:
    lines = [*without(dump, "nothing"), fact("policy_terminating", "liqo-tenant-milan/milan")]
    with pytest.raises(checker.RejectedError, match=r"no policy_terminating.*follows"):
        checker.check(certificates["allowed"], RULES, checker.read_facts(lines, RULES))


def test_a_rule_that_is_new_breaks_an_absence(certificates: dict[str, Any], facts: checker.Facts) -> None:
    """Closed-world evidence is no list in the certificate: it is derived anew from the rules that the user trusts."""
    rules = checker.read_rules({**builtin_texts(), "mine.dl": 'member(P, "vc-local", A) :- peering(P), pod_ip(_, A).'})
    with pytest.raises(checker.RejectedError, match=r"min Matching : .*: this is not true"):
        checker.check(certificates["denied"], rules, facts)


def test_all_proofs_of_a_certificate_are_checked(dump: Path, facts: checker.Facts) -> None:
    _, text = call("why", *FLOWS["allowed"], "-f", str(dump), "-o", "json", "--proofs", "3")
    document = json.loads(text)
    one = checker.check(json.loads(call("why", *FLOWS["allowed"], "-f", str(dump), "-o", "json")[1]), RULES, facts)
    assert checker.check(document, RULES, facts).steps > 2 * one.steps
    place, node = first(document["peerings"][0]["alternatives"][1], lambda n: n.get("relation") == "pod_ip")
    node["row"][1] = "10.9.9.9"
    with pytest.raises(checker.RejectedError, match=f"^/peerings/0/alternatives/1{place} "):
        checker.check(document, RULES, facts)


def test_between_groups_only_a_denial_is_shown(dump: Path, facts: checker.Facts) -> None:
    code, text = call("why", "group:vc-remote@milan", "group:vc-local@milan", "-f", str(dump), "-o", "json")
    assert code == 0
    with pytest.raises(checker.NotShownError, match="shows a denial only"):
        checker.check(json.loads(text), RULES, facts)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "line 0: the dump is empty"),
        (["{}\n"], "line 1: is not the header"),
        (["HEADER\n", "x\n"], "line 2: is not JSON"),
        (["HEADER\n", "[]\n"], "line 2: is no object"),
        (["HEADER\n", fact("flow", "f", "1.1.1.1", "2.2.2.2", "new")], "line 2: names no relation that objects assert"),
        (["HEADER\n", fact("governs", "m", "p", "f")], "line 2: names no relation"),
        (["HEADER\n", fact("pod", "a/b")], "line 2: is no row of pod"),
        (["HEADER\n", fact("pod", "a/b", 1)], "line 2: is no row of pod"),
        (["HEADER\n", fact("policy_rule", "a/b", True)], "line 2: is no row of policy_rule"),
        (["HEADER\n", fact("pod", "a/b", "a").strip()], "line 2: the dump ends inside a line"),
        (["HEADER\n", '{"relation": "pod", "row": ["a/b", "a"]}\n'], "line 2: has no source"),
    ],
)
def test_a_damaged_dump_is_refused(lines: list[str], problem: str) -> None:
    header = '{"format":"liqo-connectivity-facts","version":1}'
    with pytest.raises(checker.DumpError, match=problem):
        checker.read_facts([line.replace("HEADER", header) for line in lines], RULES)


# ---- The command ----


def test_the_command_says_ok(dump: Path, certificates: dict[str, Any], tmp_path: Path) -> None:
    proof = tmp_path / "why.json"
    proof.write_text(json.dumps(certificates["denied"]))
    code, text = call("verify", str(proof), "--facts", str(dump))
    assert (code, text.split(":")[0]) == (0, "ok")
    assert "denied 10.71.2.10 -> 10.244.1.9 by milan" in text


def test_the_command_names_the_first_bad_node(dump: Path, certificates: dict[str, Any], tmp_path: Path) -> None:
    proof = tmp_path / "why.json"
    document = copy.deepcopy(certificates["denied"])
    place = change_a_row(document)
    proof.write_text(json.dumps(document))
    code, text = call("verify", str(proof), "--facts", str(dump))
    assert code == 5
    assert text.startswith(
        f'rejected: {place} (policy_party_group("liqo-tenant-milan/milan", 1, "source", "vc-local"))'
    )
    code, text = call("verify", str(proof), "--facts", str(dump), "-o", "json")
    assert (code, json.loads(text)["result"], json.loads(text)["node"]) == (5, "rejected", place)


@pytest.mark.parametrize(("text", "code"), [("no JSON", 5), ("[" * 100_000, 5), ("{}", 5)])
def test_the_command_rejects_what_is_no_certificate(text: str, code: int, dump: Path, tmp_path: Path) -> None:
    (tmp_path / "proof").write_text(text)
    assert call("verify", str(tmp_path / "proof"), "--facts", str(dump))[0] == code


def test_the_command_refuses_a_damaged_dump(tmp_path: Path) -> None:
    (tmp_path / "proof").write_text("{}")
    (tmp_path / "facts").write_text("{}\n")
    assert call("verify", str(tmp_path / "proof"), "--facts", str(tmp_path / "facts"))[0] == 3
    assert call("verify", str(tmp_path / "proof"), "--facts", str(tmp_path / "none"))[0] == 2


def test_the_command_checks_rules_of_the_user(dump: Path, tmp_path: Path) -> None:
    rules, proof = tmp_path / "mine.dl", tmp_path / "why.json"
    rules.write_text('member(P, "vc-local", A) :-\n    peering(P), pod(Pod, "infra"), live_local(Pod, A).\n')
    code, text = call("why", "shop/web-0", "infra/dns-0", "-f", str(dump), "-o", "json", "--rules", str(rules))
    assert code == 0
    proof.write_text(text)
    assert call("verify", str(proof), "--facts", str(dump), "--rules", str(rules))[0] == 0
    code, text = call("verify", str(proof), "--facts", str(dump))
    assert code == 5
    assert "the trusted rules do not hold its rule" in text


def test_the_command_loads_nothing_of_the_engine(dump: Path, certificates: dict[str, Any], tmp_path: Path) -> None:
    proof = tmp_path / "why.json"
    proof.write_text(json.dumps(certificates["denied"]))
    code = (
        "import sys; from liqo_connectivity.operator.cli import run; "
        f"code = run(['verify', {str(proof)!r}, '--facts', {str(dump)!r}]); "
        "print(code, [m for m in sys.modules if m.startswith(('liqo_connectivity.engine', 'liqo_connectivity.facts', 'lark'))])"
    )
    assert run_child(sys.executable, "-c", code, PYTHONPATH=str(ROOT / "src")).stdout.splitlines()[-1] == "0 []"
