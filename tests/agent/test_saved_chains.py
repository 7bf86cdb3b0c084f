"""After a reboot: the chains applied last are loaded before anybody is asked, and only if they are as they were written."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from liqo_connectivity.operator.agent.desired.saved import NAME
from tests.support.agent_on_file import agent, replace
from tests.support.agent_tables import is_there, made, nft, objects
from tests.support.own_namespace import in_own_namespace


def test_after_a_reboot_the_saved_chains_are_loaded_before_anybody_is_asked(tmp_path: Path) -> None:
    chains, saved = tmp_path / "chains.json", tmp_path / "saved"
    chains.write_text(objects(made(), made(3, peering="rome")), "utf-8")

    def scenario() -> tuple[bool, list[int]]:
        with agent(chains, saved=saved) as held:
            held.begin()
            held.end()
        nft("flush ruleset")
        chains.unlink()
        with agent(chains, saved=saved) as held:
            held.begin()
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (saved, saved / NAME)]
        return is_there(made(), made(3, peering="rome")), modes

    assert in_own_namespace(scenario) == (True, [0o700, 0o600])


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"10.1.0.1", b"10.1.0.9"))


def _foreign(path: Path) -> None:
    path.write_text(objects(made()), "utf-8")


def _open_to_others(path: Path) -> None:
    path.chmod(0o620)


def _a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _folder_of_others(path: Path) -> None:
    path.parent.chmod(0o770)


@pytest.mark.parametrize("damage", [_torn, _edited, _foreign, _open_to_others, _a_link, _folder_of_others])
def test_saved_chains_that_are_not_as_they_were_written_change_nothing(
    damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chains, saved = tmp_path / "chains.json", tmp_path / "saved"
    chains.write_text(objects(made()), "utf-8")

    def scenario() -> tuple[bool, bool, str]:
        with agent(chains, saved=saved) as held:
            held.begin()
        nft("flush ruleset")
        damage(saved / NAME)
        chains.unlink()
        with agent(chains, saved=saved) as held:
            held.begin()
            after_damage = is_there()
            replace(chains, objects(made(3)))
            held.turn()
            return after_damage, is_there(made(3)), caplog.text

    nothing, right, said = in_own_namespace(scenario)
    assert (nothing, right) == (True, True)
    assert "Failed to load the saved chains" in said
