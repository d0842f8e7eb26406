"""Train the detector.

One process: `python scripts/train_detector.py --config configs/detector.yaml [--set KEY=VALUE] [--resume]`.

Several GPUs: `torchrun --nproc-per-node 4 scripts/train_detector.py --config ...`.
"""

from __future__ import annotations

from signboard.training.commands import run_training
from signboard.training.config import DetectorTrainConfig
from signboard.training.detector_task import DetectorTask

if __name__ == "__main__":
    run_training(DetectorTrainConfig, DetectorTask)
