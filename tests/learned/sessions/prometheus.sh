# Discovers containers, twice, and says which targets it found.
cat >prometheus.yml <<YAML
scrape_configs:
  - job_name: containers
    docker_sd_configs:
      - host: $DOCKER_HOST
        refresh_interval: 1s
YAML
prometheus --config.file=prometheus.yml --storage.tsdb.path=data \
    --web.listen-address=127.0.0.1:9090 &
prometheus=$!
trap 'kill $prometheus' EXIT
ask() { wget -q -O - "http://127.0.0.1:9090/$1"; }
until ask 'api/v1/targets' 2>/dev/null | grep -q __meta_docker_container_name; do sleep 0.2; done
refreshes() { ask metrics | sed -n 's/^prometheus_sd_refresh_duration_seconds_count.* //p'; }
until [ "$(refreshes)" -ge 2 ]; do sleep 0.2; done
