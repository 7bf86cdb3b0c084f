"""The documents of a manifest, in YAML or JSON, whichever it is."""

from liqo_connectivity.facts.parsing.documents import UnparsableError, build, check_aliases, has_anchors, parse_yaml
from liqo_connectivity.facts.parsing.json_documents import parse_json_documents
from liqo_connectivity.facts.parsing.text import text_of


def parse_manifest(data: bytes, max_bytes: int) -> list[object]:
    """The documents of a manifest, of at most so many bytes when it is unpacked. All or none.

    Raises:
        UnparsableError: it is not text, or a part of it is neither YAML nor JSON.
    """
    text = text_of(data, max_bytes)
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [document.value for document in parse_json_documents(text)]
        except UnparsableError:
            # YAML may start like JSON.
            if "\n---" not in text:
                raise
    anchors = has_anchors(text)
    found: list[object] = []
    for document in parse_yaml(text):
        if anchors:
            check_aliases(document.node)
        found.append(build(document.node))
    return found
