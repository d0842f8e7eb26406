"""Train the recogniser.

One process: `python scripts/train_recognizer.py --config configs/recognizer.yaml [--set KEY=VALUE] [--resume]`.

Several GPUs: `torchrun --nproc-per-node 4 scripts/train_recognizer.py --config ...`.
"""

from __future__ import annotations

from signboard.training.commands import run_training
from signboard.training.config import RecognizerTrainConfig
from signboard.training.recognizer_task import RecognizerTask

if __name__ == "__main__":
    run_training(RecognizerTrainConfig, RecognizerTask)
