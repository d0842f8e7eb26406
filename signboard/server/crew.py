"""How many threads read, how many photos they read together, and what they do before and after."""

from __future__ import annotations

import threading
from typing import Any

from signboard.processes import usable_cores

# Free memory is given back after so many photos on a processor, as `Reader.read_many` does.
_GIVE_BACK = 16


class Crew:
    """The threads that read: so many, with groups of so many photos.

    Args:
        workers: threads that read side by side. With one, a slow photo holds up all others.
        group: photos that are read together at most.
    """

    def __init__(self, workers: int = 2, group: int = 8) -> None:
        self.workers, self.group = workers, group

    def before(self, alone: bool) -> None:
        """Called in a thread before it reads, with True if nothing else is being read or waits."""

    def after(self, photos: int) -> None:
        """Called in a thread with how many photos it has just read."""


class ProcessorCrew(Crew):
    """Threads on a processor: each computes with its share of the cores, a photo that comes alone with all of them.

    Photos side by side keep cores busier than the layers of one photo do.
    """

    def __init__(self, workers: int | None = None) -> None:
        import torch

        cores = usable_cores()
        super().__init__(workers or min(max(cores, 2), 4))
        self._set, self._threads = torch.set_num_threads, torch.get_num_threads()
        self._lock = threading.Lock()
        self._read = 0

    def before(self, alone: bool) -> None:
        """Gives the calling thread all processor threads, or its share of them."""
        self._set(self._threads if alone else max(1, self._threads // self.workers))

    def after(self, photos: int) -> None:
        """Gives free memory back to the system now and then."""
        with self._lock:
            self._read += photos
            due = self._read >= _GIVE_BACK
            if due:
                self._read = 0
        if due:
            from signboard.memory import give_back_memory

            give_back_memory()


def crew_for(reader: Any, workers: int | None = None) -> Crew:
    """The crew for a reader's device: on a GPU two threads, so that one prepares what the other's batch waits for."""
    device = getattr(reader, "device", None)
    if device is not None and device.type == "cpu":
        return ProcessorCrew(workers)
    return Crew(workers or 2, 32 if device is not None else 8)
