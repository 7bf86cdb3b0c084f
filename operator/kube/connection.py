"""The connection to an API server: address, credentials and transport, taken from the pod or from a kubeconfig."""

from typing import Final

from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration

from liqo_connectivity import __version__
from liqo_connectivity.operator.kube.credentials import CredentialsError, load_credentials

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
        load_credentials(configuration, kubeconfig, context)
    except CredentialsError as error:
        raise NotConfigured(f"no cluster to talk to: {error}") from None
    try:
        client = ApiClient(configuration)
    except Exception as error:  # noqa: BLE001  its text may hold the proxy's password
        raise NotConfigured(f"the proxy cannot be used ({type(error).__name__}): check its URL") from None
    client.user_agent = f"liqo-connectivity-engine/{__version__}"
    return client
