#!/bin/sh
# The challenge's call: every case of /workspace/inputs to /workspace/outputs. Options go to litemedsam-infer.
if [ ! -w /workspace/outputs ]; then
    echo "Error: /workspace/outputs is not writable for user $(id -u);" \
        "mount a folder of that user, or add --user \"\$(id -u):\$(id -g)\" to docker run" >&2
    exit 1
fi
[ $# -gt 0 ] || set -- --overwrite
exec litemedsam-infer --input /workspace/inputs --output /workspace/outputs "$@"
