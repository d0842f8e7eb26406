#!/usr/bin/env bash
# What a GPU is rented for, in one command: the CUDA tests, the benchmark, then training with the time that is left.
#   scripts/check_gpu.sh PHOTOS OUTPUT [MINUTES]    MINUTES in all, 25 by default
# OUTPUT gets tests.txt, benchmark.json and the folder of the run, which is saved each 200 steps and goes on from its
# last checkpoint when this is started again with the same OUTPUT. TRAIN holds another training command.
set -uo pipefail
photos=${1:?folder of photos} output=${2:?folder for results} minutes=${3:-25}
begin=$(date +%s)
cd "$(dirname "$0")/.."
mkdir -p "$output"
python -c "import torch, sys; print(torch.__version__, torch.cuda.get_device_name()) if torch.cuda.is_available() else sys.exit('no CUDA device')" || exit 2

timeout 300 python -m pytest -m gpu --no-header -rs 2>&1 | tee "$output/tests.txt"
timeout 300 python scripts/benchmark.py --photos "$photos" --parts stages,batch --device cuda --json "$output/benchmark.json"

left=$((60 * minutes - $(date +%s) + begin - 30))
resume=()
[ -f "$output/run/last.pt" ] && resume=(--resume)
train=${TRAIN:-"python scripts/train_recognizer.py --config configs/recognizer.yaml --set batch_size=256 --set steps=40000 --set workers=$(($(nproc) > 2 ? $(nproc) - 2 : 1))"}
echo "training for $left seconds"
# SIGTERM ends a run after the step in hand, with its state and weights saved.
timeout --signal=TERM "$left" $train --set "output=$output/run" --set device=cuda --set threads=0 "${resume[@]}"
ls -la "$output/run"
