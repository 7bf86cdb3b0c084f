"""The programs of a real Kubernetes control plane, built from pinned Go modules, and Liqo's CRDs out of such a module.

Run as a script it prepares all of them and says what it does. A program of ``KUBEBUILDER_ASSETS`` is taken as it is.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.go_programs import MODULES, PreparationError, Program, built, cache, fetch, go, locked

# Liqo's releases, the newest first, each with the hash of its module as a go.sum writes it.
LIQO = "github.com/liqotech/liqo"
LIQO_SUMS = {
    "v1.2.0": "h1:2KOA/pMeIz/2+HglNF/YcfAdn3iQH1wRRIbUm2TvzfM=",
    "v1.1.2": "h1:DgGPkR6rWM1b1iKJR89tugTOKiNK9uUeghonjTI4Jx0=",
}
_LIQO_CRDS = "deployments/liqo/charts/liqo-crds/crds"


def _kubernetes_flags() -> str:
    """Without them the server calls itself v0.0.0-master, which kubectl and Helm cannot compare with what they need."""
    [(version, major, minor)] = re.findall(
        r"(?m)^require k8s\.io/kubernetes (v(\d+)\.(\d+)\S+)", (MODULES / "kubernetes" / "go.mod").read_text()
    )
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())


_KUBERNETES_FLAGS = _kubernetes_flags()
PROGRAMS = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", _KUBERNETES_FLAGS),
    Program(
        "kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", _KUBERNETES_FLAGS
    ),
    Program("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", _KUBERNETES_FLAGS),
    Program("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
)


def program(name: str) -> Path:
    """The executable of that name, built if it is not in the cache; PreparationError if that fails."""
    [wanted] = [each for each in PROGRAMS if each.name == name]
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(given := Path(assets, name), os.X_OK):
        return given
    return built(wanted)


def liqo_crds(version: str) -> Path:
    """The folder with the CRDs of a Liqo release, prepared if it is not there yet; PreparationError if that fails."""
    digest = hashlib.sha256(LIQO_SUMS[version].encode()).hexdigest()[:16]
    folder = cache() / f"liqo-crds-{version}-{digest}"
    if not folder.exists():
        with locked():
            if not folder.exists():
                _copy_crds(version, folder)
    return folder


def _copy_crds(version: str, folder: Path) -> None:
    compiler, environment = go()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as made:
        # The sum is ours to check: the checksum database need not be reachable.
        command = [compiler, "mod", "download", "-json", f"{LIQO}@{version}"]
        answer = fetch(f"downloading the CRDs of Liqo {version}", command, Path(made), environment | {"GOSUMDB": "off"})
        downloaded = json.loads(answer)
        if downloaded["Sum"] != LIQO_SUMS[version]:
            raise PreparationError(
                f"{LIQO}@{version} has the sum {downloaded['Sum']} instead of {LIQO_SUMS[version]}: "
                "the module proxy does not serve what Liqo released, or the module cache was changed"
            )
        crds = Path(made, "crds")
        shutil.copytree(Path(downloaded["Dir"], _LIQO_CRDS), crds)
        for part in (crds, *crds.iterdir()):  # the module cache is read-only, and so are copies of it
            part.chmod(0o755 if part.is_dir() else 0o644)
        crds.rename(folder)


def main() -> int:
    try:
        for wanted in PROGRAMS:
            print(f"control plane: {wanted.name} is {program(wanted.name)}", flush=True)
        for version in LIQO_SUMS:
            print(f"control plane: Liqo {version}'s CRDs are {liqo_crds(version)}", flush=True)
    except PreparationError as error:
        print(f"control plane: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
