"""The contract of the layout: what each room may import of the others, and the order of the folders inside a room."""

from typing import Final

MAY_IMPORT: Final[dict[str, tuple[str, ...]]] = {
    "engine": (),
    "chains": (),
    "checker": (),
    "facts": ("rules.relations",),
    "rules": ("engine",),
    "operator": ("chains", "checker", "engine", "facts", "rules"),
}
"""Imports between rooms run this way only."""

LAYERS: Final[dict[str, tuple[str, ...]]] = {
    "engine": (
        "syntax",
        "program",
        "plan",
        "codegen",
        "storage",
        "incremental",
        "proofs",
        "why_not",
        "pydatalog",
    ),
    "chains": (
        "errors",
        "limits",
        "values",
        "layout",
        "matches",
        "model",
        "names",
        "sets",
        "guards",
        "positions",
        "parts",
        "assemble",
        "assemble_nft",
        "assemble_agent",
        "batch_size",
        "writers",
        "comparison",
        "published",
    ),
    "facts": ("base", "objects", "extraction", "crd", "parsing", "dumps", "reading"),
    "operator": ("exits", "kube", "sources", "explain", "controller", "agent", "commands"),
    "operator/explain": (
        "reasons",
        "parties",
        "endpoints",
        "groups",
        "services",
        "flows",
        "proof_steps",
        "decisions",
        "answer",
        "denial",
        "ends",
        "pairs",
        "matrix",
        "changes",
        "drift",
        "text",
        "document",
    ),
    "operator/agent": ("kernel", "desired", "applying", "telling"),
    "operator/controller": (
        "settings",
        "logs",
        "serving",
        "objects",
        "watching",
        "state",
        "writing",
        "reconcile",
    ),
}
"""The sub-folders of a folder, and modules beside them, from the lowest to the highest: no one imports a later one.

Every sub-folder is named. A module that is not stands above all: the façade of a room, the process of the controller.
"""

FACADES: Final = ("engine", "facts", "chains", "checker")
"""Rooms whose public names other rooms import from the room itself, not from a module in it."""

PUBLIC_MODULES: Final = (
    "engine.pydatalog",  # the second opinion runs in a child process
    "engine.codegen.compilation",  # the cache of generated functions
    "engine.program.encoding",  # the cache of the built-in program
    "engine.syntax.parser",  # lark takes long to import, and most commands parse nothing
    "facts.extraction.core_facts",  # the reflector decodes Pods from lines of a watch by itself
    "facts.objects",
)
"""Modules that other rooms import all the same, because the façade leaves them out."""
