"""How long an iteration takes, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds of one iteration by who needs them."""

    device: float
    host: float
    passing: float  # of patterns from disk or the host's memory to the device, beside all else
    apart: bool  # whether device and host work at once; otherwise they are the same cores
    threads: int  # of the host, which reading takes one of
    way: str  # through the slices
    exchange: float = 0.0  # between ranks, after what they tell each other is computed

    @property
    def seconds(self) -> float:
        return self._alone + self.exchange

    @property
    def _alone(self) -> float:
        if self.apart:
            return max(self.device, self.host, self.passing)
        return max(self.device + self.host + self.passing / self.threads, self.passing)

    @property
    def limit(self) -> str:
        """What it waits for."""
        if self.exchange > self._alone:
            return "the other ranks"
        if self.passing >= self._alone:
            return "the patterns' way to it"
        return "the host" if self.apart and self.host > self.device else ""
