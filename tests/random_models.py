"""Random model files for property tests: valid by construction, small, and often degenerate."""

from __future__ import annotations

from hypothesis import strategies as st

SYMBOLS = ["A", "B", "C", "D", "W", "X", "S", "P"]


def _table(entries: dict[int, int]) -> str:
    return "{ " + ", ".join(f"{k} = {v}" for k, v in entries.items()) + " }"


@st.composite
def model_texts(draw: st.DrawFn) -> str:
    """The text of a model file with every mechanic switched on or off at random."""
    reels = draw(st.integers(3, 6))
    rows = draw(st.integers(1, 6))
    stake = draw(st.sampled_from([1, 3, 10, 20]))
    line_units = draw(st.integers(1, 3))
    symbols = draw(st.permutations(SYMBOLS))
    has_lines = draw(st.booleans()) or draw(st.booleans())
    has_free = draw(st.booleans())
    has_pick = has_lines and draw(st.booleans())
    out = [
        "format = 1",
        'id = "random"',
        'title = "Random"',
        'version = "1"',
        f"symbols = {list(symbols)!r}",
        f"[stake]\nunits = {stake}\nline_units = {line_units}",
        f"[grid]\nreels = {reels}\nrows = {rows}",
        f"[caps]\nfree_spins = {draw(st.integers(1, 40))}",
    ]
    paying = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, min_size=1)) if has_lines else []
    for wild in draw(st.sampled_from([[], ["W"], ["W", "X"]])) if has_lines else []:
        others = [s for s in paying if s != wild]
        substitutes = draw(st.lists(st.sampled_from(others), unique=True, max_size=6)) if others else []
        out.append(f"[wilds.{wild}]\nsubstitutes = {substitutes!r}")
        out.append(f"multiplier = {draw(st.sampled_from([1, 1, 2, 3]))}")
        out.append(f"combine = {draw(st.sampled_from(['once', 'product']))!r}")
    evaluators = []
    if has_lines:
        line = st.tuples(*[st.integers(0, rows - 1)] * reels)
        most = min(12, rows**reels)
        lines = draw(st.lists(line, min_size=1, max_size=most, unique=True))
        out.append('[evaluators.lines]\nkind = "lines"')
        out.append(f"pure_wild_run = {draw(st.sampled_from(['own', 'any']))!r}")
        out.append(f"paylines = {[''.join(map(str, x)) for x in lines]!r}\n[evaluators.lines.pays]")
        for symbol in paying:
            first = draw(st.integers(1, reels))
            amounts = [draw(st.sampled_from([0, 1, 2, 5, 5, 40, 1000])) for _ in range(first, reels + 1)]
            if draw(st.integers(0, 4)):  # real pay tables grow, and only those are played in lanes
                amounts.sort()
            pays = dict(zip(range(first, reels + 1), amounts, strict=True))
            out.append(f"{symbol} = {_table(pays)}")
        evaluators.append("lines")
    if not has_lines or draw(st.booleans()):
        first = draw(st.integers(1, 3))
        pays = {
            n: draw(st.sampled_from([0, 1, 2, 25]))
            for n in range(first, min(first + draw(st.integers(1, 3)), reels * rows + 1))
        }
        out.append(f'[evaluators.scatter]\nkind = "scatter"\nsymbol = "S"\npays = {_table(pays)}')
        out.append(f"of = {draw(st.sampled_from(['total_bet', 'line_bet']))!r}")
        evaluators.append("scatter")
    evaluators = draw(st.permutations(evaluators))
    if has_pick:
        prizes = draw(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=4))
        rows_text = ", ".join(f"{{ pay = {p}, weight = {w} }}" for p, w in prizes)
        out.append(f"[picks.chest]\nprizes = [{rows_text}]")
        out.append(f"of = {draw(st.sampled_from(['total_bet', 'line_bet']))!r}")
        if draw(st.booleans()):
            out.append(f"picks = {_table({1: 2, 3: 1})}\nprizes_per_pick = {_table({1: 1, 2: 1})}")
    exempt_known = [*evaluators]
    if has_lines:
        exempt_known += [f"lines.{paying[0]}", f"lines.{paying[-1]}.{reels}"]
    for state in ["base", "free"] if has_free else ["base"]:
        out.append(f"[states.{state}]\nstrips = {draw(st.sampled_from(['base', state]))!r}")
        out.append(f"evaluators = {list(evaluators)!r}")
        if draw(st.booleans()):
            out.append(f"multiplier = {draw(st.integers(1, 4))}")
            names = [*exempt_known, *(["Chest"] if has_pick else [])]
            out.append(f"multiplier_exempt = {draw(st.lists(st.sampled_from(names), unique=True))!r}")
        if has_free and (state == "base" or draw(st.booleans())):
            first = draw(st.integers(1, 3))
            spins = {
                n: draw(st.sampled_from([0, 1, 2, 5]))
                for n in range(first, min(first + draw(st.integers(1, 3)), reels * rows + 1))
            }
            out.append(
                f'[[states.{state}.triggers]]\nname = "Free"\nkind = "free_spins"\nsymbol = "S"\n'
                f'spins = {_table(spins)}\nstate = "free"'
            )
        if has_pick:
            pattern = draw(st.lists(st.sampled_from(["P", "A", "*"]), min_size=1, max_size=reels))
            if all(p == "*" for p in pattern):
                pattern[0] = "P"
            out.append(
                f'[[states.{state}.triggers]]\nname = "Chest"\nkind = "pick"\npattern = {pattern!r}\npick = "chest"'
            )
    text = "\n".join(out)
    weights = [1, 2, 3, 17, *draw(st.sampled_from([[], [], [], [2**24]]))]
    sets = [name for name in ("base", "free") if f"strips = '{name}'" in text]
    out.append("[profiles.one.strips]")
    for name in sets:
        strips = []
        for _ in range(reels):
            stops = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=7))
            if draw(st.booleans()):
                weight = st.sampled_from(weights)
                strips.append(" ".join(f"{s}:{draw(weight)}" for s in stops))
            else:
                strips.append(" ".join(stops))
        out.append(f"{name} = {strips!r}")
    return "\n".join(out) + "\n"
