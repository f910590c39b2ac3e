"""Rounds that wait for the player: what is shown, what is asked, and that they end as the policy of the decisions does."""

from __future__ import annotations

import random

import pytest
from doors import CARDS, LADDER, game

from rgs_core import reference
from rgs_core._engine import Engine
from rgs_core.errors import PolicyError
from rgs_core.games import find
from rgs_core.language.model import Build
from rgs_core.language.model_file import load
from rgs_core.language.policies import GAMBLE, with_bets, with_decisions, with_policy
from rgs_core.seeds import derive_key
from rgs_core.stages import COLLECT, Decision, Question, StagedRounds, has_choices, offered

KEY = derive_key(bytes(32))


def random_decisions(rounds: StagedRounds, nonce: int, chance: random.Random) -> tuple[Decision, ...]:
    """Decides at random until the round is over."""
    made: tuple[Decision, ...] = ()
    while (question := rounds.play(KEY, nonce, made).question) is not None:
        made = (*made, (question.choice, chance.choice(question.options)))
    return made


@pytest.mark.parametrize("gamble", [CARDS, LADDER])
def test_a_round_ends_as_its_policy_does(gamble: str) -> None:
    """By the reference, from the text that is kept of it."""
    build, chance = game(gamble), random.Random(1)
    rounds, asked = StagedRounds(build), set()
    for nonce in range(300):
        made = random_decisions(rounds, nonce, chance)
        asked |= {name for name, _ in made}
        policy = with_decisions(build, [d for d in made if d != (GAMBLE, COLLECT)]).policy
        by_text = with_policy(build, policy) if policy else build
        outcome = rounds.play(KEY, nonce, made).outcome
        assert outcome.as_dict() == reference.play(by_text, KEY, nonce).as_dict()
        assert outcome.digest() == reference.play(by_text, KEY, nonce).digest()
    assert asked == {"doors", GAMBLE}


def test_nothing_that_is_shown_depends_on_what_is_not_decided() -> None:
    """Whatever is taken, a round begins with what it showed when it asked."""
    build = game()
    rounds, asked = StagedRounds(build), 0
    for nonce in range(200):
        stage = rounds.play(KEY, nonce, ())
        if stage.question is None or stage.question.choice != "doors":
            continue
        asked += 1
        shown = stage.outcome.spins
        assert stage.question == Question("doors", ("many", "few", "cash"))
        for option in stage.question.options:
            full = reference.play(with_policy(build, f"doors={option}"), KEY, nonce).spins
            assert full[: len(shown) - 1] == shown[:-1]
            last, begun = full[len(shown) - 1], shown[-1]
            assert (begun.stops, begun.window, begun.wins) == (last.stops, last.window, last.wins)
            assert begun.awards == last.awards[: len(begun.awards)]
            assert len(begun.awards) < len(last.awards)
        assert stage.outcome.win_units == sum(spin.win_units for spin in shown)
    assert asked > 20


@pytest.mark.parametrize("gamble", [CARDS, LADDER])
def test_a_bet_is_offered_where_the_engine_makes_it(gamble: str) -> None:
    build = game(gamble)
    assert build.model.gamble is not None
    seen = set()
    for first in build.model.gamble.bets:
        for second in build.model.gamble.bets:
            for bets in ((), (first,)):
                before, engine = Engine(with_bets(build, bets)), Engine(with_bets(build, (*bets, second)))
                for nonce in range(120):
                    won, steps = Engine(build).win(KEY, nonce), before.spin(KEY, nonce).gamble
                    if len(steps) < len(bets):
                        continue
                    made = len(engine.spin(KEY, nonce).gamble) == len(bets) + 1
                    assert (second in offered(build.model, won, steps)) == made
                    seen.add(made)
    assert seen == {False, True}


def test_a_player_who_does_not_answer_takes_no_risk() -> None:
    build = game()
    rounds = StagedRounds(build)
    for nonce in range(100):
        made = rounds.finish(KEY, nonce, ())
        assert set(made) <= {("doors", "many"), (GAMBLE, COLLECT)}
        assert rounds.play(KEY, nonce, made).outcome.as_dict() == Engine(build).spin(KEY, nonce).as_dict()


def first_asking(build: Build, choice: str) -> tuple[StagedRounds, int]:
    rounds = StagedRounds(build)
    for nonce in range(1000):
        question = rounds.play(KEY, nonce, ()).question
        if question is not None and question.choice == choice:
            return rounds, nonce
    raise AssertionError(choice)


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([("door", "few")], "the round asks for 'doors', not for 'door'"),
        ([("doors", "some")], "'doors' has no option 'some' here; it has: many, few, cash"),
        ([(GAMBLE, "red")], "the round asks for 'doors', not for 'gamble'"),
        ([("doors", "few"), ("doors", "few")], "the round "),
    ],
)
def test_a_decision_that_was_not_asked(decisions: list[Decision], message: str) -> None:
    rounds, nonce = first_asking(game(), "doors")
    with pytest.raises(PolicyError, match=message):
        rounds.play(KEY, nonce, tuple(decisions))


def test_a_round_that_is_over_takes_no_decision() -> None:
    rounds, nonce = first_asking(game(), GAMBLE)
    assert rounds.play(KEY, nonce, ((GAMBLE, COLLECT),)).question is None
    with pytest.raises(PolicyError, match="the round is over; it does not ask for 'gamble'"):
        rounds.play(KEY, nonce, ((GAMBLE, COLLECT), (GAMBLE, "red")))


def test_steps_end_where_the_gamble_does() -> None:
    """After as many bets as are allowed, nothing is asked any more."""
    rounds, nonce = first_asking(game(), GAMBLE)
    made: tuple[Decision, ...] = ()
    while (question := rounds.play(KEY, nonce, made).question) is not None:
        made = (*made, (GAMBLE, "sure" if "sure" in question.options else question.options[-1]))
    assert 1 <= len(made) <= 4


def test_games_without_choices_ask_nothing() -> None:
    build = load(find("lantern_tide")).build()
    assert not has_choices(build)
    assert has_choices(game())
