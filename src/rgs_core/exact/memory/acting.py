"""Which acts of cells on the values of others keep sums of values linear, and why others do not.

Where they do, hold and spin with them has exact moments (rgs_core.exact.memory.hold_acts).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rgs_core.language.mechanics import Act, Table


def acts_refused(
    acts: Sequence[Act], held: Mapping[str, Table | None], landing: Collection[str], valued: Collection[str]
) -> str:
    """Why acts of a state of hold and spin have no exact law; "" when they have.

    `held`: its held symbols with the tables of their values; `landing`: all symbols on its reels; `valued`: those that
    have values.
    """
    once: dict[str, bool] = {}
    again: set[str] = set()  # symbols whose cells have acted on each other, which then differ by their order
    seen: set[str] = set()  # symbols whose values acts before have used or changed
    for act in acts:
        actors = [symbol for symbol in held if symbol in act.symbols]
        over = over_symbols(act, valued)
        if missing := sorted((act.symbols & set(landing)) - held.keys()):
            return f"lets cells act that it does not hold ({', '.join(missing)})"
        if missing := sorted((over & set(landing)) - held.keys()):
            return f"lets cells act on others that it does not hold ({', '.join(missing)})"
        if act.when != "always":
            return "lets cells act where a spin wins, or does not"
        if any(once.get(symbol, act.once) != act.once for symbol in actors):
            return "lets cells act when they are new, and also at every spin"
        once |= dict.fromkeys(actors, act.once)
        mutual = sorted(over & set(actors))
        each_other = f"lets cells act on each other ({', '.join(mutual)}); leave them out of 'over'"
        if mutual and (len(actors) > 1 or again & set(mutual)):
            return each_other
        again |= set(mutual)
        if act.does.startswith("multiply"):
            if mutual:
                return each_other
            if changed := sorted(seen & set(actors)):
                return f"multiplies by values that acts have used or changed before ({', '.join(changed)})"
            if not act.once and any(table and len(table.values) > 1 for s in actors if (table := held[s])):
                return "multiplies at every spin by values that are drawn"
            if not act.once and (changed := sorted(_changed(acts, valued) & set(actors))):
                return f"multiplies at every spin by values that other cells change or collect ({', '.join(changed)})"
        if act.does == "collect_all" and (
            empty := [s for s in actors if held[s] is None and any(s in over_symbols(a, held) for a in acts)]
        ):
            return f"acts on cells that may have collected nothing ({empty[0]}); give them a value, or leave them out of 'over'"
        seen |= over | set(actors)
    return ""


def _changed(acts: Sequence[Act], valued: Collection[str]) -> set[str]:
    """Symbols whose values acts may change."""
    changed: set[str] = set()
    for act in acts:
        changed |= set(act.symbols) if act.does == "collect_all" else over_symbols(act, valued)
    return changed


def over_symbols(act: Act, valued: Collection[str]) -> set[str]:
    """Symbols of the cells that are acted on, of those that have values."""
    return set(valued) if act.over is None else set(act.over) & set(valued)
