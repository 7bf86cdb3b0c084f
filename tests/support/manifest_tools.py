"""The real kubectl and Helm, at work on the manifests of deploy/ without a cluster, and what they write as objects.

Holds no test. It must not know what the manifests should say.
"""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from tools.control_plane_binaries import program

from tests.support.api_client import Object
from tests.support.checkout import ROOT

NAMESPACE = "liqo-system"
NAME = "liqo-connectivity-engine"
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "chart"

Key = tuple[str, str, str]
"""Kind, namespace and name."""


def helm(*arguments: str | Path, kubeconfig: Path | str = os.devnull) -> subprocess.CompletedProcess[str]:
    """Run Helm with nothing of the user's; the caller looks at its exit code."""
    with TemporaryDirectory() as home:
        places = {f"HELM_{name}_HOME": f"{home}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")}
        environment = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": str(kubeconfig), **places}
        command = [program("helm"), *arguments]
        return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


def template(*arguments: str) -> dict[Key, Object]:
    """What the chart renders to under the names of the manifests, with further arguments of ``helm template``."""
    done = helm("template", NAME, CHART, "--namespace", NAMESPACE, *arguments)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


def kustomize(folder: Path) -> str:
    """What ``kubectl kustomize`` renders."""
    done = subprocess.run([program("kubectl"), "kustomize", folder], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> dict[Key, Object]:
    """The objects of a text of manifests; none may occur twice."""
    found: dict[Key, Object] = {}
    for each in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if each:
            metadata = each["metadata"]
            key = (each["kind"], metadata.get("namespace", ""), metadata["name"])
            assert key not in found, key
            found[key] = each
    return found
