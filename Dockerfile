# The image of the controller: two stages on one base, so that what the first compiles is what the second runs.
#
#   make docker-build IMG=registry.example/liqo-connectivity-engine:tag
#
# Nothing but the package index is asked for anything, and every package has to have the hash that requirements.lock
# names. Where there is no index, give the wheels as a build context:
#
#   pip download --require-hashes --only-binary :all: --requirement requirements.lock --dest wheels
#   docker build --build-context wheels=wheels --build-arg PIP_NO_INDEX=1 .

FROM docker.io/library/python:3.13-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# Empty, unless a build context of this name takes its place.
FROM scratch AS wheels

FROM base AS build
ARG PIP_NO_INDEX=
WORKDIR /build
RUN python3 -m venv /opt/liqo-connectivity
COPY requirements.lock .
RUN --mount=type=bind,from=wheels,target=/wheels \
    /opt/liqo-connectivity/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile \
    --require-hashes --only-binary :all: --find-links /wheels --requirement requirements.lock
COPY . .
# The build tools are locked too, and not needed any more afterwards. The bytecode names the hash of its source instead
# of its time, which a layer does not keep; the root is read-only, so nothing could renew it anyway. For the same reason
# the built-in rules are parsed and checked here: the first command keeps them beside the bytecode.
RUN /opt/liqo-connectivity/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile \
    --no-deps --no-build-isolation . \
 && /opt/liqo-connectivity/bin/pip uninstall --yes --quiet setuptools pip \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/liqo-connectivity/lib \
 && env --unset=PYTHONDONTWRITEBYTECODE /opt/liqo-connectivity/bin/liqo-connectivity rules show >/dev/null

FROM base
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="Liqo Connectivity Engine" \
      org.opencontainers.image.description="Decides, explains and enforces who may talk to whom between Liqo-peered Kubernetes clusters" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-bookworm" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/liqo-connectivity /opt/liqo-connectivity
ENV PATH=/opt/liqo-connectivity/bin:$PATH
# A change touches many large hash tables at random: with huge pages it takes a tenth less time, where the kernel lets
# programs ask for them (transparent_hugepage=madvise).
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1
# A number, so that a kubelet can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["liqo-connectivity"]
CMD ["run"]
