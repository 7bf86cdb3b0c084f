"""Random policies, right and wrong, from a generator that is passed in.

What they name is mostly there: groups, namespaces, labels and addresses of the cluster that they are for, and ports of
which flows have the neighbours too.
"""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from random import Random

from tests.support.descriptions import Party, Policy, Port, Requirement, Rule, Selector
from tests.support.draws import chance
from tests.support.random_labels import KEYS, VALUES

POD_GROUPS = ("offloaded", "vc-local", "vc-remote")
OTHER_GROUPS = ("local-cluster", "remote-cluster", "private-subnets", "internet", "nameserver")
GROUPS = (*POD_GROUPS, *OTHER_GROUPS)
PORTS = (1, 53, 80, 443, 8080, 30080, 65535)
FIRST = 1_750_000_000


def random_policies(
    rng: Random, namespaces: list[str], tenants: dict[str, str], addresses: list[str], odd: bool
) -> list[Policy]:
    """Policies for some tenant namespaces, and elsewhere; their CIDRs are around the addresses."""
    found: list[Policy] = []

    def policy(place: str, name: str, created: int | None) -> Policy:
        return _Writer(rng, namespaces, addresses, odd=odd).policy(place, name, created)

    for peering, tenant in tenants.items():
        if chance(rng, 0.9):
            found.append(policy(tenant, peering, FIRST))
        if odd and chance(rng, 0.25):
            created = rng.choice((None, FIRST, FIRST - 1, FIRST + 1))
            second = policy(tenant, "another", created)
            found.append(replace(second, terminating=chance(rng, 0.2), malformed=chance(rng, 0.1)))
    if odd and chance(rng, 0.2):
        place = rng.choice(("shop", "second-tenant", "liqo-tenant-nobody"))
        if place in namespaces or place == "liqo-tenant-nobody":
            found.append(replace(policy(place, "misplaced", FIRST - 5), malformed=chance(rng, 0.1)))
    return found


def random_rules(
    rng: Random, namespaces: list[str], addresses: list[str], count: int, *, plain: bool = True
) -> list[Rule]:
    """Rules with nothing wrong; ``plain`` ones are of the forms that Liqo's agents can match."""
    writer = _Writer(rng, namespaces, addresses, odd=False, plain=plain)
    return [writer.rule(wrong=False) for _ in range(count)]


class _Writer:
    """Somebody who writes one policy. ``plain`` ones hold only what Liqo's agents can match."""

    def __init__(
        self, rng: Random, namespaces: list[str], addresses: list[str], *, odd: bool, plain: bool | None = None
    ) -> None:
        self._rng = rng
        self._namespaces = namespaces
        self._plain = not chance(rng, 0.3) if plain is None else plain
        self._addresses = [address for address in addresses if not self._plain or "." in address]
        self._odd = odd
        # Many policies are still of the fields that were there first.
        self._fields = chance(rng, 0.7)

    def policy(self, place: str, name: str, created: int | None) -> Policy:
        rng = self._rng
        wrong = self._odd and chance(rng, 0.25)
        rules = [self.rule(wrong and chance(rng, 0.4)) for _ in range(rng.randint(0, 6))]
        if chance(rng, 0.3):
            rules = [replace(rule, name=f"rule-{index}") for index, rule in enumerate(rules)]
        if wrong and chance(rng, 0.1) and len(rules) > 1:
            rules[0], rules[-1] = replace(rules[0], name="twice"), replace(rules[-1], name="twice")
        default = rng.choice((None, None, "allow", "deny", "deny")) if self._fields else None
        if wrong and chance(rng, 0.1):
            default = "reject"
        return Policy(place, name, created, tuple(rules), default=default)

    def rule(self, wrong: bool) -> Rule:
        rng = self._rng
        made = Rule(rng.choice(("allow", "deny")), self._party(), self._party(), self._ports())
        if not wrong:
            return made
        mistake = rng.randint(0, 3)
        if mistake == 0:
            return replace(made, action=rng.choice(("reject", None)))
        if mistake == 1:
            return replace(made, ports=rng.choice(WRONG_PORTS))
        party = self._wrong_party()
        return replace(made, source=party) if mistake == 2 else replace(made, destination=party)

    # ---- Parties ----

    def _party(self) -> Party | None:
        rng = self._rng
        kind = rng.randint(0, 9)
        if kind < 2:
            return None
        if not self._fields or kind < 6:
            groups = GROUPS if self._fields else GROUPS[:-2]
            if kind < 8:
                return Party(group=rng.choice(groups))
            return Party(namespace=rng.choice([*self._namespaces, "nowhere"]))
        if kind == 6 and self._addresses:
            return self._block()
        return self._selection()

    def _selection(self) -> Party:
        """Pods by more than one word: those of a group, of a namespace, or of namespaces with labels."""
        rng = self._rng
        group = rng.choice((None, *POD_GROUPS))
        where = rng.randint(0 if group else 1, 2)
        namespace = rng.choice([*self._namespaces, "shop", "nowhere"]) if where == 1 else None
        namespaces = self._selector() if where == 2 else None
        needs = (where == 0) or (group is None and namespace is not None)
        pods = self._selector() if needs or chance(rng, 0.6) else None
        return Party(group, namespace, namespaces, pods)

    def _selector(self) -> Selector:
        rng = self._rng
        equal = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.choice((0, 1, 1, 2)))}
        expressions = [self._requirement() for _ in range(rng.choice((0, 1, 2)) if equal else rng.choice((1, 1, 2)))]
        return Selector(tuple(equal.items()), tuple(expressions))

    def _requirement(self) -> Requirement:
        rng = self._rng
        operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = [rng.choice(VALUES) for _ in range(rng.randint(1, 3))] if operator in ("In", "NotIn") else []
        return Requirement(rng.choice(KEYS), operator, tuple(values))

    def _block(self) -> Party:
        rng = self._rng
        address = rng.choice(self._addresses)
        lengths = (0, 8, 12, 16, 24, 29, 30, 31, 32) if "." in address else (0, 8, 48, 64, 120, 127, 128)
        whole = ip_network((address, rng.choice(lengths)), strict=False)
        excepts: list[str] = []
        for _ in range(rng.choice((0, 0, 1, 2))):
            inside = [address for address in self._addresses if ip_address(address) in whole]
            if inside and whole.prefixlen < whole.max_prefixlen:
                length = rng.randint(whole.prefixlen + 1, whole.max_prefixlen)
                excepts.append(str(ip_network((rng.choice(inside), length), strict=False)))
        return Party(cidr=str(whole), excepts=tuple(dict.fromkeys(excepts)))

    def _wrong_party(self) -> Party:
        rng, selector = self._rng, self._selector()
        return rng.choice(
            (
                Party(),
                Party("nobody"),
                Party("local-cluster", "shop"),
                Party("internet", pods=selector),
                Party(pods=selector),
                Party(namespace="shop", namespaces=selector, pods=selector),
                Party(namespace="shop", pods=Selector()),
                Party(namespaces=Selector()),
                Party(namespace="shop", pods=Selector(expressions=(Requirement("app", "Gt", ("1",)),))),
                Party(namespace="shop", pods=Selector(expressions=(Requirement("app", "In"),))),
                Party("offloaded", pods=Selector(expressions=(Requirement("app", "Exists", ("web",)),))),
                Party(cidr="10.71.0.1/16"),
                Party(cidr="10.71.0.0/255.255.0.0"),
                Party(cidr="10.71.0.0/16", excepts=("10.72.0.0/24",)),
                Party(cidr="10.71.0.0/16", excepts=("10.71.0.0/16",)),
                Party(cidr="10.71.0.0/16", excepts=("fd00::/64",)),
                Party("offloaded", cidr="10.71.0.0/16"),
            )
        )

    # ---- Ports ----

    def _ports(self) -> tuple[Port, ...] | None:
        rng = self._rng
        if not self._fields or chance(rng, 0.5):
            return None
        return tuple(self._port() for _ in range(rng.choice((1, 1, 2, 3))))

    def _port(self) -> Port:
        rng = self._rng
        protocol = rng.choice(("TCP", "TCP", "UDP") if self._plain else ("TCP", "UDP", "SCTP", "ICMP"))
        if protocol == "ICMP" or chance(rng, 0.15):
            return Port(protocol)
        first, last = rng.choice(PORTS), rng.choice((None, None, None, 80, 443, 9000, 65535))
        return Port(protocol, first, last if last is None else max(first, last))


WRONG_PORTS: tuple[tuple[Port, ...], ...] = (
    (),
    (Port(None, 80),),
    (Port("tcp", 80),),
    (Port("ICMP", 8),),
    (Port("TCP", None, 80),),
    (Port("UDP", 80, 79),),
)
"""Ports that mean nothing."""
