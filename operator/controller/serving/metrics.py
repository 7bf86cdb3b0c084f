"""The metrics of the controller, under the names that dashboards of other Kubernetes controllers know.

Metrics that mean the same as in client-go or controller-runtime have their names; all others start with
``liqo_connectivity_``. No label holds the name of a pod or of a policy: the number of time series must not grow with the
cluster. Rules are known by peering and index, and only those that an administrator named have a series.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from liqo_connectivity import __version__

_Key = TypeVar("_Key", tuple[str], tuple[str, str, str], tuple[str, str, str, str])

PREFIX: Final = "liqo_connectivity_"
QUEUE: Final = "peeringconnectivity"
"""The name of the one queue that is measured: the change queue before the control loop."""
CONTROLLER: Final = "peeringconnectivity"

SHORT: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds for our own work, which takes fractions of a millisecond and more."""
CALLS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Upper bounds in seconds for requests to the API server: those of client-go."""


@dataclass(frozen=True, slots=True)
class GaugeValues:
    """The values of the gauges: facts and derived tuples by relation, conditions of policies, named rules, and changes.

    ``conditions`` counts policies by (type, status, reason) of their conditions. ``rules`` are the rules with a name of
    governing policies, as (peering, index, name, action). ``waiting`` is how many changed objects
    the control loop has not taken yet, ``adds`` how many changes ever came in. Never modified.
    """

    waiting: int = 0
    adds: int = 0
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    derived: Mapping[str, int] = field(default_factory=dict[str, int])
    conditions: Mapping[tuple[str, str, str], int] = field(default_factory=dict[tuple[str, str, str], int])
    rules: Sequence[tuple[str, str, str, str]] = ()


class Metrics:
    """Every metric of the controller as an attribute, in its own registry, so that one process can hold several.

    Any thread may use them.
    """

    def __init__(self, lease: str = "liqo-connectivity-engine") -> None:
        self.registry: Final = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        Info(f"{PREFIX}build", "The running version.", registry=self.registry).info({"version": __version__})
        self._gauges = _GaugeCollector()
        self.registry.register(self._gauges)

        self.queue_duration: Final = self._histogram(
            "workqueue_queue_duration_seconds", "Time that the oldest change of a batch waited.", SHORT, "name"
        ).labels(QUEUE)
        self.work_duration: Final = self._histogram(
            "workqueue_work_duration_seconds", "Time that a batch of changes took, writes included.", SHORT, "name"
        ).labels(QUEUE)
        self.queue_retries: Final = self._counter(
            "workqueue_retries_total", "Writes that were backed off.", "name"
        ).labels(QUEUE)

        self.leader: Final = self._gauge(
            "leader_election_master_status", "1 if this process holds the lease, else 0.", "name"
        ).labels(lease)

        self.requests: Final = self._counter(
            "rest_client_requests_total",
            "Requests to the API server; code is <error> if no answer came.",
            "code",
            "method",
            "host",
        )
        self.request_duration: Final = self._histogram(
            "rest_client_request_duration_seconds",
            "Time until the API server answered; of a watch, until the answer began.",
            CALLS,
            "verb",
            "host",
        )

        self.reconciles: Final = self._counter(
            f"{PREFIX}reconcile_total", "Reconciled objects; result: success, error, requeue.", "controller", "result"
        )
        self.reconcile_duration: Final = self._histogram(
            f"{PREFIX}reconcile_duration_seconds", "Time to reconcile one object.", SHORT, "controller"
        ).labels(CONTROLLER)
        self.evaluation_duration: Final = self._histogram(
            f"{PREFIX}evaluation_duration_seconds", "Time to derive the tuples of a batch.", SHORT
        )
        self.applies: Final = self._counter(
            f"{PREFIX}apply_total",
            "Writes of FirewallConfigurations; result: created, updated, unchanged, conflict, refused, unreachable.",
            "result",
        )
        self.watch_restarts: Final = self._counter(
            f"{PREFIX}watch_restarts_total", "Restarted watches, by reason.", "kind", "reason"
        )
        self.watch_last_event: Final = self._gauge(
            f"{PREFIX}watch_last_event_timestamp_seconds",
            "Time of a watch's last event or bookmark, in seconds since 1970.",
            "kind",
        )
        self.cut_connections: Final = self._counter(
            f"{PREFIX}cut_connections_total", "Connections cut because too many were open.", "server"
        )
        self.decode_errors: Final = self._counter(
            f"{PREFIX}decode_errors_total", "Objects that could not be read.", "kind"
        )

    def set_gauges(self, gauges: Callable[[], GaugeValues]) -> None:
        """Set where the gauges come from.

        ``gauges`` is called by a thread of the HTTP server for every scrape: it must return values that are ready.
        """
        self._gauges.take = gauges

    def request(self, method: str, host: str, code: str, seconds: float) -> None:
        """Count and time a request to the API server."""
        self.requests.labels(code, method, host).inc()
        self.request_duration.labels(method, host).observe(seconds)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, about, labels, registry=self.registry, buckets=buckets)


class _GaugeCollector(Collector):
    """Makes the gauges for each scrape; keeps nothing per relation in between."""

    def __init__(self) -> None:
        self.take: Callable[[], GaugeValues] = GaugeValues

    def collect(self) -> Iterable[Metric]:
        gauges = self.take()
        queue = ("name",)
        yield _gauge(
            "workqueue_depth",
            "Changed objects that the control loop has not taken yet.",
            queue,
            {(QUEUE,): gauges.waiting},
        )
        adds = CounterMetricFamily("workqueue_adds_total", "Changes of objects.", labels=queue)
        adds.add_metric([QUEUE], gauges.adds)
        yield adds
        relation = ("relation",)
        facts = {(name,): count for name, count in gauges.facts.items()}
        derived = {(name,): count for name, count in gauges.derived.items()}
        yield _gauge(f"{PREFIX}facts", "Facts of each relation.", relation, facts)
        yield _gauge(f"{PREFIX}derived", "Derived tuples of each relation.", relation, derived)
        about = "PeeringConnectivities by their conditions."
        yield _gauge(f"{PREFIX}policy_conditions", about, ("type", "status", "reason"), gauges.conditions)
        about = "1 for each rule that its policy gives a name."
        yield _gauge(f"{PREFIX}rule_info", about, ("peering", "rule", "name", "action"), dict.fromkeys(gauges.rules, 1))


def _gauge(name: str, about: str, labels: tuple[str, ...], rows: Mapping[_Key, int]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, count in sorted(rows.items()):
        family.add_metric(key, count)
    return family
