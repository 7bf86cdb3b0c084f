"""The image, built from the Dockerfile by buildah, and containers of it under what the Deployment allows them.

Where there is no registry, a Debian with its own Python stands in for the base image, under that image's name; and the
wheels are given as a build context, so that the build itself gets no network at all. A container is a mount and a
process namespace: a read-only root, a user without any right, and the network of the tests. Needs root.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.go_programs import cache

from tests.support.checkout import ROOT

PYTHON_OF = {"bookworm": "3.11"}
"""The version of Debian's own Python, by release."""
BUILD_TOOLS = "python3,python3-venv"

# The arguments are the folder of the root file system, user, group, and the command. What a kubelet mounts is mounted
# first, then everything else is made read-only. setpriv is the image's own: the root is entered with rights, the command
# without.
_CONTAINER = """
set -e
root=$1 user=$2 group=$3; shift 3
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs \\
    --inh-caps=-all --bounding-set=-all "$@"
"""


def base_name() -> str:
    """The base image that the Dockerfile names."""
    found = re.search(r"^FROM (\S+) AS base$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found, "the Dockerfile names no base"
    return found[1]


def debian_release() -> str:
    """The release of Debian that the base image is of."""
    return base_name().rpartition("-")[2]


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a store: its name, its configuration, and the store that holds it."""

    name: str
    store: Path

    @property
    def config(self) -> Mapping[str, Any]:
        """User, Entrypoint, Cmd, Env and Labels, as the OCI writes them."""
        described: Any = json.loads(_buildah(self.store, "inspect", "--type", "image", self.name))
        config: Mapping[str, Any] = described["OCIv1"]["config"]
        return config

    @contextmanager
    def container(self) -> Iterator["Container"]:
        """A root file system of this image, gone afterwards."""
        name = _buildah(self.store, "from", "--pull-never", self.name).strip()
        try:
            yield Container(Path(_buildah(self.store, "mount", name).strip()), self.config)
        finally:
            _buildah(self.store, "rm", name)


@dataclass(frozen=True, slots=True)
class Container:
    """A root file system, and the configuration of its image."""

    root: Path
    config: Mapping[str, Any]

    def write(self, path: str, text: str) -> None:
        """Put a file there, as a kubelet mounts a Secret: read by all, written by none."""
        # Debian's /var/run is an absolute link, which points out of a root that is not entered.
        file = self.root / path.removeprefix("/").replace("var/run/", "run/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o444)

    def start(self, *arguments: str, entrypoint: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
        """Run the entrypoint with arguments as the image's user, as the first process of its namespace."""
        given = dict(entry.split("=", 1) for entry in self.config["Env"]) | environment
        variables = [f"{key}={value}" for key, value in given.items()]
        command = ["env", "-i", *variables, *(entrypoint or self.config["Entrypoint"]), *arguments]
        user, _, group = self.config["User"].partition(":")
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private"]
        return subprocess.Popen(
            [*unshare, "sh", "-c", _CONTAINER, "container", str(self.root), user, group, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, entrypoint: Sequence[str] = (), **environment: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a run that ends by itself."""
        process = self.start(*arguments, entrypoint=entrypoint, **environment)
        output, errors = process.communicate(timeout=180)
        return process.returncode, output, errors


def first_process(process: subprocess.Popen[str]) -> int:
    """The process that is the container's first, as this machine numbers it."""
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


@contextmanager
def built() -> Iterator[Image]:
    """The image of this checkout."""
    with TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder:
        store = Path(folder, "store")
        wheels = Path(folder, "wheels")
        _download(wheels)
        _import_base(store)
        context = ("--build-context", f"wheels={wheels}", "--build-arg", "PIP_NO_INDEX=1")
        labels = ("--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc")
        arguments = ("build", "--isolation", "chroot", "--pull-never", *context, *labels, "--tag", "engine", str(ROOT))
        _buildah(store, *arguments, isolated=True)
        yield Image("localhost/engine", store)


def _download(folder: Path) -> None:
    """The locked packages for the base's Python, as wheels."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    python = ["--only-binary", ":all:", "--python-version", PYTHON_OF[debian_release()]]
    lock = ["--require-hashes", "--requirement", str(ROOT / "requirements.lock")]
    _run([*pip, *python, *lock, "--dest", str(folder)])


def _import_base(store: Path) -> None:
    """The stand-in for the base image, under its name."""
    archive = cache() / f"base-{debian_release()}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{archive}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            with TemporaryDirectory(dir=archive.parent) as folder:
                made = f"{folder}/base.tar"
                # Devices are the container's to have; and a tar file keeps its owners.
                include = f"--include={BUILD_TOOLS}"
                _run(["debootstrap", "--variant=minbase", include, debian_release(), f"{folder}/root"])
                _run(["tar", "--create", "--file", made, "--exclude=./dev/*", "--directory", f"{folder}/root", "."])
                Path(made).rename(archive)
    name = _buildah(store, "from", "scratch").strip()
    _buildah(store, "add", "--quiet", name, str(archive), "/")
    _buildah(store, "commit", "--quiet", "--rm", name, base_name())


def _buildah(store: Path, *arguments: str, isolated: bool = False) -> str:
    # vfs copies, and so works on every file system. A new network namespace has no way out.
    command = ["buildah", "--root", str(store), "--runroot", f"{store}-run", "--storage-driver", "vfs", *arguments]
    return _run(["unshare", "--net", *command] if isolated else command)


def _run(command: Sequence[str]) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, (
        f"{command} exited with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout
