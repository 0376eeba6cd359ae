#!/bin/sh
# The incident begins when the container does.
cd /srv/server && python start.py /srv/incident/incident.jsonl.gz --port 6379 \
  --ready /app/endpoints.json --asked /srv/incident/asked &
cd /app && exec "$@"
