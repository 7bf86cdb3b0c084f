"""The namespace of this process: the pod's own in a cluster, else that of the kubeconfig's context."""

# The Kubernetes client declares types for hardly any of this.
# pyright: reportUnknownVariableType=false

from pathlib import Path
from typing import Final, cast

from kubernetes.config import ConfigException, list_kube_config_contexts

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT: Final = "default"


def own_namespace(kubeconfig: str, context: str) -> str:
    """Find the namespace; a given kubeconfig or context takes precedence over the pod, as it does for credentials."""
    if not kubeconfig and not context:
        try:
            return SERVICE_ACCOUNT.read_text("utf-8").strip() or _DEFAULT
        except OSError:
            # Not in a pod.
            pass
    try:
        contexts, current = list_kube_config_contexts(kubeconfig or None)  # type: ignore[no-untyped-call]  # theirs
    except (ConfigException, OSError):
        return _DEFAULT
    known = cast("list[dict[str, object]]", contexts)
    chosen = next((each for each in known if each.get("name") == context), cast("dict[str, object]", current or {}))
    details = chosen.get("context")
    named = cast("dict[str, object]", details).get("namespace") if isinstance(details, dict) else None
    return str(named) if named else _DEFAULT
