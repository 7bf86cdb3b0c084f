"""The examples and the documents: every command that they show is run, and prints what they show."""

import re
from difflib import unified_diff
from pathlib import Path

import pytest
import yaml

from liqo_connectivity.operator.explain import reasons
from liqo_connectivity.rules.program import load
from tests.support import nft, transcript
from tests.support.checkout import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
EXAMPLES = ("consumer", "provider", "multi-provider")
OWN_GROUP = (
    *(f"-f examples/multi-provider/{name}.yaml" for name in ("cluster", "liqo", "pods")),
    "-f examples/own-group/policy.yaml --rules examples/own-group/other-peerings.dl",
)
MAX_PROOF_LINES = 40


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def shell(command: str) -> transcript.Result:
    return transcript.execute(command.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*DOCUMENTS, *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/**/README.md"))]
)
def test_document_shows_what_its_commands_print(name: str, request: pytest.FixtureRequest) -> None:
    document = ROOT / name
    results = list(transcript.played(document))
    text = transcript.rewritten(document, results)
    if request.config.getoption("--update"):
        document.write_text(text, "utf-8")
        return
    now = document.read_text("utf-8")
    difference = "\n".join(unified_diff(now.splitlines(), text.splitlines(), name, "what it is now", lineterm="", n=2))
    assert now == text, f"run pytest with --update, and read what changed:\n{difference}"


@pytest.mark.parametrize("name", ["README.md", *(f"examples/{example}/README.md" for example in EXAMPLES)])
def test_document_shows_commands(name: str) -> None:
    words = [command.words for command in transcript.commands(ROOT / name)]
    assert {"render", "why"} <= {w[1] for w in words if w[0] == transcript.PROGRAM}


@pytest.mark.parametrize("name", EXAMPLES)
def test_rendered_chains_load(name: str) -> None:
    result = shell(f"liqo-connectivity render -f examples/{name} -o nft")
    assert result.code == 0
    script = "\n".join(line for line in result.lines if not line.startswith("warning: "))
    listing = nft.load_script(script)
    policies = list(yaml.safe_load_all(Path("examples", name, "policy.yaml").read_text("utf-8")))
    tables = [f"connectivity-{policy['metadata']['name']}" for policy in policies]
    assert [table["name"] for table in nft.objects(listing, "table")] == tables
    assert [chain["table"] for chain in nft.objects(listing, "chain")] == tables


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("why shop/web-2 shop/web-0 -f examples/consumer", 0),
        ("why infra/metrics-0 shop/web-0 -f examples/consumer", 1),
        ("why shop/web-2 shop/nobody -f examples/consumer", 2),
        ("why shop/web-2 shop/web-3 -f examples/consumer", 3),
        ("why shop-rome/web-0 ip:10.81.1.5 -f examples/provider", 0),
        ("why shop-rome/web-0 shop-rome/web-1 -f examples/provider", 1),
        ("why shop/web-0 shop/cache-0 -f examples/multi-provider", 1),
        ("why shop/cache-0 shop/web-0 -f examples/multi-provider", 1),
        ("why shop/web-0 shop/db-0 -f examples/multi-provider", 0),
        ("check -f examples/consumer", 1),
        ("query pending(P,R,_,_,_) -f examples/consumer", 1),
        ("render -f examples/consumer/cluster.yaml -f examples/consumer/policy.yaml", 3),
        ("render -f examples/nowhere", 2),
    ],
)
def test_exit_code(command: str, code: int) -> None:
    assert shell(f"liqo-connectivity {command}").code == code


def test_providers_are_isolated_by_an_added_group() -> None:
    why = "liqo-connectivity why {} {} " + " ".join(OWN_GROUP)
    assert shell(why.format("shop/web-0", "shop/cache-0")).code == 1
    assert shell(why.format("shop/cache-0", "shop/web-0")).code == 1
    assert shell(why.format("shop/web-0", "ip:172.18.0.10")).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_proofs_are_short(name: str) -> None:
    pods = [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in yaml.safe_load_all(Path("examples", name, "pods.yaml").read_text("utf-8"))
        if pod["metadata"]["namespace"].startswith(("shop", "depot", "infra"))
    ]
    for source, destination in zip(pods[::2], [*pods[3:], *pods[:3]][::2], strict=True):
        result = shell(f"liqo-connectivity why --proof {source} {destination} -f examples/{name}")
        # Each governing peering has a paragraph: what decided, then the proof.
        for paragraph in "\n".join(result.lines).split("\n\n")[1:]:
            assert len(paragraph.splitlines()) - 1 <= MAX_PROOF_LINES, f"{source} -> {destination}:\n{paragraph}"


def test_quick_start_is_the_policy_of_the_provider() -> None:
    rules = Path("examples/provider/policy.yaml").read_text("utf-8").partition("  rules:\n")[2]
    assert rules
    assert rules in Path("README.md").read_text("utf-8")


def test_semantics_name_every_reason_finding_and_relation() -> None:
    text = Path("docs/semantics.md").read_text("utf-8")
    quoted = set(re.findall(r"`([^`]+)`", text))
    assert {*reasons.REASONS, *reasons.FINDINGS} <= quoted
    named = {word for word in quoted if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", word)} - {"br_netfilter"}
    assert len(named) > 20
    assert named <= set(load().schema.relations)


def test_limits_name_every_blind_spot_that_rules_derive() -> None:
    text = Path("docs/limits.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert set(reasons.BLIND_SPOTS) | {"ServiceUnresolved"} == rows
    derived = Path("rules/blind_spots.dl").read_text("utf-8")
    codes = re.findall(r'blind_spot\((?:[A-Z]\w*, )?"(\w+)"', derived)
    assert set(codes) == set(reasons.BLIND_SPOTS)


@pytest.mark.parametrize(
    ("shown", "matched"),
    [
        (["a", "b", "c", "d"], True),
        (["a", "…", "d"], True),
        (["…"], True),
        (["a", "b", "c", "d", "…"], True),
        (["a", "…", "b", "…", "d"], True),
        (["a", "…", "c", "[...]", "d"], True),
        ([], False),
        (["a", "b", "c"], False),
        (["a", "…", "c"], False),
        (["b", "…"], False),
        (["a", "…", "c", "…", "b", "…"], False),
        (["a", "b", "c", "…", "c", "d"], False),
    ],
)
def test_elision(shown: list[str], matched: bool) -> None:
    assert transcript.matches(shown, ["a", "b", "c", "d"]) is matched


def test_elisions_outlive_changed_numbers(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("```console\n$ liqo-connectivity version\na:7\n…\nc:9\n```\n", "utf-8")
    (command,) = transcript.commands(document)
    for actual, text in ((("a:8", "b:9", "c:10"), "a:8\n…\nc:10"), (("a:8", "c:9", "d:1"), "a:8\nc:9\nd:1")):
        now = transcript.rewritten(document, [(command, transcript.Result(actual, 0))])
        assert now == f"```console\n$ liqo-connectivity version\n{text}\n```\n"


def test_a_changed_output_is_rewritten_and_the_rest_is_kept(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "Text.\n```console\n$ liqo-connectivity version\nold\n$ echo $?\n7\n$ make all\nkept\n```\nMore.\n", "utf-8"
    )
    results = list(transcript.played(document))
    version = results[0][1].lines[0]
    assert transcript.rewritten(document, results) == (
        f"Text.\n```console\n$ liqo-connectivity version\n{version}\n$ echo $?\n0\n$ make all\nkept\n```\nMore.\n"
    )
