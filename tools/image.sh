#!/bin/sh
# Builds the image of the components: retrainer:<version>, and retrainer:latest.
#   BASE           another base image than the Dockerfile's, any Debian 13
#   PIP_CERT       where in the base image the certificates of this network's authority lie
#   PIP_INDEX_URL  another package index
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
set -- --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
for name in BASE PIP_CERT PIP_INDEX_URL; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || set -- "$@" --build-arg "$name=$value"
done
# The host's network, because a proxy may listen there only.
exec docker build --network host "$@" -t "retrainer:$version" -t retrainer:latest .
