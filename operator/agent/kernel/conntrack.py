"""What the kernel's connection tracking knows, of which the chains of an agent depend: the ports of SCTP.

A kernel without CONFIG_NF_CT_PROTO_SCTP tracks SCTP as a protocol without ports: a rule that names one would match none of its
packets, so a denied port would be open.
"""

from pathlib import Path
from typing import Final

from liqo_connectivity.chains import AgentTable, PortMatch
from liqo_connectivity.operator.agent.kernel.library import RefusedError
from liqo_connectivity.operator.agent.kernel.writer import Writer

SETTINGS: Final = Path("/proc/sys/net/netfilter")
_ANY: Final = "nf_conntrack_max"
_SCTP: Final = "nf_conntrack_sctp_timeout_established"
_LOADS: Final = """\
add table ip lce-conntrack
add chain ip lce-conntrack unused
add rule ip lce-conntrack unused ct state new
delete table ip lce-conntrack
"""
"""Has the kernel load what tracks connections, which says only then what it knows; leaves nothing."""


def require_ports(writer: Writer, table: AgentTable) -> None:
    """Check that the ports that a table names are known. Raises RefusedError, and what ``writer`` raises."""
    named = [
        rule.name
        for rule in table.rules
        for match in rule.matches
        if isinstance(match, PortMatch) and match.protocol == "sctp" and match.ranges
    ]
    if not named:
        return
    if not (SETTINGS / _ANY).exists():
        writer.apply(_LOADS)
    if not (SETTINGS / _SCTP).exists():
        raise RefusedError(
            f"rule {named[0]} names a port of SCTP, and the kernel of this node does not track SCTP "
            f"({SETTINGS / _SCTP} is absent): it would match no packet. Use a kernel with CONFIG_NF_CT_PROTO_SCTP, or leave "
            "the port out of the rule"
        )
