#!/bin/sh
# The server: on all addresses of the container, of which docker run -p publishes one.
if [ "${1-}" = serve ]; then
    shift
    [ ! -d /data ] || set -- --data /data "$@"
    exec litemedsam-serve --host 0.0.0.0 --no-browser "$@"
fi
# A command is run as it is; everything else are arguments of litemedsam-infer.
# By its last part, so that neither a case inputs/a.npz nor one marked executable is taken for a command.
if [ $# -gt 0 ] && command -v -- "${1##*/}" >/dev/null; then
    exec "$@"
fi
exec litemedsam-infer "$@"
