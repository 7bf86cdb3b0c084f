"""What nftables, Liqo's agent and the API server can hold: each limit once, with its source.

Nothing above a limit is written. ``rules/limits.dl`` derives from the same numbers that a policy is pending, so what the
constructors of this room refuse is what the rules did not foresee. Liqo's agent is that of v1.2.0 with the open pull
requests liqotech/liqo 3155 (sets) and 3144 (ctstate), measured on kernel 6.18; nft is 1.0.6.
"""

from typing import Final

# ---- Names ----

MAX_CLUSTER_ID: Final = 51
"""Characters of a cluster id. Liqo sets no limit, but ``liqo-tenant-<id>`` has to be a namespace name of at most 63."""
MAX_TABLE_NAME: Final = 255
"""Bytes of a table's name: NFT_TABLE_MAXNAMELEN of the kernel is 256, with the zero at the end."""
MAX_SET_NAME: Final = 200
"""Characters of a set's name in Liqo's CRD. The kernel takes 255 (NFT_SET_MAXNAMELEN)."""
MAX_RULE_NAME: Final = 120
"""Bytes of a rule's name, which becomes the nft comment: nft text takes 128, nft JSON crashes above 253, and the kernel
stores 256 bytes of user data with a rule (NFT_USERDATA_MAXLEN)."""

# ---- One rule ----

MAX_RULE_EXPRESSIONS: Final = 128
"""Expressions of a rule: NFT_RULE_MAXEXPRS in the kernel's nf_tables_api.c."""
MAX_RULE_BYTES: Final = 4095
"""Bytes of a rule's expressions in the kernel, whose field for them (``dlen`` of struct nft_rule) has 12 bits."""
EXPRESSION_BYTES: Final = 88
"""More than any expression that is used here takes in the kernel: 8 and, for the largest (bitwise), about 70."""
OUTSIDE_BYTES: Final = 64
"""What it takes in the kernel to compare an address with a range: 16 for loading it (nft_payload), and 48 for the range
(nft_range_expr)."""
VERDICT_BYTES: Final = 32
"""What the verdict of a rule takes in the kernel (nft_immediate_expr)."""
MAX_OUTSIDE_RANGES: Final = 31
"""Ranges of addresses that one rule can exclude. The kernel would take 63, but Liqo's agent could not read such a rule back: the kernel lists
rules into a buffer of 3,776 bytes (NLMSG_GOODSIZE, netlink_dump, for pages of 4 KiB), and lists none from one on that does not
fit. The agent then takes all rules of the chain for missing and adds them once more (measured: 32 fit beside short names).
31 take 3,700 bytes with the longest names."""
MAX_GUARD_CIDRS: Final = MAX_OUTSIDE_RANGES - 2
"""Remote CIDRs that one guard of a part is for: it also excludes what lies before them and what lies after them."""

# ---- Sets and chains ----

MAX_SET_ELEMENTS: Final = 4095
"""Elements of one set. Liqo's agent puts them into one netlink attribute of 16-bit length: 4,096 fail, 5,000 install
904 and report success."""
MAX_CHAIN_RULES: Final = 1_000
"""Rules of one chain for Liqo's agents, by choice: a linear chain of 1,000 costs 3 to 32 µs per packet. The kernel has no
such limit."""
MAX_PARTS_CIDRS: Final = 500
"""Remote CIDRs that may be told apart by parts, by choice: each is compared with every CIDR of the policy."""
MAX_NFT_RULES: Final = 32_768
"""Rules of one chain for nft, by choice. A rule of a policy is few of them there, and a policy has at most 998."""
MAX_PORT: Final = 65_535
"""The last port: a port has 16 bits."""

# ---- One transaction ----

MAX_BATCH_BYTES: Final = 212_960
"""Bytes of one netlink batch of Liqo's agent. It sends a batch in one message (google/nftables v0.3.0, Conn.Flush), and
does not raise the buffer of its socket: SO_SNDBUF is net.core.wmem_default, 212,992 unless a node sets it, and the kernel
refuses a message of more than that less 32 (EMSGSIZE, netlink_sendmsg). nft raises the buffer for what it sends. An object
within this limit has less than half of the 1.5 MiB that etcd takes in one request."""

# ---- Objects for an agent ----

MAX_SLICE_ADDRESSES: Final = 128
"""Addresses of one slice, by choice: each node is sent the whole slice when one of them changes. An event is 2.4 kB for 100 and
15.3 kB for 1,000 (measured)."""
SLICE_FILL: Final = 96
"""Addresses that a new slice gets at most, so that there is room for those of new pods."""
MAX_SLICES: Final = 1_024
"""Slices of one chain, by choice: 131,072 addresses."""
MAX_SETS: Final = 4_096
"""Sets of one table, by choice."""
MAX_OBJECT_BYTES: Final = 1_048_576
"""Bytes of the spec of a chain or a slice as JSON: etcd takes 1.5 MiB in one request, and an object has metadata too."""
MAX_REVISION: Final = 2**53 - 1
"""The greatest whole number that every reader of JSON has exactly. Milliseconds since 1970 fit for 285,000 years."""
