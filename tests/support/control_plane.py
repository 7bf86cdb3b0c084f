"""A real etcd, API server and controller manager on loopback, for tests that need what no stand-in has.

Admission, schemas with CEL, RBAC, tokens, watches, finalizers and garbage collection are those of Kubernetes. There is
no node and no scheduler: a pod is what a test writes. It must not know Liqo, nor what a test is about.

    with ControlPlane(crds=crds) as plane:
        plane.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        subprocess.run([...], env={"KUBECONFIG": plane.service_account_kubeconfig("shop", "operator")})
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self
from uuid import uuid4

import trustme
from tools.control_plane_binaries import program

from tests.support.api_client import ApiError, Client, Object
from tests.support.etcd_states import EtcdStates
from tests.support.kubeconfigs import certify, free_port, write_kubeconfig
from tests.support.reaper import Reaper
from tests.support.waiting import eventually

ISSUER = "https://kubernetes.default.svc"

# What these make is stored already where a server was ready before, and they look only every second.
_BOOTSTRAP = ("poststarthook/rbac/bootstrap-roles", "poststarthook/scheduling/bootstrap-system-priority-classes")

_STATES = EtcdStates()


class ControlPlane:
    """The programs and their users: with a controller manager if ``controllers``, and feature gates ``features``.

    The ``crds`` are there from the start.
    """

    def __init__(self, *, controllers: bool = True, features: str = "", crds: Iterable[Object] = ()) -> None:
        self._crds = list(crds)
        self._controllers = controllers
        self._features = [f"--feature-gates={features}"] if features else []
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start all, with nothing stored but the CRDs, and wait until the server is ready."""
        binaries = {name: program(name) for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")}
        self._binaries = binaries
        self.folder = Path(mkdtemp(prefix="control-plane-"))
        self._reaper = Reaper(self.folder)
        self.etcd = f"http://127.0.0.1:{free_port()}"
        self.server = f"https://127.0.0.1:{free_port()}"
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(self.folder / "ca.crt")
        certify(self.folder, "server", self.authority.issue_cert("127.0.0.1", "localhost"))
        certify(self.folder, "service-accounts", self.authority.issue_cert("service-accounts.test"))
        self.admin = self.client(self.kubeconfig())
        restored = _STATES.restore(self._crds, self._data)
        self._start_etcd()
        self._start_apiserver(_BOOTSTRAP if restored else ())
        if restored:
            self._wait_until_served(self._crds)
        else:
            self.install(self._crds)
            self.pause_etcd()
            _STATES.keep(self._crds, self._data)
            self.resume_etcd()
        if self._controllers:
            self._start_controllers()

    def stop(self) -> None:
        """End all and remove what they stored; nothing if nothing runs."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        if hasattr(self, "_reaper"):
            self._reaper.reap()
            del self._reaper
        for process in self._running.values():
            process.wait()
        self._running.clear()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)  # what a dying program wrote after the reaper

    def reset(self) -> None:
        """Forget every object but the first CRDs; the server gets a new address and new users."""
        self.stop()
        self.start()

    # -- users

    def kubeconfig(self, user: str = "admin", group: str = "system:masters") -> Path:
        """A kubeconfig for a user of a group, who is known by a certificate."""
        name = f"{user}-{uuid4().hex}".replace(":", "-")
        leaf = self.authority.issue_cert("client.test", common_name=user, organization_name=group)
        key, certificate = certify(self.folder, name, leaf)
        return write_kubeconfig(
            self.folder, self.server, name, {"client-certificate": str(certificate), "client-key": str(key)}
        )

    def service_account_kubeconfig(self, namespace: str, name: str, seconds: int = 3600) -> Path:
        """A kubeconfig with a token of the service account, which is created if there is none, asked of the server."""
        try:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}}
            self.admin.create(account)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        wanted = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        token = self.admin.request("POST", path, wanted)["status"]["token"]
        return write_kubeconfig(self.folder, self.server, f"{namespace}-{name}-{uuid4().hex}", {"token": token})

    def client(self, kubeconfig: Path) -> Client:
        """A client for the user of a kubeconfig; it is closed with the control plane."""
        client = Client(kubeconfig)
        self._clients.append(client)
        return client

    def kubectl(self, *arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator or as another user; the caller looks at its exit code."""
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig()),
            "HOME": str(self.folder),
            # What the server serves changes from test to test, and kubectl would believe what it saw for hours.
            "KUBECACHEDIR": str(self.folder / f"kubectl-{uuid4().hex}"),
        }
        command = [str(self._binaries["kubectl"]), *arguments]
        return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)

    # -- state

    def install(self, crds: Iterable[Object]) -> None:
        """Apply CRDs and wait until the server takes objects of every version that they serve."""
        crds = list(crds)
        for crd in crds:
            self.admin.apply(crd)
        self._wait_until_served(crds)

    def _wait_until_served(self, crds: Iterable[Object]) -> None:
        for crd in crds:
            spec = crd["spec"]
            for version in (version["name"] for version in spec["versions"] if version["served"]):
                eventually(partial(self.admin.serves, f"{spec['group']}/{version}", spec["names"]["kind"]))

    def namespace(self, prefix: str = "test", labels: Mapping[str, str] | None = None) -> str:
        """The name of a new namespace that no other test has."""
        name = f"{prefix}-{uuid4().hex[:12]}"
        self.admin.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}
        )
        return name

    # -- faults

    def kill_apiserver(self) -> None:
        """SIGKILL; what is stored stays in etcd."""
        self._kill("kube-apiserver")

    def restart_apiserver(self) -> None:
        """Start the killed server again, at the same address, and wait until it is ready."""
        self._start_apiserver(_BOOTSTRAP)

    def pause_etcd(self) -> None:
        """SIGSTOP: the server's reads of its cache go on, its writes hang."""
        etcd = self._running["etcd"]
        etcd.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, etcd.pid, os.WSTOPPED)  # until every thread of it stands still

    def resume_etcd(self) -> None:
        """Let the paused etcd go on."""
        self._running["etcd"].send_signal(signal.SIGCONT)

    # -- programs

    @property
    def _data(self) -> Path:
        return self.folder / "etcd"

    def _start_etcd(self) -> None:
        peer = "http://127.0.0.1:0"  # there is no other member
        self._run(
            "etcd",
            f"--data-dir={self._data}",
            f"--listen-client-urls={self.etcd}",
            f"--advertise-client-urls={self.etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # what is lost with the machine is lost with the test
            "--log-level=error",
        )

    def _start_apiserver(self, unneeded: Sequence[str]) -> None:
        files = {name: self.folder / name for name in ("ca.crt", "server.crt", "server.key", "service-accounts.key")}
        self._run(
            "kube-apiserver",
            f"--etcd-servers={self.etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.server.rpartition(':')[2]}",
            f"--tls-cert-file={files['server.crt']}",
            f"--tls-private-key-file={files['server.key']}",
            f"--client-ca-file={files['ca.crt']}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-signing-key-file={files['service-accounts.key']}",
            f"--service-account-key-file={files['service-accounts.key']}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",  # no endpoint may be a loopback address
            "--disable-admission-plugins=ServiceAccount",  # no pod runs, so none waits for a token
            *self._features,
        )
        eventually(lambda: self._alive("kube-apiserver") and self.admin.get("/readyz", exclude=unneeded), 120)
        eventually(lambda: self.admin.get("/api/v1/namespaces/default"))

    def _start_controllers(self) -> None:
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            "--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )

    def _run(self, name: str, *arguments: str) -> None:
        with Path(self.folder, f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [self._binaries[name], *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it
            )
        self._running[name] = process
        self._tell_reaper()

    def _kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()
        self._tell_reaper()

    def _tell_reaper(self) -> None:
        self._reaper.watch(process.pid for process in self._running.values())

    def _alive(self, name: str) -> bool:
        """Whether it runs; RuntimeError with the end of its log if it ended by itself."""
        if self._running[name].poll() is not None:
            raise RuntimeError(f"{name} ended: {self.log(name)[-2000:]}")
        return True

    def log(self, name: str) -> str:
        """What a program has written: etcd, kube-apiserver or kube-controller-manager."""
        return Path(self.folder, f"{name}.log").read_text(encoding="utf-8", errors="replace")
