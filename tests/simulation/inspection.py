"""What is on record of an operator at the end of a history, against what the model says."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulation import histories as h
from simulation.wire import Differs

if TYPE_CHECKING:
    from simulation.runner import Run

TABLES = {
    "sessions": "SELECT session_id, balance_minor::bigint, next_nonce, closed_at IS NOT NULL FROM sessions WHERE operator_id = $1",
    "spins": "SELECT spin_id, round_id, session_id, nonce, stake_minor::bigint, win_minor::bigint FROM spins WHERE operator_id = $1",
    "ends": "SELECT round_id, ending FROM round_ends WHERE operator_id = $1",
    "open_rounds": "SELECT round_id, reported_at IS NOT NULL FROM open_rounds WHERE operator_id = $1",
    "events": "SELECT event_type, count(*) FROM events WHERE operator_id = $1 GROUP BY event_type",
    "numbers": "SELECT session_id, json_agg(seq ORDER BY event_seq)::text FROM events WHERE operator_id = $1 AND seq > 0 GROUP BY session_id",
    "told": "SELECT session_id, event_count::bigint FROM sessions WHERE operator_id = $1",
    "payloads": "SELECT payload FROM events WHERE operator_id = $1 AND event_type = 'spin_finished'",
    "waiting": "SELECT round_id, nonce, choice, to_json(options)::text, won_minor::bigint FROM waiting_rounds WHERE operator_id = $1",
    "choices": "SELECT round_id, step, choice, option, made_by, response FROM choices WHERE operator_id = $1",
    "answers": "SELECT key, response FROM idempotency WHERE operator_id = $1",
    "accounts": "SELECT session_id, account, sum(change)::bigint, currency FROM (SELECT session_id, credit_account AS account, amount_minor AS change, currency FROM ledger WHERE operator_id = $1 UNION ALL SELECT session_id, debit_account, -amount_minor, currency FROM ledger WHERE operator_id = $1) t GROUP BY session_id, account, currency HAVING sum(change) <> 0",
}
ON_RECORD = f"SELECT {', '.join(f'ARRAY(SELECT ROW(t.*) FROM ({sql}) t) AS {name}' for name, sql in TABLES.items())}"
"""One statement, since each message costs as much as a spin. Lists in it are JSON: rows without a name cannot have them."""


class Inspection:
    """What is on record of one operator at the end, against the model."""

    def __init__(self, run: Run, operator: int) -> None:
        self._run = run
        self._operator = operator
        self._model = run.models[operator]
        self._name = run.names[operator]

    @staticmethod
    def _same(what: str, found: Any, ruled: Any) -> None:
        if found != ruled:
            raise Differs(f"at the end: {what}: on record {found}, the rules say {ruled}")

    async def check(self) -> None:
        """Raises Differs."""
        model = self._model
        record = await self._run.wire.ask("fetchrow", ON_RECORD, self._name)
        self._rows = SimpleNamespace(**record)
        ruled = {
            (name, s.balance if s.wallet == "transfer" else None, s.next_nonce, s.closed)
            for name, s in model.sessions.items()
        }
        self._same("sessions", set(self._rows.sessions), ruled)
        played = [(r, p) for r, p in model.rounds.items() if p.spin is not None and p.asked is None]
        ruled = {(p.spin.spin, r, p.session, p.nonce, p.spin.stake_minor, p.win) for r, p in played}  # type: ignore[union-attr]
        self._same("spins", set(self._rows.spins), ruled)
        self._check_ends()
        self._check_choices()
        self._check_answers()
        self._check_money()
        self._check_events([p.spin.spin for _, p in played if p.spin is not None])

    def _check_events(self, played: list[str]) -> None:
        model, rows = self._model, self._rows
        sessions = model.sessions.values()
        counts = {
            "spin_finished": len(played), "round_unsettled": model.unsettled_events,
            "round_autoclosed": model.autoclosed_events, "session_swept": sum(s.reported for s in sessions),
            "session_opened": len(sessions), "session_closed": sum(s.closed and not s.reported for s in sessions),
        }  # fmt: skip
        found = {kind: count for kind, count in rows.events if kind in counts}
        self._same("events", found, {kind: n for kind, n in counts.items() if n})
        told = sorted(json.loads(row[0])["spin_id"] for row in rows.payloads)
        self._same("spins that events tell of", told, sorted(played))
        without_gap = {session: list(range(1, count + 1)) for session, count in rows.told if count}
        self._same("numbers of events", {session: json.loads(text) for session, text in rows.numbers}, without_gap)

    def _check_ends(self) -> None:
        model = self._model
        ruled = {
            (name, "settled" if isinstance(played.ended, h.Settle) else "voided")
            for name, played in model.rounds.items()
            if played.ended is not None
        }
        self._same("ends of rounds", set(self._rows.ends), ruled)
        waiting = {(n, p.overdue) for n, p in model.rounds.items() if p.waits and p.ended is None}
        self._same("open rounds", set(self._rows.open_rounds), waiting)

    def _check_choices(self) -> None:
        model = self._model
        found = {
            (name, nonce, choice, *json.loads(options), won) for name, nonce, choice, options, won in self._rows.waiting
        }
        ruled = {(n, p.nonce, p.asked[0], *p.asked[1], p.won) for n, p in model.rounds.items() if p.asked is not None}
        self._same("rounds that wait for a choice", found, ruled)
        found_choices = {(name, step): (rest, body) for name, step, *rest, body in self._rows.choices}
        made = {(n, step): d for n, p in model.rounds.items() for step, d in enumerate(p.decisions, 1)}
        ruled_rest = {place: [d.choice, d.option, d.made_by] for place, d in made.items()}
        self._same("choices", {place: rest for place, (rest, _) in found_choices.items()}, ruled_rest)
        for place, decision in made.items():
            if decision.body is not None:
                self._same(f"the answer of choice {place}", found_choices[place][1], decision.body)

    def _check_answers(self) -> None:
        stored = dict(self._rows.answers)
        self._same("keys", set(stored), set(self._model.answers))
        for key, body in self._run.answered[self._operator].items():
            self._same(f"the answer of {key}", stored.get(key), body)

    def _check_money(self) -> None:
        model = self._model
        sums = {(session, account): minor for session, account, minor, _ in self._rows.accounts}
        self._same("sum of all accounts", sum(sums.values()), 0)
        self._same("accounts", sums, model.accounts())
        net = {player: minor for player, minor in self._run.books[f"http://wallet/{self._name}"].net.items() if minor}
        self._same("the wallet's book", net, {player: minor for player, minor in model.wallet_net.items() if minor})
