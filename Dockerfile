# The image of retrainer's components: Debian 13, Python 3.13. (Dockerfile.trigger has the trigger service alone.)
#
#   docker build --build-arg REVISION=$(git rev-parse HEAD) -t retrainer:0.1.0 .
#
# An image of your own, with your model code and its packages, is two lines on top of it:
#
#   FROM retrainer:0.1.0
#   COPY --chown=retrainer model.py ./
#   RUN pip install some-package
#
# and `module: model` in retrain.yaml. pip changes none of the packages that are locked here. After USER root, end with
# USER 10001.
#
# It asks for nothing that only BuildKit has, so the classic builder makes it too.

ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates g++ python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
# Both are for a network with a certificate authority or an index of its own.
ARG PIP_CERT=
ARG PIP_INDEX_URL=
WORKDIR /src
COPY requirements/build.txt requirements/py313.txt requirements/
COPY tools/setup.py tools/
RUN UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 \
    python3 tools/setup.py --into /opt/retrainer --runtime
COPY pyproject.toml setup.py README.md LICENSE ./
COPY components components
COPY pipelines pipelines
RUN /opt/retrainer/bin/pip install --quiet --no-deps --no-build-isolation . \
    && /opt/retrainer/bin/pip uninstall --quiet --yes uv \
    && /opt/retrainer/bin/pip freeze --exclude retrainer > /opt/retrainer/constraints.txt

# The program that Beam's engines start a worker with, of the Beam that requirements/py313.txt has. BEAM_BOOT=no leaves
# it out, where no Go module can be fetched.
FROM ${BASE} AS boot
ARG BEAM_BOOT=yes
ARG PIP_CERT=
ARG GOPROXY=
RUN if [ "$BEAM_BOOT" = yes ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends ca-certificates golang-go \
        && rm -rf /var/lib/apt/lists/*; \
    fi
COPY tools/worker/go.mod tools/worker/go.sum /src/
WORKDIR /src
RUN mkdir -p /opt/apache/beam \
    && if [ "$BEAM_BOOT" = yes ]; then \
        if [ -n "$PIP_CERT" ]; then export SSL_CERT_FILE="$PIP_CERT"; fi \
        && export GOTOOLCHAIN=auto CGO_ENABLED=0 GOFLAGS=-mod=readonly ${GOPROXY:+GOPROXY="$GOPROXY"} \
        && go build -trimpath -ldflags="-s -w" -o /opt/apache/beam/boot github.com/apache/beam/sdks/v2/python/container \
        && cp "$(go list -m -f '{{.Dir}}' github.com/apache/beam/sdks/v2)/LICENSE" /opt/apache/beam/ \
        && rm -rf "$(go env GOPATH)" "$(go env GOCACHE)"; \
    fi

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="retrainer" \
      org.opencontainers.image.description="Continuous training on the TFX libraries" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 retrainer \
    && chmod 755 /home/retrainer
# The user's own, so that an image on top can install packages without becoming root.
COPY --from=build --chown=retrainer /opt/retrainer /opt/retrainer
COPY --from=boot /opt/apache/beam /opt/apache/beam
COPY tools/worker/entrypoint.sh /opt/retrainer/bin/
# A cluster may run it as any user, mostly of group 0 (OpenShift), who has no entry in /etc/passwd, no home and no place
# to write but /tmp. Python's getpass then asks LOGNAME, and Beam's boot (Go's user.Current) USER. Boot would also make an
# environment for each worker, without the packages of this one.
ENV PATH=/opt/retrainer/bin:$PATH \
    PYTHONPATH=/home/retrainer \
    HOME=/tmp \
    LOGNAME=retrainer \
    USER=retrainer \
    PYTHONUNBUFFERED=1 \
    PIP_CONSTRAINT=/opt/retrainer/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# A number, because a kubelet that is to refuse root (runAsNonRoot) can't look names up in an image.
USER 10001
WORKDIR /home/retrainer
# Kubeflow, Vertex AI and kfp's local runners bring the whole command, which the entry point runs.
ENTRYPOINT ["/opt/retrainer/bin/entrypoint.sh"]
CMD ["retrainer", "--help"]
