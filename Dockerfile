# The program with everything it needs to run, its lab included. Build: docker build -t rediagnose .
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/rediagnose
COPY requirements.lock ./
RUN /opt/rediagnose/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE rediagnose.py ./
COPY agent ./agent
COPY evals ./evals
COPY prompts ./prompts
COPY runbooks ./runbooks
COPY tools ./tools
RUN /opt/rediagnose/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/rediagnose/bin/pip uninstall --yes mypy librt ast-serialize ruff pytest pytest-asyncio build pip

FROM python:3.13-slim
COPY --from=build /opt/rediagnose /opt/rediagnose
RUN useradd --system --create-home --uid 10001 rediagnose
USER 10001
WORKDIR /home/rediagnose
ENV PATH=/opt/rediagnose/bin:$PATH
ENTRYPOINT ["rediagnose"]
