"""The metrics of an agent: what rules counted, and what the agent did. No label holds a pod or an address."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Info
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from liqo_connectivity import __version__
from liqo_connectivity.operator.agent.kernel.reader import Counted, Reader
from liqo_connectivity.operator.agent.telling.counts import CounterKey, by_rule
from liqo_connectivity.operator.agent.telling.state import AgentState
from liqo_connectivity.operator.controller.serving.metrics import PREFIX

_Key = TypeVar("_Key", tuple[()], tuple[str], tuple[str, str])
_AGENT: Final = f"{PREFIX}agent_"


def registry(state: Callable[[], AgentState]) -> CollectorRegistry:
    """A registry of all metrics. ``state`` is called for every scrape, by the thread that serves it."""
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    Info(f"{PREFIX}build", "The running version.", registry=made).info({"version": __version__})
    made.register(_AgentCollector(state))
    return made


def counted(state: AgentState) -> list[tuple[CounterKey, Counted]]:
    """What the counters of the tables in the kernel have counted. Raises OSError."""
    with closing(Reader()) as reader:
        return [
            (CounterKey(family, table, name), count)
            for family, table in state.tables
            for name, count in reader.counters(family, table).items()
        ]


class _AgentCollector(Collector):
    """Reads the kernel's counters for each scrape."""

    def __init__(self, state: Callable[[], AgentState]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        state = self._state()
        rules = by_rule(counted(state))
        keys = ("peering", "rule")
        about = "Packets that a rule decided, in both directions and families."
        yield _counter(f"{PREFIX}rule_packets_total", about, keys, {(r.peering, r.rule): r.packets for r in rules})
        about = "Bytes of these packets, with their IP headers."
        yield _counter(f"{PREFIX}rule_bytes_total", about, keys, {(r.peering, r.rule): r.bytes for r in rules})
        about = "Tables that others had changed and that were put right."
        yield _counter(f"{_AGENT}repairs_total", about, (), {(): state.repairs})
        yield _counter(f"{_AGENT}transactions_total", "Transactions with the kernel.", (), {(): state.writes})
        yield _counter(f"{_AGENT}writer_starts_total", "Processes that write, started.", (), {(): state.starts})
        with closing(Reader()) as reader:
            generation = reader.generation()
        about = "The kernel's number of the last change of any table, by anyone."
        yield _gauge(f"{_AGENT}kernel_generation", about, (), {(): generation})
        each = state.peerings.items()
        about = "When chains of a peering were last applied, in seconds since 1970."
        times = {(peering,): held.time for peering, held in each if held.time is not None}
        yield _gauge(f"{_AGENT}last_apply_timestamp_seconds", about, ("peering",), times)
        about = "1 if the kernel has not the chains that are wanted, but those applied last."
        failing = {(peering,): int(held.error != "") for peering, held in each}
        yield _gauge(f"{_AGENT}failing", about, ("peering",), failing)
        about = "Addresses in the sets of a peering."
        yield _gauge(f"{_AGENT}elements", about, ("peering",), {(peering,): held.elements for peering, held in each})


def _counter(name: str, about: str, labels: tuple[str, ...], rows: Mapping[_Key, float]) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for key, value in sorted(rows.items()):
        family.add_metric(key, value)
    return family


def _gauge(name: str, about: str, labels: tuple[str, ...], rows: Mapping[_Key, float]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, value in sorted(rows.items()):
        family.add_metric(key, value)
    return family
