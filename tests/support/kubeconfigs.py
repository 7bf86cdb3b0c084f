"""The files of a control plane on loopback by which it and its users know each other, and the ports that it takes."""

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path

import trustme


def certify(folder: Path, name: str, leaf: trustme.LeafCert) -> tuple[Path, Path]:
    """Write a key and its certificate; where they are."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    leaf.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    return key, certificate


def write_kubeconfig(folder: Path, server: str, name: str, user: Mapping[str, str]) -> Path:
    """Write the kubeconfig of a user, by a token or a certificate; where it is."""
    path = folder / f"{name}.kubeconfig"
    cluster = {"server": server, "certificate-authority": str(folder / "ca.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def free_port() -> int:
    """A loopback port below those that the kernel gives to outgoing connections, so that it stays free for a restart."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
