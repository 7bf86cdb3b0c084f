"""What a NodeSelector selects, in plain Python, as Kubernetes documents it: the interpreter decides by it.

It shares no code with facts/ or rules/.
"""

from collections.abc import Mapping, Sequence

from tests.support.descriptions import Requirement

Term = Sequence[Requirement]
VALUES = {"In": (1, 999), "NotIn": (1, 999), "Exists": (0, 0), "DoesNotExist": (0, 0), "Gt": (1, 1), "Lt": (1, 1)}
"""How many values each operator takes."""


def is_selected(terms: Sequence[Term], nodes: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a selector matches one of some nodes, by name and labels. Without terms it matches all."""
    return not terms or any(is_matched(term, name, nodes[name]) for term in terms for name in nodes)


def is_matched(term: Term, name: str, labels: Mapping[str, str]) -> bool:
    if not term or not is_readable(term):
        return False
    return all(_holds(one, {"metadata.name": name} if one.field else labels) for one in term)


def is_readable(term: Term) -> bool:
    """Whether Kubernetes accepts a term."""
    for one in term:
        least, most = VALUES.get(one.operator, (1, 0))
        if one.field:
            least, most = (1, 1) if one.operator in ("In", "NotIn") else (1, 0)
        if not least <= len(set(one.values)) <= most:
            return False
        if one.operator in ("Gt", "Lt") and not one.values[0].isdigit():
            return False
    return True


def may_match(term: Term, cluster: str) -> bool:
    """Whether a term may match a node of which only the cluster is known."""
    known = {"liqo.io/remote-cluster-id": cluster}
    return bool(term) and all(_holds(one, known) for one in term if one.key in known)


def _holds(one: Requirement, known: Mapping[str, str]) -> bool:
    value = known.get(one.key)
    match one.operator:
        case "In":
            return value in one.values
        case "NotIn":
            return value not in one.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and value.isdigit() and int(value) > int(one.values[0])
        case _:
            return value is not None and value.isdigit() and int(value) < int(one.values[0])
