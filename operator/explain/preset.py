"""Presets: policies for common wishes, as text with comments. Each is a data file in operator/presets/.

A file holds the rules for a cluster with every role. A rule that names a group which the peering's role leaves empty is left
out, so that `check` has nothing to report.
"""

from collections.abc import Collection
from pathlib import Path
from string import Template
from textwrap import wrap
from typing import Any, Final, NamedTuple

_FOLDER: Final = Path(__file__).parent.parent / "presets"
_MODEL: Final = _FOLDER / "model" / "cluster.yaml"
_WIDTH: Final = 100
NAMES: Final = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
"""The names of the presets."""

Object = dict[str, Any]


class Preset(NamedTuple):
    """A preset: what it is for, its default action, and its rules, each with a sentence that says what it does."""

    name: str
    about: str
    default: str
    rules: tuple[tuple[str, Object], ...]
    left_out: tuple[str, ...] = ()
    """Groups that stay empty, whose rules are left out."""

    def without(self, groups: Collection[str]) -> "Preset":
        """Give the preset without the rules that name one of some groups."""
        kept = tuple((says, rule) for says, rule in self.rules if not _groups(rule) & set(groups))
        named = {group for _, rule in self.rules for group in _groups(rule)}
        return self._replace(rules=kept, left_out=tuple(sorted(named & set(groups))))

    def policy(self, peering: str, namespace: str) -> Object:
        """Give the policy for a peering, in its tenant namespace."""
        return {
            "apiVersion": "security.liqo.io/v1",
            "kind": "PeeringConnectivity",
            "metadata": {"name": peering, "namespace": namespace},
            "spec": {"defaultAction": self.default, "rules": [rule for _, rule in self.rules]},
        }


def _groups(rule: Object) -> set[str]:
    return {rule[side]["group"] for side in ("source", "destination") if side in rule}


def load(name: str) -> Preset:
    """Read a preset. Raises OSError if there is none of this name."""
    import yaml  # Not for --help, which lists the names.

    found: Object = yaml.load((_FOLDER / f"{name}.yaml").read_text("utf-8"), yaml.CSafeLoader)
    rules = tuple((entry["says"], entry["rule"]) for entry in found["rules"])
    return Preset(name, found["about"], found["defaultAction"], rules)


def model_objects(peering: str, tenant: str) -> list[Object]:
    """Give the objects of the built-in cluster."""
    import yaml  # Not for --help either.

    # The second remote cluster has another name than the first, whatever that is.
    other = "rome" if peering != "rome" else "milan"
    text = Template(_MODEL.read_text("utf-8")).substitute(peering=peering, tenant=tenant, other=other)
    return list(yaml.load_all(text, yaml.CSafeLoader))


def policy_lines(preset: Preset, peering: str, namespace: str) -> list[str]:
    """Write the policy as YAML with comments."""
    import yaml  # Not for --help either.

    def dumped(value: object, indent: str) -> list[str]:
        text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False)
        return [f"{indent}{line}" for line in text.splitlines()]

    policy = preset.policy(peering, namespace)
    lines = [*comment(f"{preset.name}: {preset.about}")]
    if preset.left_out:
        groups = " and ".join(preset.left_out)
        lines += comment(f"Rules about {groups} are left out: by the role of {peering}, nothing is in there.")
    lines += dumped({key: policy[key] for key in ("apiVersion", "kind", "metadata")}, "")
    lines += ["spec:", "  # What no rule matches.", f"  defaultAction: {preset.default}"]
    lines += ["  rules:"] if preset.rules else ["  rules: []"]
    for number, (says, rule) in enumerate(preset.rules):
        lines += comment(f"Rule {number}. {says}", "    ")
        lines += dumped([rule], "    ")
    return lines


def comment(text: str, indent: str = "") -> list[str]:
    """Wrap a text into comments of YAML."""
    return [f"{indent}# {line}" for line in wrap(text, _WIDTH - len(indent))]
