"""Where the rules and the interpreter differ about flows, for the tests and for ``make soak``."""

from collections.abc import Mapping, Sequence

from liqo_connectivity.engine import Model
from tests.support.clusters import VERDICTS, base_of, questions, shown, solve, verdicts
from tests.support.descriptions import Cluster, Traffic
from tests.support.interpreter import Meaning
from tests.support.manifests import objects
from tests.support.policy_checks import is_unclear


def disagreement(described: Cluster, asked: Sequence[Traffic], *, nft: bool, agent: bool = False) -> str:
    """Where the rules and the interpreter differ, for a person to judge; empty when they do not."""
    model = solve(base_of(objects(described)), (*VERDICTS, "too_large"), questions(asked, nft=nft, agent=agent))
    unfit = {str(row[0]) for row in model.rows("too_large")}
    meaning = Meaning(described, nft=nft, agent=agent, unfit=unfit)
    told = verdicts(model)
    derived = _decisions(model)
    for number, flow in enumerate(asked):
        answer = meaning.decide(flow)
        ruled = told[number], _known(meaning, derived.get(str(number), {}))
        if ruled != (answer.verdict, _known(meaning, answer.decisions)):
            because = [row for row in model.rows("unknown_because") if row[0] == str(number)]
            return (
                f"{flow}, nft {nft}, agent {agent}: the rules say {ruled}, unknown because of {because};\n"
                f"the interpreter says {answer};\npending {meaning.pending}, doubts {meaning.doubts}\n{shown(described)}"
            )
    return ""


def _known(meaning: Meaning, found: Mapping[str, object]) -> dict[str, object]:
    """Decisions, but for those on established connections of policies of which nobody knows what their scope is."""
    unclear = {peering for peering, policy in meaning.governing.items() if is_unclear(policy)}
    return {p: made for p, made in found.items() if p not in unclear or made not in (None, ("established", 0, "allow"))}


def _decisions(model: Model) -> dict[str, dict[str, object]]:
    """What decides each flow at each governing peering; None where nothing does."""
    found: dict[str, dict[str, object]] = {}
    for peering, _, flow in model.rows("governs"):
        found.setdefault(str(flow), {})[str(peering)] = None
    for peering, flow, *decision in model.rows("decided_by"):
        held = found[str(flow)]
        assert held[str(peering)] is None, f"two decisions on flow {flow} at {peering}"
        held[str(peering)] = tuple(decision)
    return found
