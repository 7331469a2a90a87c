# The image of the trigger service alone: retrainer without its extra `components`, so without TensorFlow and the TFX
# libraries. Debian 13, Python 3.13.
#
#   docker build -f Dockerfile.trigger --build-arg REVISION=$(git rev-parse HEAD) -t retrainer-trigger:0.1.0 .
#
# `retrainer trigger`, `serve-log`, `monitor sink`, `metrics`, `submit`, `schedule`, `compile` and `config check` work in it; a
# run on this machine does not. An image of your own has your project in it:
#
#   FROM retrainer-trigger:0.1.0
#   COPY --chown=retrainer retrain.yaml model.py ./
#
# The tasks of the pipeline run in the other image (`image` in retrain.yaml).

ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
# Both are for a network with a certificate authority or an index of its own.
ARG PIP_CERT=
ARG PIP_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/build.txt requirements/py313-light.txt requirements/
# The lock has everything, so nothing is resolved.
RUN python3 -m venv /opt/retrainer \
    && /opt/retrainer/bin/pip install --quiet --require-hashes -r requirements/build.txt \
    && /opt/retrainer/bin/pip install --quiet --no-deps --no-build-isolation --require-hashes \
        -r requirements/py313-light.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY components components
COPY pipelines pipelines
RUN /opt/retrainer/bin/pip install --quiet --no-deps --no-build-isolation . \
    && /opt/retrainer/bin/pip uninstall --quiet --yes uv

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="retrainer-trigger" \
      org.opencontainers.image.description="The trigger service of retrainer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 retrainer \
    && chmod 755 /home/retrainer
COPY --from=build /opt/retrainer /opt/retrainer
# As in the Dockerfile beside this one: any user, no home.
ENV PATH=/opt/retrainer/bin:$PATH \
    PYTHONPATH=/home/retrainer \
    HOME=/tmp \
    LOGNAME=retrainer \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/retrainer
CMD ["retrainer", "trigger", "--help"]
