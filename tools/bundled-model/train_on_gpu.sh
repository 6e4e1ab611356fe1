#!/usr/bin/env bash
# The whole training on a machine with a CUDA GPU and no network: drawing on all its CPU cores, everything resident.
#
#   bash train_on_gpu.sh OUT [DENOISER_MINUTES] [AUTOENCODER_MINUTES]
#
# OUT gets the model's folder as model.tar in pieces of 15 MB (cat OUT/model.tar.* | tar -x), the detector, a sheet of samples
# and the log.
# AUTOENCODER_MINUTES 0 keeps the autoencoder of models/latentd-tiny. Variables: WIDTHS, LAYERS, BATCH, COMPILE=1 (costs a
# minute or two at the start), TEXT_MINUTES, WORK, WHEELS (a folder of wheels, for a machine without diffusers).
set -euo pipefail
cd "$(dirname "$0")"
out=$(mkdir -p "$1" && cd "$1" && pwd) denoiser=${2:-6.5} autoencoder=${3:-0}
export BUNDLED_MODEL_WORK=${WORK:-/tmp/bundled-model}
mkdir -p "$BUNDLED_MODEL_WORK"
exec > >(tee -a "$out/log.txt") 2>&1
drawers=$(($(nproc) > 3 ? $(nproc) - 2 : 1))

python3 -c 'import diffusers' 2>/dev/null || python3 -m pip install --quiet --no-index --no-deps --find-links "$WHEELS" diffusers importlib_metadata
date; python3 import_weights.py --from ../../models/latentd-tiny
rm -f "$BUNDLED_MODEL_WORK/text-final.pt"
python3 make_tokenizer.py
python3 train_text_encoder.py --minutes "${TEXT_MINUTES:-1.2}" --batch 512 & text=$!
python3 train_detector.py --minutes "${TEXT_MINUTES:-1.2}" --batch 512 & detector=$!
# Compiles while the others run, then waits for the text encoder.
python3 train_unet.py --minutes "$denoiser" --batch "${BATCH:-768}" --widths "${WIDTHS:-32,96,192}" --layers "${LAYERS:-1}" \
  --horizon 1000 ${COMPILE:+--compile} & unet=$!
[ "$autoencoder" = 0 ] || python3 train_vae.py --minutes "$autoencoder" --batch 64
date; python3 cache_latents.py --shards 1000 --processes "$drawers" >"$BUNDLED_MODEL_WORK/cache.log" 2>&1 & drawing=$!
trap 'kill $drawing $unet 2>/dev/null || true' EXIT
wait "$text"; wait "$detector"; date; wait "$unet"
kill "$drawing" 2>/dev/null || true
cp "$BUNDLED_MODEL_WORK/detector.pt" "$out/"
date; python3 export.py --to "$BUNDLED_MODEL_WORK/model"
tar -C "$BUNDLED_MODEL_WORK" -cf - model | split -b 15000000 -d - "$out/model.tar."
python3 samples.py --model "$BUNDLED_MODEL_WORK/model" --to "$out/samples.png"
date
