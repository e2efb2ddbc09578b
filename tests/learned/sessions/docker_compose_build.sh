# A service that is built, pushed to a registry on the loopback, and pulled again.
mkdir registry context
cat >registry.yaml <<'YAML'
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: registry}}
http: {addr: 127.0.0.1:5000}
YAML
docker-registry serve registry.yaml &
registry=$!
trap 'kill $registry' EXIT
printf 'FROM busybox\nRUN echo hello >/made\n' >context/Dockerfile
cat >compose.yaml <<'YAML'
name: learned
services:
  web:
    build: context
    image: 127.0.0.1:5000/learned/web:1
    init: true
    command: sleep 600
    stop_grace_period: 1s
YAML
docker compose build
docker compose up -d --build
until docker compose push; do sleep 0.5; done
docker compose down --rmi all
docker compose pull
docker compose up -d --pull always --no-build
docker compose down --rmi local
