"""The image: built from the Dockerfile with locked packages, it runs the controller as the Deployment lets it.

Where the one who runs the tests is not root, nothing of this can be tried.
"""

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from liqo_connectivity import __version__
from liqo_connectivity.operator import exits
from tests.support.control_plane import ControlPlane
from tests.support.image import Container, Image, base_name, built, first_process
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.manifest_tools import DEPLOY, NAME, NAMESPACE, objects
from tests.support.waiting import eventually

PYTHON = "/opt/liqo-connectivity/bin/python3"
SECRETS = "/var/run/secrets/kubernetes.io/serviceaccount"


# One test, since the image takes a minute to build and each worker would build it.
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can build an image here")
def test_the_image_builds_and_runs_the_controller() -> None:
    with built() as image, image.container() as container:
        it_says_what_it_is(image)
        it_writes_nowhere_but_to_tmp(container)
        it_runs_the_command(container)
        everything_is_compiled_and_nothing_is_left_of_the_build(container)
        with cluster_around(container) as (plane, environment):
            the_controller_judges_a_policy(container, plane, environment)
            the_controller_gets_ready_and_ends_on_sigterm(container, environment)


@contextmanager
def cluster_around(container: Container) -> Iterator[tuple[ControlPlane, dict[str, str]]]:
    """A control plane with all that install.yaml installs, and the variables by which a container finds its API server.

    The container gets what a kubelet mounts for the controller's service account.
    """
    with ControlPlane(crds=with_sets_and_ctstate(crds())) as plane:
        done = plane.kubectl("apply", "-f", str(DEPLOY / "install.yaml"))
        assert done.returncode == 0, done.stderr
        config = yaml.load(plane.service_account_kubeconfig(NAMESPACE, NAME).read_text(), Loader=yaml.CSafeLoader)
        container.write(f"{SECRETS}/token", config["users"][0]["user"]["token"])
        authority = config["clusters"][0]["cluster"]["certificate-authority"]
        container.write(f"{SECRETS}/ca.crt", Path(authority).read_text())
        container.write(f"{SECRETS}/namespace", NAMESPACE)
        host, _, port = plane.server.removeprefix("https://").partition(":")
        eventually(lambda: plane.admin.list("/apis/security.liqo.io/v1/peeringconnectivities") == [])
        yield plane, {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


def arguments() -> list[str]:
    """The container's arguments, as the Deployment has them."""
    deployment = objects(Path(DEPLOY, "install.yaml").read_text("utf-8"))["Deployment", NAMESPACE, NAME]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def it_says_what_it_is(image: Image) -> None:
    config = image.config
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("65532:65532", ["liqo-connectivity"], ["run"])
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["version"] == "1.2.3"
    assert labels["revision"] == "abc"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["base.name"] == base_name()


def it_writes_nowhere_but_to_tmp(container: Container) -> None:
    code = """if True:
        import os
        def writes(folder):
            try:
                open(folder + "/probe", "w").close()
            except OSError:
                return False
            return True
        folders = ("/", "/opt/liqo-connectivity", "/run", "/etc", "/tmp")
        print(os.getuid(), os.getgid(), os.getgroups(), *[folder for folder in folders if writes(folder)])
        print([line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")])
    """
    rights = ["0" * 16] * 5
    assert container.run("-c", code, entrypoint=[PYTHON]) == (0, f"65532 65532 [] /tmp\n{rights}\n", "")


def it_runs_the_command(container: Container) -> None:
    assert container.run("version") == (0, f"liqo-connectivity {__version__}\n", "")


def everything_is_compiled_and_nothing_is_left_of_the_build(container: Container) -> None:
    code = """if True:
        import importlib.util, pathlib
        sources = list(pathlib.Path("/opt/liqo-connectivity/lib").rglob("*.py"))
        cached = lambda path: pathlib.Path(importlib.util.cache_from_source(path))
        print(len(sources) > 1000, [str(path) for path in sources if not cached(path).exists()])
        # The second word of the header: 1 for a source that is known by its hash and never looked at.
        print({int.from_bytes(cached(path).read_bytes()[4:8], "little") for path in sources})
        print([name for name in ("pip", "setuptools", "pytest", "mypy") if importlib.util.find_spec(name)])
    """
    assert container.run("-c", code, entrypoint=[PYTHON]) == (0, "True []\n{1}\n[]\n", "")


def the_controller_judges_a_policy(container: Container, plane: ControlPlane, environment: dict[str, str]) -> None:
    policy = {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": "stray", "namespace": plane.namespace("no-tenant")},
        "spec": {"rules": [{"action": "deny"}]},
    }
    path = plane.admin.path(plane.admin.create(policy))
    code, output, errors = container.run(*arguments(), "--once", **environment)
    assert code == exits.UNKNOWN, output + errors
    conditions = {each["type"]: each for each in plane.admin.get(path)["status"]["conditions"]}
    assert conditions["Accepted"]["reason"] == "ClusterIDExtractionFailed"


def the_controller_gets_ready_and_ends_on_sigterm(container: Container, environment: dict[str, str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = container.start(*arguments(), f"--probes-address={address}", "--answers-address=", **environment)
    try:
        eventually(lambda: _answers(f"http://{address}/readyz") or process.poll() is not None, 60)
        assert process.poll() is None, process.communicate()
        os.kill(first_process(process), signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.communicate()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
