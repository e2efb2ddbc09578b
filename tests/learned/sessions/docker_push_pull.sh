# Through a registry on the loopback, in the Engine's own network.
mkdir registry
cat >registry.yaml <<'YAML'
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: registry}}
http: {addr: 127.0.0.1:5000}
YAML
docker-registry serve registry.yaml &
registry=$!
trap 'kill $registry' EXIT
image=127.0.0.1:5000/learned/busybox:1
docker tag busybox "$image"
until docker push "$image"; do sleep 0.5; done
docker image rm "$image"
docker pull "$image"
docker pull --quiet "$image"
docker image inspect "$image" --format '{{.RepoDigests}}'
docker manifest inspect --insecure "$image"
docker image rm "$image"
