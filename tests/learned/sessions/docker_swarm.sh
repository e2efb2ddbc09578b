# A swarm of one node: services, a stack, a secret, a config.
trap 'docker swarm leave --force' EXIT
docker swarm init --advertise-addr 127.0.0.1
docker node ls
docker node inspect self
docker node update --label-add a=b "$(docker node ls -q)"
docker swarm join-token worker
docker network create --driver overlay over
echo word | docker secret create word -
echo settings | docker config create settings -
docker service create --name web --replicas 1 --network over --secret word --config settings \
    --stop-grace-period 1s --update-monitor 1s --rollback-monitor 1s --no-resolve-image \
    busybox sleep 600
docker service ls
docker service ps web
docker service inspect web
docker service logs web
docker service scale web=2
docker service update --env-add A=b --update-delay 0s --no-resolve-image web
docker service rollback web
docker secret ls
docker secret inspect word
docker config ls
docker config inspect settings
docker service rm web
cat >stack.yml <<'YAML'
version: "3.8"
services:
  app:
    image: busybox
    command: sleep 600
    stop_grace_period: 1s
    configs: [given]
configs:
  given:
    file: ./stack.yml
YAML
docker stack deploy --resolve-image never --compose-file stack.yml stacked
docker stack ls
docker stack services stacked
docker stack ps stacked
docker stack rm stacked
docker secret rm word
docker config rm settings
# The network goes once the last container has left it.
until [ -z "$(docker ps -aq --filter label=com.docker.swarm.service.name)" ]; do sleep 0.2; done
until docker network rm over; do sleep 0.2; done
