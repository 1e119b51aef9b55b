# Three images: --target pipeline, serving or gateway. BASE_IMAGE must have Python 3.11 or 3.12 with venv.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --quiet --no-cache-dir uv==0.13.9
WORKDIR /src
COPY requirements.lock pyproject.toml ./
RUN python3 -m venv --without-pip /opt/pokewatch
# Every distribution is checked against its hash in the lock.
ENV UV="/opt/tools/bin/uv pip install --quiet --no-cache --compile-bytecode" \
    LOCKED="--require-hashes --constraint requirements.lock" \
    INTO="--python /opt/pokewatch/bin/python"

FROM build AS wheel
RUN $UV --constraint requirements.lock --python /opt/tools/bin/python hatchling
COPY README.md LICENSE ./
COPY pokewatch pokewatch
COPY flows flows
COPY mlserver_models mlserver_models
RUN /opt/tools/bin/python -m hatchling build -t wheel -d /dist

# Dependencies are installed before the wheel, so a change of the code keeps their layer.
FROM build AS build-pipeline
RUN $UV $LOCKED $INTO --requirement pyproject.toml --extra pipeline --extra tracing
COPY --from=wheel /dist /dist
RUN $UV --no-deps $INTO /dist/*.whl

FROM build AS build-serving
RUN $UV $LOCKED $INTO --requirement pyproject.toml --extra serving --extra tracing
COPY --from=wheel /dist /dist
RUN $UV --no-deps $INTO /dist/*.whl

FROM build AS build-gateway
# EXTRAS="--extra tracing" adds OpenTelemetry, which the other two images have anyway: 12 MB.
ARG EXTRAS=
RUN $UV $LOCKED $INTO --requirement pyproject.toml --extra gateway --extra mcp $EXTRAS
COPY --from=wheel /dist /dist
RUN $UV --no-deps $INTO /dist/*.whl

FROM ${BASE_IMAGE} AS runtime
# A numeric user: Kubernetes' runAsNonRoot cannot check a name. Only the home and /tmp are written to.
RUN mkdir -p /home/pokewatch/state && chown -R 10001:10001 /home/pokewatch
ENV PATH=/opt/pokewatch/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/pokewatch \
    POKEWATCH_HOME=/home/pokewatch/state \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="PokeWatch"
WORKDIR /home/pokewatch
USER 10001:10001

FROM runtime AS pipeline
LABEL org.opencontainers.image.description="PokeWatch's flows and their steps"
# LightGBM needs OpenMP, which its wheel does not include.
USER 0:0
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
USER 10001:10001
COPY --from=build-pipeline /opt/pokewatch /opt/pokewatch
COPY flows /app/flows
# Otherwise Metaflow installs its own dependencies in every task.
ENV METAFLOW_SKIP_INSTALL_DEPENDENCIES=1 \
    USERNAME=pokewatch
HEALTHCHECK NONE
# Last, so that a new commit keeps the layers above. podman and buildah of Debian 12 leave ARG out of the
# key of a cached ENV or LABEL, but not of a RUN: without one, the image has the commit of an earlier build.
ARG VERSION=
ARG GIT_COMMIT=
RUN true
ENV POKEWATCH_GIT_COMMIT=${GIT_COMMIT}
LABEL org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${GIT_COMMIT}"
CMD ["python", "/app/flows/flow.py", "run"]

FROM runtime AS serving
LABEL org.opencontainers.image.description="PokeWatch's models on MLServer"
COPY --from=build-serving /opt/pokewatch /opt/pokewatch
COPY mlserver_models /app/mlserver_models
ENV MLSERVER_HOST=0.0.0.0 \
    MLSERVER_METRICS_DIR=/tmp/metrics \
    MLSERVER_ENVIRONMENTS_DIR=/tmp/environments
EXPOSE 8080 8081 8082
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/v2/health/ready', timeout=2)"]
ARG VERSION=
ARG GIT_COMMIT=
RUN true
ENV POKEWATCH_GIT_COMMIT=${GIT_COMMIT}
LABEL org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${GIT_COMMIT}"
CMD ["mlserver", "start", "/app/mlserver_models"]

FROM runtime AS gateway
LABEL org.opencontainers.image.description="PokeWatch's API"
COPY --from=build-gateway /opt/pokewatch /opt/pokewatch
ENV POKEWATCH_GATEWAY_HOST=0.0.0.0 \
    POKEWATCH_GATEWAY_METRICS_HOST=0.0.0.0
EXPOSE 8000 8083
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
ARG VERSION=
ARG GIT_COMMIT=
RUN true
ENV POKEWATCH_GIT_COMMIT=${GIT_COMMIT}
LABEL org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${GIT_COMMIT}"
CMD ["pokewatch", "gateway"]
