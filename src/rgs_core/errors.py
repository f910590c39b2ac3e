"""Everything this library raises on purpose.

RgsError
├── ModelError           a model file is wrong; carries every problem found in it
├── CertificateError     a certificate is missing, malformed or belongs to another build
├── AnalysisError        an exact figure does not exist or is out of reach
├── SeedError            a seed, key or nonce has the wrong form
├── StripsError          reels of another tool cannot be read; carries every problem found in them
├── BooksError           a build cannot be written as books
├── PolicyError          what a player is said to do is not possible in the game
├── TuningError          a target that cannot be met, or that is none
├── AuditError           a key, checkpoint, proof or export of the audit log has the wrong form
├── CallbackError        a callback failed, gave something wrong, or stands where only compiled games do
└── DrawLimitError       a spin used more random words than the derivation allows
"""

from __future__ import annotations

from dataclasses import dataclass


class RgsError(Exception):
    """Base of all errors of rgs_core."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a model file, with its place and its remedy."""

    path: str
    message: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path} (line {self.line})"
        return f"{where}: {self.message}; {self.remedy}"


class ModelError(RgsError):
    """A model file cannot be used. `problems` lists all that is wrong with it."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {p}" for p in problems)]))


class CertificateError(RgsError):
    """A certificate is missing, malformed, or certifies another build."""


class AnalysisError(RgsError):
    """An exact figure does not exist (endless retriggers) or is out of reach (cycle too long)."""


class SeedError(RgsError, ValueError):
    """A seed, key, nonce or stream has the wrong form."""


class DrawLimitError(RgsError):
    """A spin used more than WORDS_MAX random words; the round is refused, never cut short."""


class SimulationError(RgsError):
    """A saved simulation cannot be used; the message says why."""


class StripsError(RgsError):
    """Reels of another tool cannot be imported. `problems` lists all that is wrong with them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"nothing was imported: {count}", *(f"  {p}" for p in problems)]))


class BooksError(RgsError):
    """A build, or one of its rounds, has no form as a book; the message says why."""


class PolicyError(RgsError, ValueError):
    """A policy names what the game does not have; the message says what it has."""


class AuditError(RgsError):
    """A key, checkpoint, proof or export of the audit log cannot be used; the message says why."""


class CallbackError(RgsError):
    """A callback failed or gave what it may not, with its place; or a build that has one cannot be used here."""


class JackpotError(RgsError):
    """A build with jackpots where nobody keeps their pools."""


class TuningError(RgsError):
    """A target that cannot be met, or that is none; the message says what can be reached."""
