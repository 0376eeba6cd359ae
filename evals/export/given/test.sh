#!/bin/sh
# The paths are the container's, unless they are given.
tests=${TESTS:-/tests} app=${APP:-/app} asked=${ASKED:-/srv/incident/asked} out=${LOGS:-/logs/verifier}
exec python3 "$tests/score.py" "$tests/truth.json" "$app/answer.json" --asked "$asked" --out "$out"
