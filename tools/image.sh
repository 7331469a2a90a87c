#!/bin/sh
# Builds two images, each with its version and as `latest`: retrainer, in which tasks run, and retrainer-trigger, the
# trigger service without TensorFlow. Named as arguments: those alone.
#   BASE           another base image than the Dockerfile's, any Debian 13
#   PIP_CERT       where in the base image the certificates of this network's authority lie
#   PIP_INDEX_URL  another package index
#   GOPROXY        another proxy of Go modules
#   BEAM_BOOT      no: without the program that Beam's engines start workers with, which is built from a Go module
set -eu
cd "$(dirname "$0")/.."
images=$*

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
set -- --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
for name in BASE PIP_CERT PIP_INDEX_URL GOPROXY BEAM_BOOT; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || set -- "$@" --build-arg "$name=$value"
done
for image in ${images:-retrainer retrainer-trigger}; do
    file=Dockerfile
    [ "$image" = retrainer ] || file=Dockerfile.trigger
    # The host's network, because a proxy may listen there only.
    docker build --network host "$@" -f "$file" -t "$image:$version" -t "$image:latest" .
done
