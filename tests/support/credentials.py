"""Credentials in every form that a kubeconfig has, right and wrong, with a marker in each."""

import base64
import json
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

SECRET = "s3cr3t-marker"
ENCODED = base64.b64encode(f"user:{SECRET}".encode()).decode()
PARTS = (SECRET, ENCODED[4:-4], base64.b64encode(SECRET.encode()).decode()[:-4])
"""What must not be seen: the marker, and what is left of it in base64."""


def kubeconfig(folder: Path, user: dict[str, Any], cluster: dict[str, Any]) -> Path:
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def plugin(folder: Path, answer: str, code: int = 0) -> dict[str, Any]:
    """An exec plugin that prints an answer."""
    path = folder / f"plugin-{sha256(answer.encode()).hexdigest()[:8]}-{code}"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    env = [{"name": "PLUGIN_PASSWORD", "value": SECRET}]
    return {"exec": {"apiVersion": version, "command": str(path), "args": ["--password", SECRET], "env": env}}


def credential(**status: str) -> str:
    kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    return json.dumps({**kind, "status": status})


def users(folder: Path) -> dict[str, dict[str, Any]]:
    """Every form of a credential, right and wrong, by its name."""
    (folder / "token").write_text(f"{SECRET}\n")
    (folder / "bad-token").write_text(f"{SECRET}\n{SECRET}\n")
    (folder / "bytes").write_bytes(SECRET.encode() + b"\xff\xfe")
    garbage = base64.b64encode(f"-----BEGIN {SECRET} KEY-----\n{SECRET}\n".encode()).decode()
    old = {"access-token": SECRET, "expiry": "2001-01-01T00:00:00Z"}
    jwt = f"{SECRET}.{base64.urlsafe_b64encode(json.dumps({'exp': 1, 'x': SECRET}).encode()).decode().rstrip('=')}.x"
    oidc = {"id-token": jwt, "refresh-token": SECRET, "client-secret": SECRET, "client-id": "me"}
    return {
        "token": {"token": SECRET},
        "token-line-end": {"token": f"{SECRET}\n"},
        "token-control": {"token": f"{SECRET}\x07{SECRET}"},
        "token-two-lines": {"token": f"{SECRET}\r\nX-Other: {SECRET}"},
        "token-not-latin": {"token": f"{SECRET}٣"},
        "token-file": {"tokenFile": str(folder / "token")},
        "token-file-two-lines": {"tokenFile": str(folder / "bad-token")},
        "token-file-bytes": {"tokenFile": str(folder / "bytes")},
        "token-file-gone": {"tokenFile": str(folder / "gone")},
        "basic": {"username": "user", "password": SECRET},
        "basic-control": {"username": f"user\n{SECRET}", "password": SECRET},
        "basic-not-latin": {"username": "٣", "password": SECRET},
        "basic-number": {"username": 7, "password": SECRET},
        "key-data": {"client-certificate-data": garbage, "client-key-data": garbage},
        "key-data-not-base64": {"client-certificate-data": SECRET + "!", "client-key-data": SECRET + "!"},
        "exec-token": plugin(folder, credential(token=SECRET)),
        "exec-token-control": plugin(folder, credential(token=f"{SECRET}\x01")),
        "exec-key": plugin(folder, credential(clientCertificateData=SECRET, clientKeyData=SECRET)),
        "exec-half-a-key": plugin(folder, credential(clientKeyData=SECRET)),
        "exec-fails": plugin(folder, SECRET, 1),
        "exec-garbage": plugin(folder, SECRET),
        "exec-other-version": plugin(folder, json.dumps({"apiVersion": SECRET, "kind": SECRET, "status": SECRET})),
        "exec-no-status": plugin(folder, json.dumps({"token": SECRET})),
        "exec-text-status": plugin(folder, credential()[:-3] + f'"{SECRET}"}}'),
        "exec-odd-expiry": plugin(folder, credential(token=SECRET, expirationTimestamp=SECRET)),
        "exec-missing": {"exec": {"apiVersion": "v1", "command": "no-such-plugin", "args": [SECRET]}},
        "gcp": {"auth-provider": {"name": "gcp", "config": {**old, "cmd-path": "false", "cmd-args": SECRET}}},
        "gcp-no-command": {"auth-provider": {"name": "gcp", "config": old}},
        "oidc": {"auth-provider": {"name": "oidc", "config": {**oidc, "idp-issuer-url": "http://127.0.0.1:9"}}},
        "oidc-no-issuer": {"auth-provider": {"name": "oidc", "config": oidc}},
    }


def is_clean(text: str) -> bool:
    """Whether a text shows no part of the marker."""
    return not any(part in text for part in PARTS)
