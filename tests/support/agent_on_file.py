"""An agent on a file of chains, whose turns a test takes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from liqo_connectivity.operator.agent.applying.keeper import Keeper
from liqo_connectivity.operator.agent.desired.chain_file import ChainFile
from liqo_connectivity.operator.agent.desired.saved import SavedChains
from liqo_connectivity.operator.agent.kernel.writer import Writer
from liqo_connectivity.operator.agent.process import Agent


@contextmanager
def agent(chains: Path, *, saved: Path | None = None, prune: bool = False) -> Iterator[Agent]:
    """An agent whose turns the test takes, in the network namespace where it is made."""
    with closing(Writer()) as writer, closing(Keeper(writer)) as keeper:
        yield Agent(writer, keeper, ChainFile(chains, prune=prune), SavedChains(saved) if saved is not None else None)


def replace(path: Path, text: str) -> None:
    """Write a file as a careful program does."""
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.rename(path)
