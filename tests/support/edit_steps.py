"""An edit step by step: what is stored of the two objects of a peering, while agents report and the controller goes on.

It must not know which steps an edit takes.
"""

from liqo_connectivity.operator.controller.writing.object_client import policy_path
from tests.support.controller_stage import CHAIN, GUARD, STANDIN, Stage
from tests.support.manifests import Object

KEYS = (CHAIN, STANDIN)


def actions(stage: Stage) -> tuple[str, str]:
    """What the last rule of each object does: the action, ``empty`` or ``none``."""

    def of(table: Object | None) -> str:
        if table is None:
            return "none"
        chains = table["chains"]
        return str(chains[0]["rules"]["filterRules"][-1]["action"]) if chains else "empty"

    return of(stage.chain(CHAIN)), of(stage.chain(STANDIN))


def elements(stage: Stage) -> list[list[str] | None]:
    tables = [stage.chain(key) for key in KEYS]
    return [[each["key"] for each in table["sets"][0]["elements"]] if table else None for table in tables]


def progress(stage: Stage, *silent: str, seconds: float = 0.1) -> None:
    """Let the agents report what is stored, but the silent ones, and the controller go on."""
    for key in KEYS:
        if stage.is_selected(key):
            stage.report(*("" if host in silent else "True" for host in ("fabric-a", "fabric-b")), key=key)
    stage.watch()
    stage.run(seconds)
    stage.watch()


def states(stage: Stage, *, until: tuple[str, str]) -> list[tuple[str, str]]:
    """Every state of the two objects on the way to another, the first one included."""
    found = [actions(stage)]
    for _ in range(200):
        progress(stage)
        if actions(stage) != found[-1]:
            found.append(actions(stage))
        if found[-1] == until:
            return found
    raise AssertionError(found)


def message(stage: Stage) -> str:
    found = stage.api.stored[policy_path(GUARD)]["status"]["conditions"]
    return next(str(one["message"]) for one in found if one["type"] == "Ready")


def edited() -> Stage:
    """A controller whose policy, which denies, is enforced by all agents."""
    made = Stage()
    made.pod(1)
    for _ in range(5):
        progress(made)
    assert actions(made) == ("drop", "none")
    assert made.ready() == ("True", "FabricSynced")
    made.shown.clear()
    return made
