"""Batches to a device: the same pixels whatever the way, and one in advance of what is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from signboard.batching import one_ahead, to_device


@pytest.mark.parametrize("name", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_pictures_arrive_as_they_are(name: str) -> None:
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 12, 3), dtype=np.uint8) for _ in range(5)]
    batch = to_device(pictures, torch.device(name))
    assert batch.dtype == torch.uint8 and batch.device.type == name
    assert (batch.cpu().numpy() == np.stack(pictures)).all()


def test_on_cuda_pictures_are_stacked_in_page_locked_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a GPU: what is asked of PyTorch, not what it does.
    asked: list[bool] = []
    empty = torch.empty

    def record(*args: object, pin_memory: bool = False, **options: object) -> torch.Tensor:
        asked.append(pin_memory)
        return empty(*args, **options)  # type: ignore[call-overload, no-any-return]

    def there(batch: torch.Tensor, device: torch.device, non_blocking: bool = False) -> torch.Tensor:
        asked.append(non_blocking)
        return batch

    monkeypatch.setattr(torch, "empty", record)
    monkeypatch.setattr(torch.Tensor, "to", there)
    picture = np.full((4, 4, 3), 7, np.uint8)
    assert (to_device([picture, picture], torch.device("cuda")).numpy() == 7).all() and asked == [True, True]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_one_ahead_gives_everything_in_order_and_one_later(count: int) -> None:
    made: list[int] = []

    def work() -> Iterator[int]:
        for number in range(count):
            made.append(number)
            yield number

    given = []
    for number in one_ahead(work()):
        given.append(number)
        assert len(made) == min(len(given) + 1, count)
    assert given == list(range(count))
