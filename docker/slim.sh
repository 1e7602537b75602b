#!/bin/sh
# slim.sh VENV: removes what inference on a CPU never loads, then compiles the rest to bytecode.
set -eu
site=$(echo "$1"/lib/python3*/site-packages)
cd "$site/openvino/libs"
# Other devices, the GPU's kernel table, and readers of formats other than ONNX and OpenVINO's own
rm -f libopenvino_intel_gpu_plugin.so libopenvino_intel_npu_plugin.so cache.json
for format in gguf jax paddle pytorch tensorflow tensorflow_lite; do
    rm -f libopenvino_"$format"_frontend.so*
done
# OpenVINO's usage reports: it does without them where the module is absent
rm -rf "$site"/openvino_telemetry "$site"/openvino_telemetry-*.dist-info
# Unchecked: the image is read-only, so no source is ever newer than its bytecode
"$1"/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
