"""Which agents an edit waits for: those that run, and for a while those that were there."""

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import AGENT, FIREWALL, Agent, StoredFirewall, agent
from liqo_connectivity.operator.controller.reconcile.agent_presence import AgentPresence

PATIENCE = 30.0


def fabric(name: str, node: str = "", *, live: bool = True, away: bool = False) -> Agent:
    return Agent(ObjectKey(AGENT, "liqo", name), live, node or f"node-{name}", away)


class Agents:
    """The agents of a cluster, and what has applied an object."""

    def __init__(self, *there: Agent) -> None:
        self.known = {each.key: each for each in there}
        self.presence = AgentPresence(self.known, PATIENCE)

    def set(self, changed: Agent) -> None:
        self.known[changed.key] = changed

    def drop(self, gone: Agent) -> None:
        del self.known[gone.key]

    def applied(self, now: float, **reports: str) -> bool:
        self.presence.look(now)
        hosts = tuple(sorted(reports.items()))
        key = ObjectKey(FIREWALL, "liqo-tenant-milan", "milan-connectivity")
        return self.presence.have_applied(StoredFirewall(key, "", "", 1, False, "", "", "", "", False, hosts, ()))


def test_an_agent_that_is_ready_is_waited_for_however_long_it_takes() -> None:
    agents = Agents(fabric("a"), fabric("b"))
    for now in (0, PATIENCE, 100 * PATIENCE):
        assert not agents.applied(now, a="True")
        assert not agents.applied(now, a="True", b="False")
        assert agents.presence.look(now) is None, "only a report ends that"
    assert agents.applied(0, a="True", b="True")


def test_a_node_that_is_down_is_waited_for_for_a_while() -> None:
    agents = Agents(fabric("a"), fabric("b"))
    agents.applied(0)
    agents.set(fabric("b", away=True))
    assert not agents.applied(1, a="True")
    assert agents.presence.look(11) == PATIENCE - 10
    assert not agents.applied(PATIENCE, a="True")
    assert agents.applied(1 + PATIENCE, a="True")
    assert not agents.applied(2 + PATIENCE), "the others are waited for all the same"
    agents.set(fabric("b"))
    assert not agents.applied(3 + PATIENCE, a="True"), "it came back"


def test_a_node_that_was_down_before_this_process_began_is_waited_for_too() -> None:
    agents = Agents(fabric("a"), fabric("b", away=True))
    assert not agents.applied(1000, a="True")
    assert agents.applied(1000 + PATIENCE, a="True")


def test_an_agent_that_is_replaced_leaves_no_gap() -> None:
    agents = Agents(fabric("a"), fabric("b"))
    agents.applied(0)
    agents.set(fabric("b", live=False))
    assert not agents.applied(1, a="True")
    agents.drop(fabric("b"))
    assert not agents.applied(2, a="True")
    agents.set(fabric("c", "node-b", away=True))
    assert not agents.applied(3, a="True")
    agents.set(fabric("c", "node-b"))
    assert not agents.applied(4, a="True")
    assert agents.applied(5, a="True", c="True")


def test_the_only_agent_of_a_cluster_is_waited_for_while_it_restarts() -> None:
    agents = Agents(fabric("a"))
    agents.applied(0)
    agents.drop(fabric("a"))
    assert not agents.applied(1, a="True"), "its reports stay, and say nothing about the next one"
    assert agents.applied(1 + PATIENCE)
    assert Agents().applied(0), "where none was ever seen, there is nothing to wait for"


def test_an_agent_that_is_not_ready_and_fails_is_not_passed_over() -> None:
    agents = Agents(fabric("a"), fabric("b", away=True))
    agents.applied(0)
    assert not agents.applied(100 * PATIENCE, a="True", b="False"), "it runs, so it may hold an earlier chain"
    assert agents.applied(0, a="True", b="True")


def test_an_agent_without_a_node_has_never_run() -> None:
    waiting = Agent(ObjectKey(AGENT, "liqo", "b"), live=True, node="", away=True)
    assert Agents(fabric("a"), waiting).applied(0, a="True")


def test_what_a_pod_says_of_its_agent() -> None:
    def of(phase: str, *conditions: dict[str, str]) -> bool:
        status = {"phase": phase, "conditions": list(conditions)}
        pod = {"metadata": {"name": "a", "namespace": "liqo"}, "spec": {"nodeName": "worker"}, "status": status}
        found = agent(pod)
        assert (found.node, found.live) == ("worker", True)
        return found.away

    assert of("Pending")
    assert of("Running", {"type": "Ready", "status": "False"})
    assert of("Running", {"type": "Ready", "status": "Unknown"})
    assert not of("Running", {"type": "Initialized", "status": "False"}, {"type": "Ready", "status": "True"})
    assert not of("Running"), "what it does not say is no reason to go on without it"
