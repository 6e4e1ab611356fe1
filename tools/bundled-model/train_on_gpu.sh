#!/usr/bin/env bash
# The whole training on a machine with a CUDA GPU and no network: drawing on all its CPU cores, everything resident.
#
#   bash train_on_gpu.sh OUT [DENOISER_MINUTES] [AUTOENCODER_MINUTES]
#
# OUT gets the model's folder as model.tar in pieces of 15 MB (cat OUT/model.tar.* | tar -x), the detector, a sheet of samples
# and the log.
# Autoencoder and text encoder train side by side while the denoiser compiles; it starts when both are ready, and the detector
# trains beside it. AUTOENCODER_MINUTES go on with the autoencoder of models/latentd-tiny; 0 keeps it. GO_ON=1 keeps its text
# encoder and autoencoder and goes on with its denoiser, at rates that do not undo it. Other variables: WIDTHS, LAYERS, BATCH,
# COMPILE=1 (a minute or two at the start), TEXT_MINUTES, DETECTOR_MINUTES, WORK (a detector.pt lying there is gone on with),
# WHEELS (a folder of wheels, for a machine without diffusers).
set -euo pipefail
cd "$(dirname "$0")"
out=$(mkdir -p "$1" && cd "$1" && pwd) denoiser=${2:-6.5} autoencoder=${3:-1.4}
export BUNDLED_MODEL_WORK=${WORK:-/tmp/bundled-model} TOKENIZERS_PARALLELISM=false
mkdir -p "$BUNDLED_MODEL_WORK"
exec > >(tee -a "$out/log.txt") 2>&1

python3 -c 'import diffusers' 2>/dev/null || python3 -m pip install --quiet --no-index --no-deps --find-links "$WHEELS" diffusers importlib_metadata
date; python3 import_weights.py --from ../../models/latentd-tiny
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
if [ -n "${GO_ON:-}" ]; then
  begin=(--weights unet-ema.pt --muon 0.008 --adam 5e-4 --cool-from 0.3)
else
  begin=(--widths "${WIDTHS:-64,96,192}" --layers "${LAYERS:-1}")
  rm -f "$BUNDLED_MODEL_WORK/text-final.pt"
  python3 make_tokenizer.py
  python3 train_text_encoder.py --minutes "${TEXT_MINUTES:-1.4}" --batch 512 & text=$!
fi
# Compiles while the others train, then waits for text encoder and latents.
python3 train_unet.py --minutes "$denoiser" --batch "${BATCH:-512}" --horizon 1000 "${begin[@]}" ${COMPILE:+--compile} & unet=$!
if [ -z "${GO_ON:-}" ]; then
  [ "$autoencoder" = 0 ] || python3 train_vae.py --weights vae-final.pt --minutes "$autoencoder" --batch 64
  wait "$text"
fi
date
python3 cache_latents.py --shards 2000 --pairs 0.4 --processes $(($(nproc) > 5 ? $(nproc) - 4 : 1)) >"$BUNDLED_MODEL_WORK/cache.log" 2>&1 & drawing=$!
python3 train_detector.py --minutes "${DETECTOR_MINUTES:-1.4}" --batch 512 --resume
cp "$BUNDLED_MODEL_WORK/detector.pt" "$out/"
python3 evaluate.py --reconstructions --count 500
date; wait "$unet"; kill "$drawing"
date; python3 export.py --to "$BUNDLED_MODEL_WORK/model"
tar -C "$BUNDLED_MODEL_WORK" -cf - model | split -b 15000000 -d - "$out/model.tar."
python3 samples.py --model "$BUNDLED_MODEL_WORK/model" --to "$out/samples.png"
date
