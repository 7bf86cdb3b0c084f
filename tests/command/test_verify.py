"""``verify``: what it prints and exits with, and what it does without."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.certificates import call, certificate, dump
from tests.support.checkout import ROOT
from tests.support.checkout import run as run_child


def written(folder: Path, document: object) -> str:
    (folder / "why.json").write_text(json.dumps(document))
    return str(folder / "why.json")


def test_the_command_says_ok(tmp_path: Path) -> None:
    code, text = call("verify", written(tmp_path, certificate("denied")), "--facts", str(dump()))
    assert (code, text.split(":")[0]) == (0, "ok")
    assert "denied 10.71.2.10 -> 10.244.1.9 by milan" in text


def test_the_command_names_the_first_bad_step(tmp_path: Path) -> None:
    document = certificate("denied")
    steps = document["peerings"][0]["proof"]["steps"]
    step = next(step for step in steps if step["relation"] == "policy_party_group")
    step["sources"][0]["name"] = "other"
    proof, place = written(tmp_path, document), f"/peerings/0/proof/steps/{step['step']}"
    code, text = call("verify", proof, "--facts", str(dump()))
    assert code == 5
    assert text.startswith(
        f'rejected: {place} (policy_party_group("liqo-tenant-milan/milan", 1, "source", "remote-cluster"))'
    )
    code, text = call("verify", proof, "--facts", str(dump()), "-o", "json")
    assert (code, json.loads(text)["result"], json.loads(text)["node"]) == (5, "rejected", place)


@pytest.mark.parametrize("form", ["::ffff:{}", "::FFFF:{}"])
def test_an_address_in_another_notation_hides_nothing(form: str, tmp_path: Path) -> None:
    """No fact has that text, so nothing would seem to govern the flow."""
    document = certificate("denied")
    ends = {side: form.format(document[side]["address"]) for side in ("source", "destination")}
    forged = {
        **document,
        **{side: {"endpoint": f"ip:{text}", "address": text} for side, text in ends.items()},
        "verdict": "allowed",
        "pairs": {"allowed": 1, "denied": 0, "unknown": 0},
        "peerings": [],
    }
    code, text = call("verify", written(tmp_path, forged), "--facts", str(dump()))
    assert (code, text.split()[1]) == (5, "/source/address")


@pytest.mark.parametrize(("text", "code"), [("no JSON", 5), ("[" * 100_000, 5), ("{}", 5)])
def test_the_command_rejects_what_is_no_certificate(text: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "proof").write_text(text)
    assert call("verify", str(tmp_path / "proof"), "--facts", str(dump()))[0] == code


def test_the_command_refuses_a_damaged_dump(tmp_path: Path) -> None:
    (tmp_path / "proof").write_text("{}")
    (tmp_path / "facts").write_text("{}\n")
    assert call("verify", str(tmp_path / "proof"), "--facts", str(tmp_path / "facts"))[0] == 3
    assert call("verify", str(tmp_path / "proof"), "--facts", str(tmp_path / "none"))[0] == 2


def test_the_command_checks_rules_of_the_user(tmp_path: Path) -> None:
    rules, proof = tmp_path / "mine.dl", tmp_path / "why.json"
    rules.write_text('member(P, "vc-local", A) :-\n    peering(P), pod(Pod, "infra"), live_local(Pod, A).\n')
    code, text = call("why", "shop/web-0", "infra/dns-0", "-f", str(dump()), "-o", "json", "--rules", str(rules))
    assert code == 0
    proof.write_text(text)
    assert call("verify", str(proof), "--facts", str(dump()), "--rules", str(rules))[0] == 0
    code, text = call("verify", str(proof), "--facts", str(dump()))
    assert code == 5
    assert "the trusted rules do not hold its rule" in text


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            '.decl n(x: number)\nn(0).\nn(X + 1) :- n(X).\nmember(P, "vc-local", "10.1.1.1") :- n(-7), peering(P).\n',
            "takes more than 0.3 s and was stopped; the rule at endless.dl:3 reads most rows",
        ),
        (
            ".decl w(a: symbol)\nw(A) :- pod(A, _), pod(B, _), pod(C, _), pod(D, _), pod(E, _), A != B, C != D, E != A.\n"
            + 'member(P, "vc-local", "10.1.1.1") :- w("x"), peering(P).\n',
            "needs more than 64 MB of memory and was stopped; the rule at endless.dl:2 reads most rows",
        ),
    ],
    ids=["recursion", "product"],
)
def test_trusted_rules_that_take_too_much_are_stopped_and_named(
    rules: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("endless.dl").write_text(rules)
    proof = written(tmp_path, certificate("denied"))
    seconds = "0.3" if "0.3" in problem else "60"
    limits = ["--limit-seconds", seconds, "--limit-megabytes", "64"]
    code, text = call("verify", proof, "--facts", str(dump()), "--rules", "endless.dl", *limits)
    assert (code, text) == (4, "")
    error, hint = capsys.readouterr().err.splitlines()
    assert error == f"error: the check {problem}"
    assert hint.endswith("--limit-seconds and --limit-megabytes set the limits")


def test_trusted_rules_that_mean_nothing_are_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.dl").write_text(
        ".decl n(x: number)\nn(X) :- !n(X), pod(_, _).\nmember(P, G, A) :- n(_), peering(P).\n"
    )
    proof = written(tmp_path, certificate("denied"))
    assert call("verify", proof, "--facts", str(dump()), "--rules", str(tmp_path / "mine.dl")) == (2, "")
    assert "Error: the rules cannot be used: " in capsys.readouterr().err


def test_the_command_loads_nothing_of_the_engine(tmp_path: Path) -> None:
    proof = written(tmp_path, certificate("denied"))
    code = (
        "import sys; from liqo_connectivity.operator.cli import run; "
        f"code = run(['verify', {proof!r}, '--facts', {str(dump())!r}]); "
        "print(code, [m for m in sys.modules if m.startswith(('liqo_connectivity.engine', 'liqo_connectivity.facts', 'lark'))])"
    )
    assert run_child(sys.executable, "-c", code, PYTHONPATH=str(ROOT / "src")).stdout.splitlines()[-1] == "0 []"
