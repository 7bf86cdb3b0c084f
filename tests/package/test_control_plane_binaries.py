"""The control plane takes programs that it is given, and the CRDs of a Liqo release only with the right hash."""

import shutil
from pathlib import Path

import pytest
from tools import control_plane_binaries
from tools.control_plane_binaries import LIQO_SUMS, liqo_crds, program
from tools.go_programs import PreparationError

NEWEST = next(iter(LIQO_SUMS))


def test_given_programs_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "etcd"
    shutil.copy("/bin/true", given)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert program("etcd") == given


def test_a_module_with_another_sum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane_binaries, "cache", lambda: tmp_path)
    monkeypatch.setitem(LIQO_SUMS, NEWEST, "h1:" + "A" * 43 + "=")
    with pytest.raises(PreparationError, match="instead of h1:AAAA"):
        liqo_crds(NEWEST)
    assert not list(tmp_path.glob("liqo-crds-*"))
