# The service and the commands, with everything that they need to run. Build: docker build -t rediagnose .
# A digest makes a build repeatable: --build-arg PYTHON=python:3.13-slim@sha256:...
ARG PYTHON=python:3.13-slim
FROM ${PYTHON} AS build
WORKDIR /src
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY deploy/build.lock deploy/requirements.lock ./deploy/
# Nothing of what builds the wheel gets into the environment that is copied.
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r deploy/build.lock \
 && python -m venv --without-pip /opt/rediagnose \
 && /opt/build/bin/python -m pip --python /opt/rediagnose/bin/python install --no-cache-dir --no-compile \
      --require-hashes --only-binary :all: -r deploy/requirements.lock
COPY pyproject.toml README.md LICENSE rediagnose.py ./
COPY agent ./agent
COPY evals ./evals
COPY prompts ./prompts
COPY runbooks ./runbooks
COPY tools ./tools
# The file system may be read-only later, so the bytecode is written now; by content, since a copy has other times.
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/build/bin/python -m pip --python /opt/rediagnose/bin/python install --no-cache-dir --no-compile \
      --no-index --no-deps /dist/*.whl \
 && /opt/rediagnose/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/rediagnose/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="rediagnose" org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes --root-user-action ignore pip \
 && useradd --system --uid 10001 --user-group --home-dir /var/lib/rediagnose --shell /usr/sbin/nologin rediagnose \
 && install -d -m 0700 -o rediagnose -g rediagnose /var/lib/rediagnose \
 && install -d -m 0755 /etc/rediagnose
COPY --from=build /opt/rediagnose /opt/rediagnose
ENV PATH=/opt/rediagnose/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_STATE_HOME=/var/lib
USER 10001:10001
WORKDIR /var/lib/rediagnose
# The database if it's a file, the recordings and the audit log: the only place that is written to.
VOLUME ["/var/lib/rediagnose"]
EXPOSE 8379
# A worker listens nowhere: switch this off for it (compose.yaml does).
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8379/healthz', timeout=4)"]
ENTRYPOINT ["rediagnose"]
CMD ["serve", "--listen", "0.0.0.0:8379"]
