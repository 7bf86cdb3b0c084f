"""Loads what a connection needs from the pod or a kubeconfig, and gives the Authorization header of each request.

The official client puts entries of the kubeconfig into its errors, logs what goes wrong with a plugin, and sends a token
file with its line end. Here no error holds any part of a credential: it names the place of a fault, and never quotes it.
"""

# The Kubernetes client declares types for hardly any of this.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false, reportUnknownParameterType=false, reportUntypedBaseClass=false

import os
import re
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException, dateutil, exec_provider, incluster_config, kube_config
from yaml import MarkedYAMLError

_ENTRY: Final = re.compile(r"/\{.*\}", re.DOTALL)
"""An entry of a kubeconfig in an error of the client, with all that it holds."""
_HEADER: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]+")
"""What a header may hold (RFC 9110)."""
_CONFIG: Final[Any] = kube_config
_INCLUSTER: Final[Any] = incluster_config
_EXEC: Final[Any] = exec_provider
_DATE: Final[Any] = dateutil


class CredentialsError(Exception):
    """Credentials cannot be loaded, refreshed or sent. The message holds no part of them."""


def load_credentials(configuration: Configuration, kubeconfig: str, context: str) -> None:
    """Load address and credentials from the pod, or from a kubeconfig if one or a context is given or there is no pod.

    Raises CredentialsError.
    """
    try:
        if kubeconfig or context:
            _load_kubeconfig(configuration, kubeconfig, context)
        else:
            _load_default(configuration)
    except Exception as error:  # noqa: BLE001  the client lets through whatever a malformed file makes it raise
        raise CredentialsError(_reason(error)) from None
    _check_server(configuration.host)
    # So that a header that cannot be sent is a fault of the configuration, not of the first request.
    authorization(configuration)


def authorization(configuration: Configuration) -> str:
    """The current Authorization header, empty for none; a token that is about to expire is read or requested again.

    Raises CredentialsError.
    """
    try:
        found = configuration.auth_settings().get("BearerToken")
    except Exception as error:  # noqa: BLE001  see above
        raise CredentialsError(f"the credentials could not be refreshed: {_reason(error)}") from None
    if found is None:
        return ""
    # A token in a file ends with a line end.
    scheme, _, secret = (found["value"] or "").strip().partition(" ")
    secret = secret.strip()
    if not secret:
        raise CredentialsError("the token is empty")
    if not _HEADER.fullmatch(secret):
        raise CredentialsError("the token holds a line end or another character that no HTTP header may hold")
    return f"{scheme} {secret}"


def _load_default(configuration: Configuration) -> None:
    try:
        _INCLUSTER.load_incluster_config(configuration)
    except ConfigException:
        _load_kubeconfig(configuration, "", "")


def _load_kubeconfig(configuration: Configuration, kubeconfig: str, context: str) -> None:
    paths = kubeconfig or _CONFIG.KUBE_CONFIG_DEFAULT_LOCATION
    merged = _CONFIG.KubeConfigMerger(paths)
    if merged.config is None:
        hint = "run it in a pod with a service account, or name a cluster with --kubeconfig and --context"
        raise ConfigException(f"there is no kubeconfig {os.path.expanduser(paths)}; {hint}")
    contexts = [str(entry.value["name"]) for entry in merged.config.value["contexts"]]
    if (context or merged.config.value.get("current-context")) not in contexts:
        what = f"context {context!r}" if context else "current context"
        raise ConfigException(f"{paths} has no {what}; its contexts are: {', '.join(contexts) or 'none'}")
    load: Any = _Loader
    persist = merged.save_changes
    load(merged.config, context or None, config_base_path=None, config_persister=persist).load_and_set(configuration)


class _Loader(kube_config.KubeConfigLoader):
    """The client's loader, for which a plugin that fails is an error: the client goes on without credentials."""

    def _load_from_exec_plugin(self) -> Literal[True] | None:
        user: Any = self._user
        if "exec" not in user:
            return None
        spec = user["exec"]
        command = f"the exec plugin {spec.safe_get('command')}"
        try:
            cluster: Any = self._cluster
            _take(self, _EXEC.ExecProvider(spec, os.path.dirname(os.path.abspath(cluster.path)), cluster).run())
        except FileNotFoundError:
            hint = spec.safe_get("installHint")
            how = " ".join(str(hint or "install it, or name its path in the kubeconfig").split())
            raise ConfigException(f"{command} is not installed: {how}") from None
        except OSError as error:
            raise ConfigException(f"{command} cannot be run: {error.strerror}") from None
        except Exception as error:  # noqa: BLE001  its text may hold what the plugin printed
            code = re.match(r"exec: process returned (-?[0-9]+)", str(error))
            what = f"exited with {code[1]}" if code else "did not answer with a credential"
            raise ConfigException(f"{command} {what}; run it to see why") from None
        return True


def _take(loader: Any, status: Any) -> None:
    """Take over the credentials that a plugin answered, as the client does."""
    if "token" in status:
        loader.token = f"Bearer {status['token']}"
    else:
        loader.cert_file, loader.key_file = (
            _CONFIG.FileOrData(status, None, data_key_name=name, base64_file_content=False).as_file()
            for name in ("clientCertificateData", "clientKeyData")
        )
        if not loader.cert_file or not loader.key_file:
            raise ConfigException("neither a token nor a client certificate with its key")
    if "expirationTimestamp" in status:
        loader.expiry = _DATE.parse_rfc3339(status["expirationTimestamp"])


def _check_server(url: str) -> None:
    """Raise CredentialsError unless a server's URL can be used and shown."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    else:
        if "@" in parts.netloc:
            raise CredentialsError("the server's URL holds a user name or a password; credentials belong to a user")
    if not usable:
        raise CredentialsError("the server's URL is not http:// or https:// with a host")


def _reason(error: Exception) -> str:
    """What went wrong, in one line and without any part of a credential."""
    match error:
        case MarkedYAMLError(problem_mark=mark) if mark is not None:
            return f"{mark.name} is not YAML: line {mark.line + 1}, column {mark.column + 1}"
        case ConfigException():
            return _ENTRY.sub("", str(error).partition("\n")[0])
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        case _:
            # Its text may hold a part of the file.
            return f"the kubeconfig or token file is malformed ({type(error).__name__})"
