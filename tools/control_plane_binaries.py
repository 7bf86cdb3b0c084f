"""Where the real control plane comes from: programs built from pinned Go modules, and Liqo's CRDs out of such a module.

Run as a script it prepares all of them and says what it does. A program of ``KUBEBUILDER_ASSETS`` is taken as it is;
one that is in the cache is not built again. It must not know how a control plane is started.
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

MODULES = Path(__file__).parent / "control_plane"
LOCK = MODULES / "go.lock"

# Liqo's releases, the newest first, each with the hash of its module as a go.sum writes it.
LIQO = "github.com/liqotech/liqo"
LIQO_SUMS = {
    "v1.2.0": "h1:2KOA/pMeIz/2+HglNF/YcfAdn3iQH1wRRIbUm2TvzfM=",
    "v1.1.2": "h1:DgGPkR6rWM1b1iKJR89tugTOKiNK9uUeghonjTI4Jx0=",
}
_LIQO_CRDS = "deployments/liqo/charts/liqo-crds/crds"

_HEARTBEAT_SECONDS = 60


class PreparationError(RuntimeError):
    """A part of the control plane could not be made."""


def _kubernetes_flags() -> str:
    """Without them the server calls itself v0.0.0-master, which kubectl and Helm cannot compare with what they need."""
    [(version, major, minor)] = re.findall(
        r"(?m)^require k8s\.io/kubernetes (v(\d+)\.(\d+)\S+)", (MODULES / "kubernetes" / "go.mod").read_text()
    )
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())


@dataclass(frozen=True, slots=True)
class Program:
    """An executable: its name, the folder with the go.mod and go.sum that pin it, and the package it is built from."""

    name: str
    module: str
    package: str
    flags: str = ""

    def build_flags(self) -> tuple[str, ...]:
        return ("-mod=readonly", "-trimpath", "-ldflags", f"-s -w {self.flags}".strip())

    def cached(self) -> Path:
        """Where the program is, or will be, in the cache; another pin or flag is another place."""
        digest = hashlib.sha256(" ".join(self.build_flags()).encode())
        for file in ("go.mod", "go.sum"):
            digest.update((MODULES / self.module / file).read_bytes())
        return cache() / f"{self.module}-{digest.hexdigest()[:16]}" / self.name


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


def cache() -> Path:
    """The folder that holds what was prepared, for this system and processor."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "liqo-connectivity", "controlplane", f"{sys.platform}-{platform.machine()}")


def program(name: str) -> Path:
    """The executable of that name, prepared if it is not there yet; PreparationError if that fails."""
    [wanted] = [program for program in PROGRAMS if program.name == name]
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(given := Path(assets, name), os.X_OK):
        return given
    path = wanted.cached()
    if not path.exists():
        with _lock():
            if not path.exists():  # another process may have built it while we waited
                _build(wanted, path)
    return path


def liqo_crds(version: str) -> Path:
    """The folder with the CRDs of a Liqo release, prepared if it is not there yet; PreparationError if that fails."""
    digest = hashlib.sha256(LIQO_SUMS[version].encode()).hexdigest()[:16]
    folder = cache() / f"liqo-crds-{version}-{digest}"
    if not folder.exists():
        with _lock():
            if not folder.exists():
                _copy_crds(version, folder)
    return folder


def _build(wanted: Program, path: Path) -> None:
    source = MODULES / wanted.module
    go, environment = _go()
    # Those that the package needs, and each must have its sum; `go mod download` would also take some that have none.
    modules = [go, "list", "-mod=readonly", "-deps", wanted.package]
    _fetch(f"downloading the modules of {wanted.name}", modules, source, environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, wanted.name)
        command = [go, "build", *wanted.build_flags(), "-o", str(made), wanted.package]
        _run(f"building {wanted.name}", command, source, environment)
        made.rename(path)


def _copy_crds(version: str, folder: Path) -> None:
    go, environment = _go()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as made:
        # The sum is ours to check: the checksum database need not be reachable.
        command = [go, "mod", "download", "-json", f"{LIQO}@{version}"]
        answer = _fetch(
            f"downloading the CRDs of Liqo {version}", command, Path(made), environment | {"GOSUMDB": "off"}
        )
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


def _go() -> tuple[str, dict[str, str]]:
    """A Go that can build what is pinned, and the environment to run it in."""
    # Local: a Go that is too old must not fetch another one by itself, past every pin.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    needed = max(
        _version((file / "go.mod").read_text(), r"(?m)^go (\S+)$") for file in MODULES.iterdir() if file.is_dir()
    )
    found = shutil.which("go")
    if found:
        told = subprocess.run([found, "version"], env=environment, text=True, capture_output=True, check=False).stdout
        if _version(told, r"\bgo(\d\S*)") >= needed:
            return found, environment
    folder = cache() / f"go-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        with TemporaryDirectory(dir=folder.parent) as made:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            target = Path(made, "target")
            pinned = ["--require-hashes", "--only-binary", ":all:", "--target", str(target), "--requirement", str(LOCK)]
            _fetch("installing Go, for there is none that is new enough", [*pip, *pinned], MODULES, environment)
            target.rename(folder)
    return str(go), {name: value for name, value in environment.items() if name != "GOROOT"}


def _version(text: str, pattern: str) -> tuple[int, ...]:
    """The first match as numbers, without what follows them (rc1); empty, which is less than any, without a match."""
    found = re.search(pattern, text)
    return tuple(map(int, re.findall(r"\d+", re.split(r"[a-z]", found[1])[0]))) if found else ()


def _fetch(step: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run what needs the network, which may be away for a moment; its output."""
    for seconds in (2, 10):
        try:
            return _run(step, command, folder, environment)
        except PreparationError as error:
            print(f"control plane: again in {seconds} s: {error}", flush=True)
            time.sleep(seconds)
    return _run(step, command, folder, environment)


def _run(step: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run it, say now and then that it still runs, and return its output."""
    start = time.monotonic()
    print(f"control plane: {step}", flush=True)
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        while True:
            try:
                output, errors = child.communicate(timeout=_HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                print(f"control plane: still {step} ({time.monotonic() - start:.0f} s)", flush=True)
            except BaseException:
                child.kill()
                raise
    if child.returncode != 0:
        raise PreparationError(f"{step} failed: {' '.join(command)}\n{errors[-4000:]}{output[-4000:]}")
    print(f"control plane: {step} took {time.monotonic() - start:.1f} s", flush=True)
    return output


@contextmanager
def _lock() -> Iterator[None]:
    """One process at a time prepares: two would build the same twice, on the same cores."""
    cache().mkdir(parents=True, exist_ok=True)
    with Path(cache(), "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, even by a crash
        yield


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
