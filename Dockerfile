# The challenge's container: docker build -t litemedsam:cpu .
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY docker/requirements.txt ./
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-compile --require-hashes --only-binary :all: -r requirements.txt
COPY . ./
RUN pip --python /opt/venv/bin/python install --no-compile --no-deps . \
 && sh docker/slim.sh /opt/venv
# For this machine's processor; on another one the graphs are compiled at each start, which takes half a second longer
RUN LITEMEDSAM_CACHE= /opt/venv/bin/python -m litemedsam.engine.backends.precompile /opt/venv/compiled

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="litemedsam" \
      org.opencontainers.image.description="Box-prompted medical image segmentation on an ordinary CPU" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    LITEMEDSAM_COMPILED=/opt/venv/compiled
COPY --from=build /opt/venv /opt/venv
COPY docker/entrypoint.sh /usr/local/bin/litemedsam-entrypoint
COPY docker/predict.sh /workspace/predict.sh
WORKDIR /workspace
# Places to mount on; what is not mounted belongs to root, so that no result is lost with the container unnoticed
RUN mkdir inputs outputs
# The first user of most Linux machines; any other by docker run --user
USER 1000:1000
ENTRYPOINT ["litemedsam-entrypoint"]
CMD ["--help"]
