"""One round as the engine played it: the log of the C functions, and records made from it when asked."""

import hashlib

cimport cython
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free

from rgs_core._game cimport (
    RGS_EVENT_ACT, RGS_EVENT_BONUS, RGS_EVENT_CELL, RGS_EVENT_CELL_STOP, RGS_EVENT_CHANGED, RGS_EVENT_CLOSING,
    RGS_EVENT_DRAWN, RGS_EVENT_FACTOR, RGS_EVENT_FREE_SPINS, RGS_EVENT_GAMBLE, RGS_EVENT_GRID, RGS_EVENT_HEIGHT,
    RGS_EVENT_INSIDE, RGS_EVENT_JACKPOT, RGS_EVENT_LINKED, RGS_EVENT_MARKED, RGS_EVENT_MODIFIER, RGS_EVENT_NUDGED,
    RGS_EVENT_PICK, RGS_EVENT_PICKED, RGS_EVENT_SPECIAL, RGS_EVENT_SPIN, RGS_EVENT_SPOT, RGS_EVENT_STOP,
    RGS_EVENT_STRIPS, RGS_EVENT_WIN, rgs_event,
)

from rgs_core import outcome as records
from rgs_core.engine.spin_reader import SpinReader
from rgs_core.engine.spin_texts import texts_of


@cython.final
@cython.auto_pickle(False)
@cython.freelist(64)
cdef class Round:
    """One round as the engine played it: the log of all that happened, and records made from it when asked.

    Equal to the `Outcome` of the same round (rgs_core.outcome), from the engine or the reference.
    """

    def __init__(self):
        raise TypeError("rounds come from Engine.spin")

    def __dealloc__(self):
        free(self.log.events)

    @property
    def outcome(self):
        """The whole round as an `Outcome`."""
        if self.tables is None:
            raise ValueError("no engine played this round")
        if self.decoded is None:
            self.decoded = self._decode()
        return self.decoded

    @property
    def spins(self):
        """The paid spin and every further one."""
        return self.outcome.spins

    @property
    def gamble(self):
        """What the player then made of its win."""
        return self.outcome.gamble

    @property
    def window(self):
        """The grid of the paid spin as it pays first."""
        self._look()
        return self.outcome.window if self.text is None else self.shown

    @property
    def paid_spin_units(self):
        """Units won by the paid spin alone."""
        self._look()
        return self.outcome.paid_spin_units if self.text is None else self.paid

    @property
    def awards(self):
        """All awards in order, each with the number of its spin."""
        self._look()
        return self.outcome.awards if self.text is None else self.awarded

    def until(self, bonuses):
        """(what had happened when a bonus of one of these names began, its name); None where none was played.

        Nothing of it depends on what the bonus gave: what it drew, and all that was drawn after it, is left out.
        """
        if self.tables is None:
            raise ValueError("no engine played this round")
        cdef size_t i
        cdef list names = list(self.tables.build.model.bonuses)
        for i in range(self.log.length):
            if self.log.events[i].kind == RGS_EVENT_BONUS and names[self.log.events[i].c] in bonuses:
                spins = tuple(self._spins(i, []))
                return records.Outcome(spins, sum(spin.win_units for spin in spins)), names[self.log.events[i].c]
        return None

    def as_dict(self):
        """JSON-ready form."""
        return self.outcome.as_dict()

    def digest(self):
        """SHA-256 in hex of the canonical JSON."""
        self._look()
        return self.outcome.digest() if self.text is None else hashlib.sha256(self.text).hexdigest()

    def __eq__(self, other):
        if isinstance(other, Round):
            other = other.outcome
        if not isinstance(other, records.Outcome):
            return NotImplemented
        return self.outcome == other

    def __hash__(self):
        return hash(self.outcome)

    def __repr__(self):
        return repr(self.outcome)

    # Finds out what can be told of a plain round without its records. Fails for a round that no engine played, and
    # without memory.
    cdef int _look(self) except -1:
        if self.tables is None:
            raise ValueError("no engine played this round")
        if not self.looked:
            self.text = self._text()
            self.looked = True
        return 0

    # The canonical JSON of a plain round; None for others. Plain are rounds of spins of nothing but stops, wins and
    # awards of free spins, of which each reel shows as many symbols as it always does. Fails only without memory.
    cdef object _text(self):
        cdef const rgs_event *events = self.log.events
        cdef size_t i = 0, length = self.log.length
        cdef uint32_t kind, reel, reels
        cdef int64_t won
        cdef list spins = [], awarded = [], stops, windows, shown, wins, awards
        cdef dict kept = self.tables.texts
        cdef tuple key, stop
        cdef object texts
        while i < length:
            if events[i].kind != RGS_EVENT_SPIN or events[i].c:
                return None
            key = (events[i].a, events[i].amount)
            texts = kept.get(key)
            if texts is None:
                texts = texts_of(self.tables, key)
            sub_spin = events[i].b
            reels = texts.reels
            stops, windows, shown, wins, awards, won, reel = [], [], [], [], [], 0, 0
            i += 1
            while i < length and events[i].kind != RGS_EVENT_SPIN:
                kind = events[i].kind
                if kind == RGS_EVENT_STOP and reel < reels:
                    stop = (<dict>(<list>texts.stops)[reel]).get(events[i].b) or texts.stop(reel, events[i].b)
                    stops.append(stop[0])
                    windows.append(stop[1])
                    shown.append(stop[2])
                    reel += 1
                elif kind == RGS_EVENT_WIN:
                    wins.append(<bytes>part(texts, texts.wins, texts.win, &events[i]))
                    won += events[i].amount
                elif kind == RGS_EVENT_FREE_SPINS:
                    award = part(texts, texts.awards, texts.award, &events[i])
                    awards.append(award[0])
                    awarded.append((sub_spin, award[1]))
                else:
                    return None
                i += 1
            if reel != reels:
                return None
            if not spins:
                self.shown, self.paid = tuple(shown), won
            spins.append(b'{"awards":[%b%b%b%b%d,"win_units":%d,"window":[%b],"wins":[%b]}' % (
                b",".join(awards), texts.before_stops, b",".join(stops), texts.before_sub_spin, sub_spin, won,
                b",".join(windows), b",".join(wins)))
        if not spins:
            return None
        self.awarded = tuple(awarded)
        capped = b'"capped":true,' if self.capped else b""
        return b'{%b"spins":[%b],"win_units":%d}' % (capped, b",".join(spins), self.win_units)

    # Decodes the log into records. Fails only without memory.
    cdef object _decode(self):
        gamble = []
        spins = self._spins(self.log.length, gamble)
        return records.Outcome(tuple(spins), self.win_units, bool(self.capped), tuple(gamble))

    # Records of the spins in the first events of the log; steps of a gamble go to `gamble`. Fails only without memory.
    cdef object _spins(self, size_t length, list gamble):
        cdef size_t i = 0
        cdef const rgs_event *event
        cdef list spins = []
        plays = self.tables.build.model.gamble.plays if self.tables.gamble is not None else ()
        while i < length:
            if self.log.events[i].kind == RGS_EVENT_GAMBLE:
                event = &self.log.events[i]
                gamble.append(records.GambleStep(plays[event.a], event.factor, event.amount))
                i += 1
                continue
            state_table = self.tables.states[self.log.events[i].a]
            spin = SpinReader(self.tables, state_table)
            spin.begin(self.log.events[i].b, self.log.events[i].c, self.log.events[i].amount)
            i += 1
            while i < length and self.log.events[i].kind not in (RGS_EVENT_SPIN, RGS_EVENT_GAMBLE):
                read(spin, &self.log.events[i])
                i += 1
            spins.append(spin.record())
        return spins


# What is kept of a win or an award, which is read where nothing is. Fails only without memory.
cdef object part(object texts, dict kept, object make, const rgs_event *event):
    cdef bytes key = (<const char *>event)[:sizeof(rgs_event)]
    found = kept.get(key)
    if found is None:
        reader = texts.reader()
        read(reader, event)
        found = make(key, reader)
    return found


# Hands one event to the reader of a spin. Fails only without memory.
cdef int read(object spin, const rgs_event *event) except -1:
    kind = event.kind
    if kind == RGS_EVENT_STOP:
        spin.stops.append(event.b)
    elif kind == RGS_EVENT_WIN:
        spin.win(event.a, event.b, event.c & 0xffff, event.c >> 16 & 255, event.c >> 24, event.multiplier,
                 event.factor, event.amount, event.cells)
    elif kind == RGS_EVENT_CELL:
        spin.cell(event.a, event.c, event.amount)
    elif kind == RGS_EVENT_GRID:
        spin.grid(event.a)
    elif kind == RGS_EVENT_CELL_STOP:
        spin.stops.append(<int>event.b - 1)
    elif kind == RGS_EVENT_STRIPS:
        spin.set_index = event.a
    elif kind == RGS_EVENT_HEIGHT:
        spin.heights[event.a] = event.b
    elif kind == RGS_EVENT_SPECIAL:
        spin.add_special(event.a)
    elif kind == RGS_EVENT_LINKED:
        spin.run = (event.a, event.b)
    elif kind == RGS_EVENT_MODIFIER:
        spin.modify(event.a)
    elif kind == RGS_EVENT_INSIDE:
        spin.interrupt(event.a)
    elif kind == RGS_EVENT_NUDGED:
        spin.nudge(event.a, event.b)
    elif kind == RGS_EVENT_ACT:
        spin.act(event.a, event.b, event.c, event.amount, event.cells)
    elif kind == RGS_EVENT_SPOT:
        spin.spot(event.a, event.b, event.amount)
    elif kind == RGS_EVENT_MARKED:
        spin.mark(event.cells)
    elif kind == RGS_EVENT_CHANGED:
        spin.change(event.a, event.c)
    elif kind == RGS_EVENT_FACTOR:
        spin.factor = event.amount
    elif kind == RGS_EVENT_CLOSING:
        spin.wins = spin.closing
    elif kind == RGS_EVENT_FREE_SPINS:
        spin.free_spins(event.a, event.b, event.c, event.cells, event.factor, event.multiplier)
    elif kind == RGS_EVENT_PICK:
        spin.pick(event.a, event.b, event.amount)
    elif kind == RGS_EVENT_PICKED:
        spin.picked(event.a, event.amount)
    elif kind == RGS_EVENT_BONUS:
        spin.bonus(event.a, event.b, event.c, event.amount, event.cells & 0xffffffff, event.cells >> 32,
                   event.factor)
    elif kind == RGS_EVENT_DRAWN:
        spin.drawn(event.a)
    elif kind == RGS_EVENT_JACKPOT:
        spin.jackpot(event.a, event.b, event.c)
    return 0
