"""Train a backbone as a classifier.

One process: `python scripts/train_backbone.py --config configs/backbones/googlenet.yaml [--set KEY=VALUE] [--resume]`.

Several GPUs: `torchrun --nproc-per-node 4 scripts/train_backbone.py --config ...`.

The curves are drawn into `curves.png` of the run's folder, at each validation and at the end.
"""

from __future__ import annotations

from signboard.training.commands import run_training
from signboard.training.config import ClassifierTrainConfig

if __name__ == "__main__":
    from signboard.training.classifier_task import ClassifierTask
    from signboard.training.curves import RunCurves

    run_training(ClassifierTrainConfig, ClassifierTask, watch=RunCurves.of)
