"""The record of a round, for the engine that plays it."""

from libc.stdint cimport int64_t

from rgs_core._game cimport rgs_log


cdef class Round:
    cdef rgs_log log
    cdef object tables             # rgs_core.engine.tables.Tables of the engine; None: no engine played this round
    cdef object decoded
    cdef readonly int64_t win_units
    cdef readonly bint capped
    cdef bint looked               # whether what follows is known
    cdef bytes text                # canonical JSON; None: the round is not plain
    cdef tuple shown               # of a plain round: what its paid spin shows,
    cdef int64_t paid              # wins,
    cdef tuple awarded             # and awards
    cdef object _decode(self)
    cdef int _look(self) except -1
    cdef object _text(self)
    cdef object _spins(self, size_t length, list gamble)
