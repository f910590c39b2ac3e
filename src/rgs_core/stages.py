"""Rounds that wait where the player chooses, and go on once he has.

A round is a pure function of build, key, nonce and policy (rgs_core.language.policies), and nothing that happens before a
choice depends on it. So a round that waits needs no state of its own: what was decided so far is a policy, the round is
played by it from the beginning, and what lies behind the first question that is still open is not shown.

A choice is asked once a round: what the player takes holds whenever the round comes to it again, as in a policy, so the
exact figures of a policy are those of players who keep to it. The gamble is asked after everything else, as long as a bet
is offered, until the player collects.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from rgs_core._engine import Engine
from rgs_core.errors import PolicyError
from rgs_core.language.mechanics import COLLECT
from rgs_core.language.model import Build, Model
from rgs_core.language.policies import GAMBLE, choices, with_decisions
from rgs_core.outcome import GambleStep, Played

ENGINES_MAX = 64
"""Ways to play a build whose engines are kept."""

Decision = tuple[str, str]
"""A choice or the gamble, and the option or bet taken."""


class Question(NamedTuple):
    """What the player has to decide: `options` of a choice; bets of the gamble, behind COLLECT, the one without risk."""

    choice: str
    options: tuple[str, ...]

    @property
    def default(self) -> str:
        """What is taken for a player who does not answer: the first option, no gamble."""
        return self.options[0]


class Stage(NamedTuple):
    """A round as far as it has come. `question`: what has to be decided before it goes on; None: it is over."""

    outcome: Played
    question: Question | None


def has_choices(build: Build) -> bool:
    """Whether a player ever has to decide anything."""
    return bool(choices(build.model)) or build.model.gamble is not None


class StagedRounds:
    """Plays the rounds of one build in one mode, by what was decided in them."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self._engines: OrderedDict[tuple[Decision, ...], Engine] = OrderedDict()

    def play(self, key: bytes, nonce: int, decisions: tuple[Decision, ...]) -> Stage:
        """The round after these decisions, in the order in which they were made.

        Raises PolicyError for one that was not asked, or an option that there is not.
        """
        asked = iter(decisions)
        made: list[Decision] = []
        while True:
            stage = self._stage(key, nonce, tuple(made))
            decision = next(asked, None)
            if decision is None:
                return stage
            check(stage.question, decision)
            made.append(decision)

    def finish(self, key: bytes, nonce: int, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
        """The decisions with those that end the round for a player who decides nothing more."""
        made = decisions
        while (question := self.play(key, nonce, made).question) is not None:
            made = (*made, (question.choice, question.default))
        return made

    def _stage(self, key: bytes, nonce: int, made: tuple[Decision, ...]) -> Stage:
        """The round after decisions that are known to be right."""
        played = self._engine(made).spin(key, nonce)
        waiting = played.until(choices(self.build.model).keys() - {name for name, _ in made})
        if waiting is not None:
            seen, name = waiting
            return Stage(seen, Question(name, tuple(o.name for o in choices(self.build.model)[name].options)))
        if (GAMBLE, COLLECT) in made:
            return Stage(played, None)
        before = self._engine(tuple(decision for decision in made if decision[0] != GAMBLE)).win(key, nonce)
        bets = tuple(offered(self.build.model, before, played.gamble))
        return Stage(played, Question(GAMBLE, (COLLECT, *bets)) if bets else None)

    def _engine(self, made: tuple[Decision, ...]) -> Engine:
        """The engine of a way to play. Kept, since most rounds are played in few ways."""
        way = tuple(decision for decision in made if decision != (GAMBLE, COLLECT))
        if way not in self._engines:
            self._engines[way] = Engine(with_decisions(self.build, way))
        self._engines.move_to_end(way)
        while len(self._engines) > ENGINES_MAX:
            self._engines.popitem(last=False)
        return self._engines[way]


def check(question: Question | None, decision: Decision) -> None:
    """Raises PolicyError where a decision does not answer the question."""
    name, option = decision
    if question is None:
        raise PolicyError(f"the round is over; it does not ask for '{name}'")
    if name != question.choice:
        raise PolicyError(f"the round asks for '{question.choice}', not for '{name}'")
    if option not in question.options:
        raise PolicyError(f"'{name}' has no option '{option}' here; it has: {', '.join(question.options)}")


def offered(model: Model, won: int, steps: tuple[GambleStep, ...]) -> Iterator[str]:
    """Bets that can be made now on a win of so many units, after the steps of a gamble.

    By the rules of `Gamble` in rgs_core.language.mechanics.
    """
    gamble = model.gamble
    if gamble is None or not won or len(steps) == gamble.steps_max:
        return
    if gamble.rungs:
        ladder = [rung * model.basis_units(gamble.of) for rung in gamble.rungs]
        rung = bisect_right(ladder, won) - 1
        for step in steps:
            rung = min(max(rung + step.drawn, -1), len(ladder) - 1)
        if 0 <= rung < len(ladder) - 1:
            yield from gamble.bets
        return
    assert gamble.win_max is not None
    now = steps[-1].win_units if steps else won
    for name, bet in gamble.bets.items():
        risk = now if bet.part == "all" else now // 2
        if risk and now - risk + risk * max(bet.table.values) <= gamble.win_max * model.stake_units:
            yield name
