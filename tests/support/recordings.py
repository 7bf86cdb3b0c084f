"""The recorded clusters: their objects, the policies written beside them, and the events of the whole run."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from tests.support.manifests import Object

FOLDER = Path(__file__).parents[1] / "data" / "snapshots"
STATES = {
    "rome": ("policies-rome",),
    "rome-2": ("policies-rome",),
    "rome-3": ("policies-rome", "policies-naples"),
    "rome-4": ("policies-rome", "policies-naples"),
    "milan": ("policies-milan",),
}
"""Each recorded state, and the files with policies for its peerings."""


def text_of(state: str) -> str:
    return gzip.decompress((FOLDER / f"{state}.yaml.gz").read_bytes()).decode()


@cache
def objects_of(state: str) -> tuple[Object, ...]:
    """The objects of a state, without policies."""
    (document,) = yaml.load_all(text_of(state), Loader=yaml.CSafeLoader)
    return tuple(document["items"])


def with_policies(state: str, folder: Path, *, as_json: bool = False) -> Path:
    """Write a state and its policies into a folder, as manifests; JSON takes a tenth of the time to read."""
    folder.mkdir(exist_ok=True)
    if as_json:
        items = {"apiVersion": "v1", "kind": "List", "items": objects_of(state)}
        (folder / f"{state}.json").write_text(json.dumps(items), "utf-8")
    else:
        (folder / f"{state}.yaml").write_text(text_of(state), "utf-8")
    for policies in STATES[state]:
        (folder / f"{policies}.yaml").write_text((FOLDER / f"{policies}.yaml").read_text("utf-8"), "utf-8")
    return folder


def policies_of(state: str) -> tuple[Object, ...]:
    """The policies for a state."""
    files = ((FOLDER / f"{name}.yaml").read_text("utf-8") for name in STATES[state])
    return tuple(yaml.load(text, Loader=yaml.CSafeLoader) for text in files)


def events() -> Iterator[tuple[str, Object]]:
    """The watch events in order of arrival: ADDED, MODIFIED or DELETED, and the object."""
    for line in gzip.decompress((FOLDER / "rome-events.jsonl.gz").read_bytes()).splitlines():
        event = json.loads(line)
        yield event["type"], event["object"]
