"""Amounts in books: whole hundredths of the stake, and how loudly a win is celebrated."""

from __future__ import annotations

from collections.abc import Iterator

from rgs_core.errors import BooksError
from rgs_core.language.mechanics import (
    Bonus,
    Choice,
    Cluster,
    Collect,
    Combinations,
    Count,
    Evaluator,
    Lines,
    Match,
    Pick,
    Scatter,
    Take,
    Trail,
    Values,
    Ways,
    Wheel,
    given,
)
from rgs_core.language.model import Build, Model

WIN_LEVELS = (10, 100, 200, 500, 1_500, 3_000, 5_000, 10_000, 500_000)
"""Hundredths from which the win of a spin has level 2, 3, ...: how loudly it is celebrated."""

FEATURE_LEVELS = (100, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 200_000, 500_000)
"""The same for all that a feature won."""


def level(amount: int, limits: tuple[int, ...]) -> int:
    """1 below the first limit, and one more for each that is reached."""
    return 1 + sum(amount >= limit for limit in limits)


def check_hundredths(build: Build) -> None:
    """Raises BooksError, naming one, when a prize of the build is no whole number of hundredths of the stake."""
    model = build.model
    for path, units in _prizes(model):
        if 100 * units % model.stake_units:
            raise BooksError(
                f"{build.label} cannot be written as books: they count hundredths of the stake, and {path} is {units} of "
                f"{model.stake_units} units, {100 * units / model.stake_units:.4f} hundredths; "
                "choose stake.units or pays so that all prizes are whole hundredths"
            )


def _prizes(model: Model) -> Iterator[tuple[str, int]]:
    """Every prize before multipliers, in units, with its path in the model file."""
    for evaluator in model.evaluators.values():
        yield from _evaluator_prizes(model, evaluator)
    for bonus in (bonus for bonus in model.bonuses.values() if bonus.of != "win"):
        units = model.basis_units(bonus.of)
        yield from ((f"bonuses.{bonus.name}.{place}", pay * units) for place, pay in _bonus_prizes(bonus))


def _evaluator_prizes(model: Model, e: Evaluator) -> Iterator[tuple[str, int]]:
    place = f"evaluators.{e.name}"
    if isinstance(e, Lines | Ways | Count | Cluster | Match):
        unit = model.line_units if isinstance(e, Lines | Ways) else model.basis_units(e.of)
        yield from ((f"{place}.pays.{x}.{n}", pay * unit) for x, pays in e.pays.items() for n, pay in pays.items())
    elif isinstance(e, Combinations):
        yield from ((f"{place}.combinations[{i}]", c.pay * model.line_units) for i, c in enumerate(e.combinations))
    elif isinstance(e, Scatter):
        yield from ((f"{place}.pays.{n}", pay * model.basis_units(e.of)) for n, pay in e.pays.items())
    else:
        assert isinstance(e, Collect)
        for state in model.states.values():
            for i, transform in enumerate(state.transforms):
                if isinstance(transform, Values):
                    table = f"states.{state.name}.transforms[{i}].table"
                    yield from ((table, value * model.basis_units(e.of)) for value in transform.table.values)


def _bonus_prizes(bonus: Bonus) -> Iterator[tuple[str, int]]:
    """In multiples of the basis."""
    if isinstance(bonus, Pick):
        yield from (("prizes", value) for value in bonus.prizes.values)
    elif isinstance(bonus, Take):
        yield from (("prizes", value) for value in bonus.prizes)
    elif isinstance(bonus, Wheel | Choice):
        what = "segments" if isinstance(bonus, Wheel) else "options"
        yield from ((f"{what}[{i}].pay", part.pay) for i, part in enumerate(given(bonus)))
    else:
        assert isinstance(bonus, Trail)
        yield from (("squares", value) for value in bonus.squares)
        yield "finish", bonus.finish
