"""What is asked about: flows as facts, each with its destination port if it has one.

A flow without a port stands for all traffic between its ends. Where rules tell ports apart, one flow is asked for each
class of ports, and its port stands for all of them.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from liqo_connectivity.engine import Row
from liqo_connectivity.rules.relations import Flow, FlowPort

OTHER: Final = "other"
"""The protocol of the traffic that no port tells apart."""
_PORTLESS: Final = ("icmp", OTHER)
"""Protocols without ports."""


class Ports(NamedTuple):
    """Ports of a protocol, from ``first`` to ``last``: tcp, udp or sctp, or with 0 to 65535 icmp or other."""

    protocol: str
    first: int
    last: int


class Question(NamedTuple):
    """A flow in question and its port. ``ports`` is the class of ports that it stands for, if it stands for one.

    ``pair`` names the question before classes of ports are told apart.
    """

    flow: Flow
    port: FlowPort | None
    pair: str
    ports: Ports | None = None


def question(source: str, destination: str, state: str, port: tuple[int, str] | None = None) -> Question:
    """Make the question about two addresses and a port (number, protocol); the number of icmp and other is 0."""
    name = f"{source} -> {destination}" + (f" {port_text(*port)}" if port else "")
    return Question(Flow(name, source, destination, state), FlowPort(name, *port) if port else None, name)


def of_class(asked: Question, ports: Ports) -> Question:
    """Make the question about a class of ports from one without a port."""
    flow = asked.flow
    own = question(flow.source, flow.destination, flow.state, (ports.first, ports.protocol))
    return Question(own.flow, own.port, asked.pair, ports)


def port_text(number: int, protocol: str) -> str:
    """Write a port as ``tcp/443``, or the protocol alone if it has no ports."""
    return protocol if protocol in _PORTLESS else f"{protocol}/{number}"


def question_facts(asked: Iterable[Question]) -> dict[str, list[Row]]:
    """Give the facts that assert questions, by relation."""
    asked = list(asked)
    return {"flow": [q.flow for q in asked], "flow_port": [q.port for q in asked if q.port is not None]}
