"""The rules of the game in plain Python, written to be read.

This package is the specification that a test lab reads first. It shares no code with the compiled
engine: it has its own ChaCha20, its own unbiased integers and its own evaluation, and imports only
the model, the record types and what runs callbacks. It is slow on purpose. Tests hold it equal to the engine,
which plays everything but callbacks.

    rounds      a round: features in a queue, awards, the maximum win
    spins       a spin: grid, transforms, steps of a cascade, closing, triggers
    grid        heights, stops, held cells, falling and refilling
    transforms  what changes a grid before it pays
    pays        what a grid pays
    acts        cells that change the values of others
    spots       places that multiply wins
    callbacks   what a function of the game's author adds to a spin
    triggers    what a grid or a win starts
    bonuses     what is drawn apart from the reels
    words       ChaCha20 words, unbiased integers, weighted tables

Read in this order to follow one round, or backwards to go from words to rounds.
"""

from rgs_core.reference.grid import Grid, Memory
from rgs_core.reference.pays import wins_on
from rgs_core.reference.rounds import play, play_with
from rgs_core.reference.spins import play_spin
from rgs_core.reference.words import Draws, Numbers, chacha20_block

__all__ = ["Draws", "Grid", "Memory", "Numbers", "chacha20_block", "play", "play_spin", "play_with", "wins_on"]
