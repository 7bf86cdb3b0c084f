"""The connection to an API server: address, credentials and transport, taken from the pod or from a kubeconfig."""

# The Kubernetes client declares types for hardly any of this.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from typing import Final

from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from liqo_connectivity import __version__

CONNECTIONS: Final = 32
"""Connections that are kept open: one for each thread, with some to spare."""


class NotConfigured(Exception):  # noqa: N818  it says what is the matter
    """No cluster is configured: there is neither a pod's service account nor a usable kubeconfig."""


def connect(kubeconfig: str = "", context: str = "", connections: int = CONNECTIONS) -> ApiClient:
    """Make a client with the credentials of the pod that this process runs in, or else of a kubeconfig.

    A given kubeconfig or context takes precedence over the pod. Raises NotConfigured.
    """
    configuration = Configuration()
    # Otherwise urllib3 sleeps for a Retry-After, and repeats a DELETE or PUT whose answer was lost.
    configuration.retries = False
    configuration.keep_alive = True
    configuration.connection_pool_maxsize = connections
    try:
        if kubeconfig or context:
            load_kube_config(kubeconfig or None, context or None, configuration)  # type: ignore[no-untyped-call]  # theirs
        else:
            _load_default(configuration)
    except (ConfigException, OSError) as error:
        hint = "run it in a pod with a service account, or name a cluster with --kubeconfig and --context"
        raise NotConfigured(f"no cluster to talk to: {error}; {hint}") from None
    client = ApiClient(configuration)
    client.user_agent = f"liqo-connectivity-engine/{__version__}"
    return client


def _load_default(configuration: Configuration) -> None:
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # theirs
    except ConfigException:
        load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # theirs
