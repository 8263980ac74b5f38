"""Randomness: every consumer has a generator of its own, so that one more consumer changes nobody else's numbers."""

from __future__ import annotations

import numpy as np


def sequence(seed: int, consumer: str) -> np.random.SeedSequence:
    """The child of SeedSequence(seed) whose spawn key is the consumer's name."""
    return np.random.SeedSequence(seed, spawn_key=tuple(consumer.encode()))


def generator(seed: int, consumer: str) -> np.random.Generator:
    """The generator of this consumer, of its own sequence."""
    return np.random.default_rng(sequence(seed, consumer))
