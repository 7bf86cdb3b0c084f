"""What a kernel remembers of connections, and how to have it forget them."""

import socket
import struct
from pathlib import Path
from typing import Final

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_conntrack.h
_NETFILTER, _ERROR = 12, 2
_DELETE = 1 << 8 | 2
_REQUEST, _ACKNOWLEDGE = 1, 4

_SCTP: Final = "netfilter/nf_conntrack_sctp_timeout_cookie_wait"
TRACKS_SCTP: Final = Path("/proc/sys/net", _SCTP).exists()
"""Whether the kernel tells connections of SCTP between two addresses apart."""
PATIENT: Final = {_SCTP: "600"} if TRACKS_SCTP else {}
"""What to write under /proc/sys/net so that an association lives on whose handshake is not complete, for longer than 3 seconds."""


def flush() -> None:
    """Forget all connections of the current network namespace. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as netlink:
        netlink.bind((0, 0))
        body = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
        netlink.send(struct.pack("=IHHII", 16 + len(body), _DELETE, _REQUEST | _ACKNOWLEDGE, 1, 0) + body)
        answer = netlink.recv(4096)
    kind, result = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != _ERROR or result:
        raise OSError(-result, "the kernel did not forget its connections")
