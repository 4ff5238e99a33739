# The image of every role: edges, drainers and jobs. `docker build .` makes the wheels in the first
# stage; with `--build-arg WHEELS=dist/wheels` it takes those that `make wheels` made outside, and no
# step needs the network. To pin the bases by digest, give them as arguments: `--build-arg
# PYTHON=python:3.13-slim-trixie@sha256:…`.
ARG PYTHON=python:3.13-slim-trixie
ARG RUST=rust:1.95-slim-trixie

FROM ${RUST} AS wheels
ARG WHEELS=""
SHELL ["/bin/bash", "-eu", "-o", "pipefail", "-c"]
WORKDIR /source
COPY . .
# hadolint ignore=DL3008
RUN if [ -n "$WHEELS" ]; then test -s "$WHEELS/requirements.txt" && mv "$WHEELS" /wheels; else \
      apt-get update \
      && apt-get install --yes --no-install-recommends make python3-venv \
      && rm -rf /var/lib/apt/lists/* \
      && make wheels && mv dist/wheels /wheels; fi

FROM ${PYTHON} AS installed
COPY --from=wheels /wheels /wheels
RUN python3 -m venv --without-pip /opt/scrutin \
    && python3 -m pip --python /opt/scrutin/bin/python3 install --quiet --no-index --no-compile \
      --disable-pip-version-check --find-links /wheels --require-hashes -r /wheels/requirements.txt \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/scrutin/lib

FROM ${PYTHON} AS scrutin
LABEL org.opencontainers.image.title="scrutin" \
      org.opencontainers.image.description="Online voting for a referendum day" \
      org.opencontainers.image.licenses="Apache-2.0"
# What runs installs nothing and becomes nobody else. Python's images come without the standard
# library's bytecode, and a health check would compile it every ten seconds.
RUN find / -xdev -type d -regex '.*/python3[^/]*/.*\(pip\|ensurepip\|setuptools\)\(-[^/]*\)?' -prune \
      -exec rm -rf {} + \
    && rm -f /usr/local/bin/pip* /usr/bin/pip* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && python3 -m compileall -q --invalidation-mode unchecked-hash "$(python3 -c \
      'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && mkdir /electorate && chown 10001:10001 /electorate
COPY --from=installed /opt/scrutin /opt/scrutin
COPY --from=wheels /wheels/sbom /usr/share/doc/scrutin
ENV PATH=/opt/scrutin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Not where the source is: Granian puts its working directory first on the path of modules.
WORKDIR /
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python3", "-P", "-m", "edge.healthcheck"]
ENTRYPOINT ["scrutin"]
CMD ["--help"]
