"""On a real GPU: what is read is what the processor reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from signboard import Reader

SAMPLES = sorted((Path(__file__).resolve().parents[1] / "data" / "samples").glob("*.jpg"))
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_a_gpu_reads_what_the_processor_reads() -> None:
    expected = [reading.text for reading in Reader(device="cpu", precision="fp32").read_many(SAMPLES)]
    reader = Reader(device="cuda")
    assert [reading.text for reading in reader.read_many(SAMPLES)] == expected
    assert [reading.text for reading in reader.read_many(SAMPLES * 20)] == expected * 20


def test_a_photo_that_is_too_large_for_the_gpu_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(device="cuda")
    detect = reader.detector.detect

    def small(pictures, **options):  # type: ignore[no-untyped-def]
        if len(pictures) > 1:
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")  # more than any GPU holds
        return detect(pictures, **options)

    monkeypatch.setattr(reader.detector, "detect", small)
    assert all(reading.error is None for reading in reader.read_many(SAMPLES * 2))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_another_gpu_than_the_current_one_reads_the_same() -> None:
    expected = [reading.text for reading in Reader(device="cuda:0").read_many(SAMPLES)]
    reader = Reader(device=f"cuda:{torch.cuda.device_count() - 1}")
    assert torch.cuda.current_device() == 0
    assert [reading.text for reading in reader.read_many(SAMPLES * 20)] == expected * 20
