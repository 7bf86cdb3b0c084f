"""What a kernel remembers of connections, and how to have it forget them."""

import socket
import struct

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_conntrack.h
_NETFILTER, _ERROR = 12, 2
_DELETE = 1 << 8 | 2
_REQUEST, _ACKNOWLEDGE = 1, 4


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
