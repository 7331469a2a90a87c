#!/bin/sh
# An engine of Beam's starts a worker by the image's entry point, with options alone, as with Beam's own images
# (`--worker_pool` starts a pool of them). Everyone else brings a command.
case "${1-}" in
--*)
    if [ ! -x /opt/apache/beam/boot ]; then
        echo "This image starts no workers of Beam's: it was built without their boot program (BEAM_BOOT=no)." >&2
        exit 1
    fi
    exec /opt/apache/beam/boot "$@"
    ;;
esac
exec "$@"
