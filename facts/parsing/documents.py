"""YAML text in, parsed documents out, with the core schema, and bounded against hostile text.

Nothing here calls a constructor that a document names.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import yaml

from liqo_connectivity.facts.base.problems import one_line, show

MAX_DEPTH: Final = 200
"""How deep a YAML document may nest; schemas of CustomResourceDefinitions, the deepest objects known, stay below 100."""

MAX_ALIAS_NODES: Final = 1_000_000
"""How many nodes aliases may add to a YAML document."""

_PREFIX: Final = "tag:yaml.org,2002:"
_STR: Final = _PREFIX + "str"
_MAP: Final = _PREFIX + "map"
_SEQ: Final = _PREFIX + "seq"
_NULL: Final = _PREFIX + "null"
_BOOL: Final = _PREFIX + "bool"
_INT: Final = _PREFIX + "int"
_FLOAT: Final = _PREFIX + "float"
_CORE: Final = frozenset({_STR, _NULL, _BOOL, _INT, _FLOAT})
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), _NULL),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), _BOOL),
}
_FIRST: Final = frozenset("~nNtTfF+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_ANCHOR = re.compile(r"(?:^|[\s\[{,:?-])&[^\s,\[\]{}]", re.MULTILINE)
_CUT: Final = "the file looks cut off: write it again"


class UnparsableError(Exception):
    """A text or a document of it cannot be parsed: the line, counted from 1, what is wrong and what to do."""

    def __init__(self, line: int, message: str, help_text: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.help = help_text


class YamlDocument(NamedTuple):
    """One document of a YAML text: its root node, its number in the text, from 0, and the line it starts on, from 1."""

    node: yaml.Node
    number: int
    line: int


def parse_yaml(text: str) -> Iterator[YamlDocument]:
    """The documents of a YAML text that are not empty, as nodes; :func:`build` makes values of them.

    Raises:
        UnparsableError: from this document on, the text is not YAML. The documents before it have been given.
    """
    loader = _Loader(text)
    index = 0
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None and not (isinstance(node, yaml.ScalarNode) and node.tag == _NULL):
                yield YamlDocument(node, index, node.start_mark.line + 1)
            index += 1
    except yaml.MarkedYAMLError as error:
        raise _yaml_error(text, error) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnparsableError(line, "has a control character", "remove it: YAML is printable text") from None
    finally:
        loader.dispose()


def _yaml_error(text: str, error: yaml.MarkedYAMLError) -> UnparsableError:
    mark = error.problem_mark or error.context_mark
    stripped = text.rstrip()
    end = (stripped.count("\n"), len(stripped) - stripped.rfind("\n") - 1)
    line = mark.line + 1 if mark is not None else 1
    if mark is not None and (mark.line, mark.column) >= end:
        return UnparsableError(end[0] + 1, "ends inside a YAML structure", _CUT)
    problem = one_line(" ".join(part for part in (error.context, error.problem) if part))
    return UnparsableError(line, f"is not YAML: {problem}", "correct the YAML")


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the core schema's resolution and a bound on nesting; it constructs nothing."""

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            line = current_node.start_mark.line + 1 if current_node is not None else 1
            raise UnparsableError(
                line, f"nests deeper than {MAX_DEPTH} levels", "no Kubernetes object does: check where it comes from"
            )

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        if kind is yaml.ScalarNode:
            # For a scalar, implicit says whether the plain form and whether the quoted form leave the tag to us.
            plain = not isinstance(implicit, bool) and implicit[0]
            return _plain_tag(value) if plain and value is not None else _STR
        return _SEQ if kind is yaml.SequenceNode else _MAP


def _plain_tag(text: str) -> str:
    if text and text[0] not in _FIRST:
        return _STR
    word = _WORDS.get(text)
    if word is not None:
        return word
    if _INTEGER.fullmatch(text):
        return _INT
    return _FLOAT if _NUMBER.fullmatch(text) else _STR


def has_anchors(text: str) -> bool:
    """Whether a YAML text may have anchors; only then :func:`check_aliases` is needed."""
    return _ANCHOR.search(text) is not None


def build(node: yaml.Node) -> object:
    """The value of a YAML node: dict, list, str, int, float, bool or None. Keys are texts, as written.

    Raises:
        UnparsableError: a tag outside the core schema, a repeated key, a key that is not a scalar, or a merge key.
    """
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.tag == _STR else _scalar(node)
    if isinstance(node, yaml.MappingNode):
        if node.tag != _MAP:
            raise _unknown_tag(node)
        result: dict[str, object] = {}
        for key, value in node.value:
            text = key.value
            if not isinstance(key, yaml.ScalarNode) or text in result or text == "<<" or key.tag not in _CORE:
                _refuse_key(key, result)
            result[text] = build(value)
        return result
    if node.tag != _SEQ:
        raise _unknown_tag(node)
    return [build(item) for item in node.value]


def _refuse_key(key: yaml.Node, result: dict[str, object]) -> None:
    line = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode):
        raise UnparsableError(line, "has a key that is not a text", "correct the YAML")
    if key.tag not in _CORE:
        raise _unknown_tag(key)
    if key.value in result:
        raise UnparsableError(line, f"has the key {show(key.value)} twice in one object", "keep one of them")
    if key.style in (None, ""):
        raise UnparsableError(line, "has a merge key (<<)", "write the fields out")


def _unknown_tag(node: yaml.Node) -> UnparsableError:
    tag = str(node.tag)
    shown = "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
    return UnparsableError(node.start_mark.line + 1, f"has the tag {show(shown)}", "remove the tag")


def _scalar(node: yaml.ScalarNode) -> object:
    text = node.value
    try:
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return {"true": True, "false": False}[text.lower()]
        if node.tag == _INT:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if node.tag == _FLOAT:
            return float(text.replace(".inf", "inf").replace(".nan", "nan").lower().lstrip("."))
    except (ValueError, KeyError):
        message = f"has {show(text)} as {node.tag.removeprefix(_PREFIX)}"
        raise UnparsableError(node.start_mark.line + 1, message, "correct it or put it in quotes") from None
    raise _unknown_tag(node)


def check_aliases(root: yaml.Node) -> None:
    """Refuse aliases that make a document circular, too deep, or much larger than it is written.

    Every node is visited once: its expanded size and depth follow from those of its children.

    Raises:
        UnparsableError: naming the line of the node.
    """
    sizes: dict[int, tuple[int, int]] = {}
    entered: set[int] = set()
    stack = [root]
    while stack:
        node = stack[-1]
        identity = id(node)
        if identity in sizes:
            stack.pop()
            continue
        children = _children(node)
        if identity not in entered:
            entered.add(identity)
            for child in children:
                if id(child) in entered and id(child) not in sizes:
                    raise UnparsableError(child.start_mark.line + 1, "has an alias inside itself", "remove the alias")
            stack += [child for child in children if id(child) not in sizes]
            continue
        stack.pop()
        size = 1 + sum(sizes[id(child)][0] for child in children)
        depth = 1 + max((sizes[id(child)][1] for child in children), default=0)
        sizes[identity] = (size, depth)
        line = node.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise UnparsableError(line, f"nests deeper than {MAX_DEPTH} levels by aliases", "write the values out")
        if size - len(sizes) > MAX_ALIAS_NODES:
            message = f"grows by more than {MAX_ALIAS_NODES} values through aliases"
            raise UnparsableError(line, message, "write the values out")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
