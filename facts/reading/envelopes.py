"""What stands around objects in a document: lists, watch events, and what an API server answers instead of objects."""

from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from liqo_connectivity.facts.base.problems import one_line
from liqo_connectivity.facts.extraction.decode import text_at
from liqo_connectivity.facts.extraction.kinds import KIND_BY_NAME, KINDS, Kind, kind_of, mistaken_kind

Path = tuple[str | int, ...]

_EVENTS: Final = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"})
_META: Final = "meta.k8s.io/"
_VIEWS: Final = {
    "Table": "a printed table (Table)",
    "PartialObjectMetadata": "metadata alone (PartialObjectMetadata)",
    "PartialObjectMetadataList": "metadata alone (PartialObjectMetadataList)",
}
_LISTED: Final = frozenset({*KIND_BY_NAME, ""})
_SHOWN: Final = 300
_PLURALS: Final = {kind.plural: kind for kind in KINDS}


class Enclosed(NamedTuple):
    """An object with its path in the document.

    Items of a list may have ``api_version`` and ``kind`` from the list. ``watched`` says that it is a state which a watch
    reported, and ``gone`` that it was the last one.
    """

    value: dict[str, object]
    path: Path
    api_version: str
    kind: str
    watched: bool = False
    gone: bool = False


class Refused(NamedTuple):
    """A part of a document that holds no object: its path, its kind if that is known, what is wrong and what to do."""

    value: object
    path: Path
    kind: str
    message: str
    help: str


class Listed(NamedTuple):
    """A whole list of a kind, perhaps without items."""

    kind: str


class _Pending(NamedTuple):
    value: object
    path: Path
    api_version: str = ""
    kind: str = ""
    event: str = ""


def opened(document: object) -> Iterator[Enclosed | Refused | Listed]:
    """What a document holds, in order: an object, or lists of objects to any depth, or events of a watch."""
    pending = [_Pending(document, ())]
    while pending:
        item = pending.pop()
        if not isinstance(item.value, dict):
            message = "is not a Kubernetes object"
            yield Refused(item.value, item.path, "", message, "every document and list item must be one")
            continue
        mapping = cast("dict[str, object]", item.value)
        event = mapping.get("type")
        if isinstance(event, str) and event in _EVENTS and "object" in mapping and "kind" not in mapping:
            if event != "BOOKMARK":
                pending.append(_Pending(mapping["object"], (*item.path, "object"), event=event))
            continue
        kind, api_version = mapping.get("kind", item.kind), mapping.get("apiVersion", item.api_version)
        items = mapping.get("items")
        if not isinstance(kind, str) or not kind:
            missing = "has items but no kind" if isinstance(items, list) else "has no kind"
            yield Refused(mapping, item.path, "", missing, "the file looks cut off, or is not a Kubernetes object")
        elif not isinstance(api_version, str) or not api_version:
            yield Refused(mapping, item.path, kind, "has no apiVersion", "add it")
        elif (refused := _no_object(mapping, item.path, api_version, kind)) is not None:
            yield refused
        elif kind.endswith("List") and (isinstance(items, list) or ("items" in mapping and items is None)):
            yield from _list(mapping, item.path, api_version, kind)
            nested = (api_version, kind.removesuffix("List")) if kind != "List" else ("", "")
            path = (*item.path, "items")
            entries = cast("list[object]", items or [])
            pending += [_Pending(entry, (*path, index), *nested) for index, entry in enumerate(entries)][::-1]
        elif kind.endswith("List") and kind.removesuffix("List") in _LISTED:
            help_text = "the file looks cut off: write it again"
            yield Refused(mapping, item.path, kind.removesuffix("List"), "is a list without items", help_text)
        else:
            yield Enclosed(mapping, item.path, api_version, kind, item.event != "", item.event == "DELETED")


def _list(mapping: dict[str, object], path: Path, api_version: str, kind: str) -> Iterator[Refused | Listed]:
    """What a list says about itself: which kind it lists, or that it was cut."""
    name = kind.removesuffix("List")
    metadata = mapping.get("metadata")
    fields = cast("dict[str, object]", metadata) if isinstance(metadata, dict) else {}
    left = fields.get("remainingItemCount")
    if fields.get("continue") or left:
        known = kind_of(api_version, name)
        if name and known is None:
            return
        count = f": {left} more exist" if isinstance(left, int) else ""
        message = f"is a list that a limit cut{count}"
        yield Refused(mapping, path, known.name if known else "", message, f"list all of them: {_listing(known)}")
    elif name:
        yield Listed(name)


def _no_object(mapping: dict[str, object], path: Path, api_version: str, kind: str) -> Refused | None:
    """Why a mapping with a kind is no object that could be read, or None if it is one."""
    if kind == "Status" and "/" not in api_version:
        meant = _PLURALS.get(text_at(mapping, "details", "kind"))
        said = one_line(text_at(mapping, "message")[:_SHOWN]) or text_at(mapping, "reason")[:_SHOWN]
        message = "is an answer of the API server in place of objects" + (f": {one_line(said)}" if said else "")
        return Refused(mapping, path, meant.name if meant else "", message, f"list them again: {_listing(meant)}")
    if api_version.startswith(_META) and kind in _VIEWS:
        message = f"is {_VIEWS[kind]} in place of objects"
        return Refused(mapping, path, "", message, f"get whole objects: {_listing(None)}")
    mistaken = mistaken_kind(api_version, kind)
    if mistaken is None:
        return None
    message = f"has the apiVersion {one_line(api_version[:_SHOWN])}, which no rule reads"
    return Refused(mapping, path, kind, message, f"write {mistaken.api_version}")


def _listing(kind: Kind | None) -> str:
    return kind.listing if kind is not None else "kubectl get RESOURCE -A -o yaml"
