# A project with two services, a network, a volume, a health check and a dependency.
cat >compose.yaml <<'YAML'
name: learned
services:
  store:
    image: busybox
    init: true
    command: sh -c "echo up; sleep 600"
    volumes: [data:/data]
    networks: [inside]
    stop_grace_period: 1s
    healthcheck:
      test: [CMD, "true"]
      interval: 1s
      start_period: 1s
      start_interval: 1s
  web:
    image: busybox
    init: true
    command: sh -c "echo web; sleep 600"
    environment:
      COLOUR: ${COLOUR:-red}
    networks: [inside, default]
    ports: ["127.0.0.1:8766:80"]
    stop_grace_period: 1s
    depends_on:
      store:
        condition: service_healthy
networks:
  inside:
    internal: true
volumes:
  data:
YAML
docker compose config --quiet
docker compose create
docker compose up -d --wait
docker compose ps
docker compose ps --all --format json
docker compose ls
docker compose logs
timeout 3 docker compose logs --follow || [ $? = 124 ] || [ $? = 130 ]
docker compose exec -T web echo hello
docker compose run --rm -T web echo once
docker compose top
docker compose port web 80
docker compose images
docker compose pause
docker compose unpause
docker compose restart web
docker compose stop
docker compose start
COLOUR=blue docker compose up -d --wait
docker compose up -d --scale store=2 --no-recreate
docker compose kill web
docker compose rm -f web
docker compose down --volumes --remove-orphans
docker compose up --abort-on-container-exit --timeout 1 store &
until docker compose logs store | grep -q up; do sleep 0.2; done
docker compose down --volumes
wait || true
