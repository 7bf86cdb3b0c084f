"""The steps of a swap: for every state that can be stored, and for worlds in which anything happens at any time."""

from collections.abc import Iterator
from itertools import product
from random import Random

import pytest

from liqo_connectivity.operator.controller.reconcile.swap import Act, Held, Rules, Slot, Step, next_step
from tests.support.seeds import groups
from tests.support.swap_world import FLOWS, Agent, Denied, World

AGENTS = ("a", "b")
BOTH = frozenset(AGENTS)
SOME = [frozenset[str](), frozenset({"a"}), frozenset({"b"}), BOTH]


def every_held() -> Iterator[Held | None]:
    """Whatever two agents may have reported about an object; they count as all there are."""
    yield None
    for rules, exact, going, having in product(Rules, (True, False), (True, False), SOME):
        for enforcing in SOME:
            if enforcing <= having:
                yield Held(rules, exact, going, enforcing == BOTH, having, enforcing)


PAIRS = list(product(every_held(), repeat=2))


def test_an_object_that_holds_a_chain_goes_only_behind_another_that_is_in_force() -> None:
    removed = 0
    for first, standin in PAIRS:
        step = next_step(first, standin)
        gone, stays = (first, standin) if step.slot is Slot.FIRST else (standin, first)
        if step.act is not Act.REMOVE or gone is None or not gone.is_whole:
            continue
        removed += 1
        assert stays is not None
        assert stays.is_whole
        if stays.rules is Rules.WANTED:
            assert stays.applied
        else:
            assert gone.rules is Rules.OTHER, "what is wanted stays"
            assert gone.having <= stays.enforcing, "no node is left with less"
    assert removed > 100


def test_no_write_changes_rules_that_are_in_force() -> None:
    for first, standin in PAIRS:
        step = next_step(first, standin)
        held = first if step.slot is Slot.FIRST else standin
        if step.act is Act.WRITE and held is not None:
            assert not held.going
            assert held.rules is not Rules.OTHER
            assert held.rules is Rules.NONE or not held.exact
        if step.act is Act.REFRESH:
            assert held is not None
            assert held.rules is Rules.OTHER
            assert not held.exact


def test_nothing_is_left_to_do_only_with_one_object_as_wanted() -> None:
    for first, standin in PAIRS:
        done = first is not None and first.rules is Rules.WANTED and first.exact and not first.going and standin is None
        assert (next_step(first, standin).act is Act.DONE) == done


def test_it_only_waits_for_agents_that_have_not_reported() -> None:
    for first, standin in PAIRS:
        step = next_step(first, standin)
        if step.act is Act.WAIT:
            held = first if step.slot is Slot.FIRST else standin
            assert held is not None
            assert held.rules is Rules.WANTED
            assert not held.applied
        if step.act is Act.BLOCKED:
            assert first is not None
            assert standin is not None
            assert not first.applied
            assert not standin.applied


def held(rules: Rules, *, applied: bool = True, going: bool = False) -> Held:
    return Held(rules, exact=True, going=going, applied=applied, having=BOTH, enforcing=BOTH if applied else SOME[1])


OLD, NEW, EMPTY = held(Rules.OTHER), held(Rules.WANTED), held(Rules.NONE)


@pytest.mark.parametrize(
    ("first", "standin", "step"),
    [
        (OLD, None, Step(Act.WRITE, Slot.STANDIN)),
        (OLD, held(Rules.WANTED, applied=False), Step(Act.WAIT, Slot.STANDIN)),
        (OLD, NEW, Step(Act.REMOVE, Slot.FIRST)),
        (EMPTY, NEW, Step(Act.REMOVE, Slot.FIRST)),
        (held(Rules.NONE, going=True), NEW, Step(Act.REMOVE, Slot.FIRST)),
        (None, NEW, Step(Act.WRITE, Slot.FIRST)),
        (held(Rules.WANTED, applied=False), NEW, Step(Act.WAIT, Slot.FIRST)),
        (NEW, NEW, Step(Act.REMOVE, Slot.STANDIN)),
        (NEW, EMPTY, Step(Act.REMOVE, Slot.STANDIN)),
        (NEW, held(Rules.NONE, going=True), Step(Act.REMOVE, Slot.STANDIN)),
        (NEW, None, Step(Act.DONE, Slot.FIRST)),
    ],
)
def test_the_steps_of_an_edit(first: Held | None, standin: Held | None, step: Step) -> None:
    assert next_step(first, standin) == step


def some(random: Random) -> Denied:
    return frozenset(flow for flow in FLOWS if random.random() < 0.5)


@pytest.mark.parametrize("first", groups(0, 12_000, 100))
def test_whatever_happens_nothing_opens_and_it_ends_with_one_object(first: int) -> None:
    """The controller has no memory here, so it may be killed anywhere; agents may be slow, and some join later."""
    for seed in range(first, first + 100):
        played(seed)


def played(seed: int) -> None:
    random = Random(seed)
    world = World(some(random), random.randint(1, 3))
    world.settle(random)
    since = [world.wanted]
    there = set(world.agents)
    impatient = False
    for _ in range(random.randint(10, 120)):
        match random.choice("eccccwwwwwwwwmjr"):
            case "e":
                world.wanted = some(random)
                since.append(world.wanted)
            case "c":
                impatient |= (fast := random.random() < 0.1)
                world.control(patient=not fast)
            case "w":
                world.work(random.choice(sorted(world.agents)), random.choice(list(Slot)))
            case "m":
                world.members += 1
            case "j" if len(world.agents) < 5:
                world.agents[f"late-{len(world.agents)}"] = Agent()
            case "r" if random.random() < 0.3:
                world.settle(random)
                since = [world.wanted]
                there = set(world.agents)
            case _:
                pass
        always = frozenset.intersection(*since)
        for name in there:
            assert always <= world.agents[name].denies, f"seed {seed}: {name} passes what every policy since denies"
    world.settle(random)
    assert list(world.objects) == [Slot.FIRST]
    assert (world.objects[Slot.FIRST].denied, world.objects[Slot.FIRST].members) == (world.wanted, world.members)
    for agent in world.agents.values():
        assert world.wanted <= agent.denies
        # An agent that missed that an object was emptied keeps its table: that is Liqo's, and it is closed.
        assert impatient or agent.denies == world.wanted


def test_the_world_can_tell_a_leak() -> None:
    """An edit in place opens what both policies deny."""
    world = World(frozenset({0, 1}), 1)
    world.settle(Random(0))
    found = world.objects[Slot.FIRST]
    found.denied, found.version = frozenset({1, 2}), found.version + 1
    world.work("agent-0", Slot.FIRST)
    assert world.agents["agent-0"].denies == {1}, "the rules that stay are kept; those of an edit are absent"
