# syntax=docker/dockerfile:1
# Two targets: `docker build --target cpu .` and `docker build --target cuda .`

ARG NODE_IMAGE=node:24-bookworm-slim
ARG CUDA_IMAGE=nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04
ARG ORT_VERSION=1.30.0

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The runtime's binaries for other systems are two thirds of what the package installs.
RUN npm run build \
 && npm prune --omit=dev \
 && rm -rf dist/test dist/bench dist/schemas node_modules/.cache \
 && find dist -name '*.map' -delete \
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d ! -path "*/linux/$(node -p process.arch)" -exec rm -rf {} +

# onnxruntime-node's own install script is not run; its CUDA provider is fetched here, in sight, in the binding's own version.
FROM python:3.12-slim-bookworm AS cuda-provider
ARG ORT_VERSION
# The provider's place below is that of x64.
RUN test "$(uname -m)" = x86_64
RUN apt-get update && apt-get install -y --no-install-recommends binutils unzip && rm -rf /var/lib/apt/lists/*
WORKDIR /provider
COPY --from=build /app/node_modules/onnxruntime-node/package.json binding.json
RUN test "$(python3 -c 'import json; print(json.load(open("binding.json"))["version"])')" = "${ORT_VERSION}"
RUN pip download --no-deps --no-cache-dir --only-binary :all: "onnxruntime-gpu==${ORT_VERSION}" \
 && unzip -j onnxruntime_gpu-*.whl 'onnxruntime/capi/libonnxruntime_providers_cuda.so' 'onnxruntime/capi/libonnxruntime_providers_shared.so' \
 && rm onnxruntime_gpu-*.whl
# The image below has CUDA 13: a provider built for another one must fail here, not at a user's first start.
RUN readelf -d libonnxruntime_providers_cuda.so | grep -q 'NEEDED.*\[libcudart\.so\.13\]'

FROM ${NODE_IMAGE} AS cpu
ENV NODE_ENV=production LATENTD_HOST=0.0.0.0 LATENTD_DATA=/data
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/models models
COPY --from=build /app/engine/models/clip-vocabulary engine/models/clip-vocabulary
COPY --from=build /app/engine/models/families engine/models/families
COPY --from=build /app/dist dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4747
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.LATENTD_PORT ?? 4747) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/server/cli.js"]
CMD ["serve"]

FROM ${CUDA_IMAGE} AS cuda
ENV NODE_ENV=production LATENTD_HOST=0.0.0.0 LATENTD_DATA=/data
WORKDIR /app
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=cpu /app ./
COPY --from=cuda-provider /provider/libonnxruntime_providers_cuda.so /provider/libonnxruntime_providers_shared.so node_modules/onnxruntime-node/bin/napi-v6/linux/x64/
# Node comes from another distribution: that it runs on this one's libraries is seen here, not at a user's first start.
RUN node dist/server/cli.js --version
RUN groupadd --system latentd && useradd --system --gid latentd --home-dir /data latentd && mkdir -p /data && chown latentd:latentd /data
USER latentd
VOLUME /data
EXPOSE 4747
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.LATENTD_PORT ?? 4747) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/server/cli.js"]
CMD ["serve"]
