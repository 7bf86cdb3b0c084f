"""Derived tuples in, ordered nftables chains out.

The tuples of ``rules/chains.dl`` and ``rules/parts.dl`` (a ``Layout``) become tables in one of two encodings. ``assemble``
makes one ``Table`` for each peering, with only what Liqo's agents can match; ``assemble_nft`` makes two, one for each
family, with fewer rules. ``assemble_agent`` gives the latter a form that judges each packet by its connection
(``AgentTable``). The writers turn tables into text: ``firewall_object``, ``firewall_yaml`` and ``firewall_json`` for Liqo's
agents; ``nft_script`` and ``nft_transaction_json`` for nft; ``agent_script`` and ``agent_transaction_json`` for nft, of an
agent's tables. ``publication`` makes of an agent's tables what is published of them for agents on nodes, ``published_yaml`` and
``published_json`` objects of that, and ``read_published`` the tables again. The views of ``comparison`` read what is stored and what a kernel has, and ``differences`` says how it
differs.

Both encodings give the first packet of a connection the same verdict, in every form. What cannot be written with the same
meaning is a ``ChainError``. This room decides nothing: it names, orders, splits and spells.
"""

from liqo_connectivity.chains.assemble import assemble, assemble_one, with_elements
from liqo_connectivity.chains.assemble_agent import AGENT_PREFIX, OWNER, AgentTable, assemble_agent
from liqo_connectivity.chains.assemble_nft import assemble_nft
from liqo_connectivity.chains.comparison.agent_repair import agent_repair
from liqo_connectivity.chains.comparison.differences import Difference, differences
from liqo_connectivity.chains.comparison.nft_listing import view_listing
from liqo_connectivity.chains.comparison.stored_spec import view_spec
from liqo_connectivity.chains.comparison.views import PREFIXES, TableView, view_table
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.layout import COLUMNS, Layout
from liqo_connectivity.chains.matches import CidrMatch, Icmp6Match, Match, OutsideMatch, PortMatch, SetMatch, StateMatch
from liqo_connectivity.chains.model import WHOLE, Chain, NftRule, Set, Table
from liqo_connectivity.chains.parts import parties
from liqo_connectivity.chains.published.chain_object import chain_object
from liqo_connectivity.chains.published.chain_reading import read_chain
from liqo_connectivity.chains.published.documents import (
    PublishedObjects,
    published_json,
    published_objects,
    published_yaml,
    read_published,
)
from liqo_connectivity.chains.published.metadata import CHAIN_LABEL
from liqo_connectivity.chains.published.model import (
    API_VERSION,
    CHAIN,
    SLICE,
    Incomplete,
    Publication,
    PublishedChain,
    SetSlice,
    SliceReference,
)
from liqo_connectivity.chains.published.publishing import publication
from liqo_connectivity.chains.published.slice_object import read_slice, slice_object
from liqo_connectivity.chains.sets import Elements, Party, party_of
from liqo_connectivity.chains.values import Family
from liqo_connectivity.chains.writers.agent_json import agent_transaction, agent_transaction_json
from liqo_connectivity.chains.writers.agent_text import agent_script
from liqo_connectivity.chains.writers.agent_trace import agent_trace
from liqo_connectivity.chains.writers.agent_update import agent_update
from liqo_connectivity.chains.writers.firewall_configuration import (
    LABELS,
    STANDIN,
    FirewallConfiguration,
    FirewallTemplate,
    fill_template,
    firewall_json,
    firewall_object,
    firewall_template,
    firewall_yaml,
)
from liqo_connectivity.chains.writers.nft_json import nft_transaction, nft_transaction_json
from liqo_connectivity.chains.writers.nft_text import nft_script

__all__ = [
    "AGENT_PREFIX",
    "API_VERSION",
    "CHAIN",
    "CHAIN_LABEL",
    "COLUMNS",
    "LABELS",
    "OWNER",
    "PREFIXES",
    "SLICE",
    "STANDIN",
    "WHOLE",
    "AgentTable",
    "Chain",
    "ChainError",
    "CidrMatch",
    "Difference",
    "Elements",
    "Family",
    "FirewallConfiguration",
    "FirewallTemplate",
    "Icmp6Match",
    "Incomplete",
    "Layout",
    "Match",
    "NftRule",
    "OutsideMatch",
    "Party",
    "PortMatch",
    "Publication",
    "PublishedChain",
    "PublishedObjects",
    "Set",
    "SetMatch",
    "SetSlice",
    "SliceReference",
    "StateMatch",
    "Table",
    "TableView",
    "agent_repair",
    "agent_script",
    "agent_trace",
    "agent_transaction",
    "agent_transaction_json",
    "agent_update",
    "assemble",
    "assemble_agent",
    "assemble_nft",
    "assemble_one",
    "chain_object",
    "differences",
    "fill_template",
    "firewall_json",
    "firewall_object",
    "firewall_template",
    "firewall_yaml",
    "nft_script",
    "nft_transaction",
    "nft_transaction_json",
    "parties",
    "party_of",
    "publication",
    "published_json",
    "published_objects",
    "published_yaml",
    "read_chain",
    "read_published",
    "read_slice",
    "slice_object",
    "view_listing",
    "view_spec",
    "view_table",
    "with_elements",
]
