"""What the docker CLI shows is the same through the proxy as on the raw socket."""

import sys
from collections.abc import Mapping

import pytest

from tests.clients.comparison import compare_clients
from tests.end_to_end.proxies import Proxy
from tests.engine import ScratchEngine

PTY = f"{sys.executable} -m tests.clients.on_a_pty"
START = "docker run -d --name box busybox sleep 600 >/dev/null;"

QUICK = {
    "version": "docker version",
    "info": "docker info --format '{{.ServerVersion}} {{.Driver}} {{.OSType}} {{.Swarm.LocalNodeState}}'",
    "ps": f"{START} docker ps -a --no-trunc",
    "images": "docker images --digests; docker image inspect busybox --format '{{.Architecture}} {{.Config.Cmd}}'",
    "inspect": f"{START} docker inspect box --format '{{{{json .HostConfig}}}} {{{{.State.Status}}}}'",
    "run": "docker run --rm busybox sh -c 'echo out; echo err >&2; exit 3'",
    "run, no such command": "docker run --rm busybox nonsense",
    "run, no such image": "docker run --rm --pull never no-such-image",
    "run -i": "echo hello | docker run --rm -i busybox cat",
    "exec": f"{START} docker exec box sh -c 'echo out; echo err >&2; sleep 0.2; exit 4'",
    "exec -i": f"{START} echo hello | docker exec -i box cat",
    "errors": "docker start nope; docker rm nope; docker logs nope; docker attach nope; docker exec nope true",
}
"""Scenarios of a second or so: they run with the other tests."""

ALL = {
    "run -i 50 MB": "head -c 50000000 /dev/urandom >in; docker run --rm -i busybox cat <in >out; cmp in out && wc -c <out",
    "run -i, tail of the output": "yes | head -c 5000000 | docker run --rm -i busybox sh -c 'wc -c; yes | head -c 3000000' | wc -c",
    "run -i, container ends first": "yes | docker run --rm -i busybox head -n 2",
    "run -i, stdin empty": "docker run --rm -i busybox sh -c 'cat; echo end' </dev/null",
    "run -it": f"{PTY} 'ready\\r\\n>hello\\r' docker run --rm -it busybox sh -c 'tty; echo ready; read x; echo got $x; exit 5'",
    "run -t": f"{PTY} '' docker run --rm -t busybox sh -c 'echo out; echo err >&2'",
    "exec -it": f"{START} {PTY} 'ready\\r\\n>hello\\r|again\\r\\n>\\x04' docker exec -it box sh -c 'echo ready; read x; echo got $x again; cat; exit 6'",
    "exec -it, window size": f'{START} {PTY} \'\' sh -c \'stty rows 33 cols 77; docker exec -it box sh -c "until [ \\"\\$(stty size)\\" = \\"33 77\\" ]; do :; done; stty size"\'',
    "exec 50 MB in": f"{START} head -c 50000000 /dev/zero | docker exec -i box wc -c",
    "exec 50 MB out": f"{START} docker exec box head -c 50000000 /dev/zero | wc -c",
    "exec -d": f"{START} docker exec -d box touch /made; until docker exec box ls /made 2>/dev/null; do :; done",
    "attach": "docker run -d -i --name box busybox sh -c 'read a; echo got $a; read b; exit 6' >/dev/null; mkfifo in lines; docker attach box <in >lines & exec 4>in 3<lines; echo one >&4; read -r line <&3; echo $line; echo two >&4; wait $!; echo status $?",
    "attach, detach keys": f"docker run -dit --name box busybox sh -c 'stty -echo; until read -t 0.1 line; do echo tick; done; echo got; sleep 600' >/dev/null; {PTY} 'tick\\r\\n>\\r|got\\r\\n>\\x10\\x11' docker attach box | tr -d '\\r' | uniq; docker ps --format '{{{{.Names}}}} {{{{.State}}}}'",
    "run, detach keys": f"{PTY} 'ready\\r\\n>\\x10\\x11' docker run -it --name box busybox sh -c 'echo ready; sleep 600'; docker ps --format '{{{{.Names}}}} {{{{.State}}}}'",
    "run --sig-proxy": "mkfifo lines; docker run --name box busybox sh -c 'trap \"echo caught; exit 7\" TERM; echo ready; while :; do read -t 1; done' >lines & exec 3<lines; read -r line <&3; kill -TERM $!; wait $!; echo status $?; cat <&3",
    "create and start -a": "docker create --name box busybox sh -c 'echo hi; exit 2'; docker start -a box",
    "start -ai": "docker create -i --name box busybox cat >/dev/null; echo hi | docker start -ai box",
    "logs": "docker run --name box busybox sh -c 'for i in 1 2 3; do echo $i; done' >/dev/null; docker logs box; docker logs --tail 1 -t box",
    "logs -f": "mkfifo lines; docker run -d -i --name box busybox sh -c 'echo one; read x; echo two' >/dev/null; docker logs -f box >lines & exec 3<lines; read -r line <&3; echo got $line; echo go | docker attach box >/dev/null; cat <&3",
    "wait": "docker run -d -i --name box busybox sh -c 'read x; exit 9' >/dev/null; docker wait box >status & echo | docker attach box; wait; cat status",
    "events": "start=$(date +%s.%N); mkfifo lines; docker events --since $start --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}}' >lines & exec 3<lines; docker run --rm --name box busybox true; until [ \"$line\" = 'destroy box' ]; do read -r line <&3; echo $line; done; kill $!",
    "events --until": f"start=$(date +%s.%N); {START} docker stop -t 0 box >/dev/null; docker events --since $start --until $(($(date +%s)+2)) --filter type=container --format '{{{{.Action}}}}' | sort",
    "stats --no-stream": f"{START} docker stats --no-stream --format '{{{{.Name}}}} {{{{.PIDs}}}}'",
    "stats": f"{START} mkfifo lines; docker stats --format '{{{{.Name}}}}' >lines & exec 3<lines; read -r line <&3; kill $!; echo \"$line\" | tr -d '\\033' | sed 's/.*box/box/'",
    "top": f"{START} until docker top box | grep sleep >/dev/null; do :; done; docker top box -o pid,comm | awk '{{print $NF}}'",
    "diff": f"{START} docker exec box sh -c 'echo a >/new; rm /etc/passwd'; docker diff box | sort",
    "port": "docker run -d --name box -p 127.0.0.1:8001:80 busybox sleep 600 >/dev/null; docker port box",
    "cp in and out": f"{START} mkdir d; head -c 3000000 /dev/urandom >d/a; ln -s a d/link; docker cp d box:/tmp/; docker cp -q box:/tmp/d back; cmp d/a back/a; readlink back/link; docker cp -L box:/tmp/d/link one; cmp one d/a && echo same",
    "cp to stdout": f"{START} docker cp box:/etc/passwd - | tar -t; tar -c /etc/hostname 2>/dev/null | docker cp - box:/tmp; docker exec box sh -c 'ls /tmp/etc; sleep 0.2'",
    "cp errors": f"{START} docker cp box:/nope .; docker cp nope:/a .; docker cp . box:/no/such/folder",
    "export and import": f"{START} docker export box | tar -t | sort | head -n 5; docker export box | docker import -m note - copy:1; docker run --rm copy:1 /bin/echo hi; docker history copy:1 --format '{{{{.Comment}}}}'",
    "save and load": "docker tag busybox copy:1; docker save copy:1 busybox -o all.tar; docker rmi copy:1 >/dev/null; docker load -i all.tar; docker load -q <all.tar; docker images --format '{{.Repository}}:{{.Tag}}' | sort",
    "commit": f"{START} docker exec box touch /made; docker commit -a me -m note box copy:2; docker run --rm copy:2 ls /made; docker image inspect copy:2 --format '{{{{.Author}}}} {{{{.Comment}}}}'",
    "tag and rmi": "docker tag busybox copy:3; docker rmi copy:3; docker rmi copy:3",
    "history": "docker history --no-trunc busybox --format '{{.ID}} {{.CreatedSince}} {{.Size}} {{.Comment}}'",
    "build, classic": 'printf \'FROM busybox\\nCOPY a /a\\nRUN cat /a && echo done >/b\\nCMD ["cat","/b"]\\n\' >Dockerfile; echo hello >a; DOCKER_BUILDKIT=0 docker build -t built . 2>/dev/null; docker run --rm built',
    "build, classic, fails": "printf 'FROM busybox\\nRUN echo before; exit 3\\n' >Dockerfile; DOCKER_BUILDKIT=0 docker build . 2>&1",
    "build, classic, large context": "printf 'FROM busybox\\nCOPY a /a\\n' >Dockerfile; head -c 20000000 /dev/urandom >a; DOCKER_BUILDKIT=0 docker build -q -t built . >/dev/null 2>&1; docker run --rm built sha256sum /a | cut -d' ' -f1 >sum; sha256sum a | cut -d' ' -f1 | cmp - sum && echo same",
    "build, BuildKit": 'printf \'FROM busybox\\nARG x=1\\nCOPY a /a\\nRUN --mount=type=secret,id=s cat /a /run/secrets/s >/b\\nCMD ["cat","/b"]\\n\' >Dockerfile; head -c 20000000 /dev/zero >big; echo hello >a; echo hidden >s; docker buildx build -q --secret id=s,src=s -t built . >id && wc -c <id; docker run --rm built',
    "build, BuildKit, fails": "printf 'FROM busybox\\nRUN echo before; exit 3\\n' >Dockerfile; docker buildx build --no-cache --progress=plain . 2>&1 | grep -v '^#[0-9]* \\(DONE\\|transferring\\|sha256\\)' | sed 's/^#[0-9]* //;s/^[0-9.]* //' | sort -u",
    "build, BuildKit, output": "printf 'FROM busybox AS a\\nRUN echo made >/m\\nFROM scratch\\nCOPY --from=a /m /m\\n' >Dockerfile; docker buildx build -q --output out . ; cat out/m",
    "buildx ls and du": "docker buildx ls | sed 's/  */ /g'; docker builder prune -f | tail -n 1",
    "stop and restart": f"{START} docker stop -t 0 box; docker restart -t 0 box; docker kill box; docker rm box",
    "pause": f"{START} docker pause box; docker ps --format '{{{{.State}}}}'; docker unpause box",
    "rename and update": f"{START} docker rename box other; docker update --memory 64m --memory-swap 64m other; docker inspect other --format '{{{{.HostConfig.Memory}}}}'",
    "resources": "docker run --rm -m 32m --cpus 0.5 --pids-limit 50 --read-only --tmpfs /t busybox sh -c 'touch /x; touch /t/x && echo ok'",
    "volumes": "docker volume create vol; docker run --rm -v vol:/v busybox sh -c 'echo kept >/v/a'; docker run --rm -v vol:/v busybox cat /v/a; docker volume ls; docker volume inspect vol --format '{{.Driver}} {{.Scope}}'; docker volume rm vol; docker volume rm vol",
    "networks": "docker network create --subnet 172.30.0.0/24 n; docker run -d --name box --network n --network-alias a busybox sleep 600 >/dev/null; docker run --rm --network n busybox ping -c 1 -w 5 a | sed -n 1p; docker network disconnect n box; docker network connect n box; docker network ls --filter type=custom; docker network inspect n --format '{{(index .IPAM.Config 0).Subnet}}'; docker rm -f box; docker network rm n",
    "health": "docker run -d --name box --health-cmd true --health-interval 1s busybox sleep 600 >/dev/null; until docker inspect box --format '{{.State.Health.Status}}' | grep healthy; do :; done 2>/dev/null | tail -n 1",
    "filters": f"{START} docker ps -q --filter name=box --filter status=running | wc -l; docker ps --filter label=x=y; docker images --filter reference='busy*' -q | wc -l; docker ps --filter nonsense=1",
    "search, no network": "docker pull no-such-registry.invalid/x:1 2>&1 | sed 's/lookup.*//'",
    "system df": "docker system df --format '{{.Type}} {{.TotalCount}}'; docker system prune -f | tail -n 1",
    "plugins and swarm": "docker plugin ls; docker node ls; docker service ls; docker secret ls; docker config ls",
    "login fails": "echo secret | docker login -u me --password-stdin 127.0.0.1:1 2>&1 | sed 's/dial.*//'",
    "context and format": f"{START} docker ps --format json | sed 's/,/\\n/g; s/trioproxy.owner=//' | grep -v 'CreatedAt\\|RunningFor' | sort",
    "many containers": "i=0; while [ $i -lt 20 ]; do docker create --name c$i busybox >/dev/null; i=$((i+1)); done; docker ps -a --format '{{.Names}}'; docker rm $(docker ps -aq) | wc -l",
    "interrupted run": "docker run --name box busybox sh -c 'trap \"echo int; exit 8\" INT; echo ready; while :; do read -t 1; done' >out & until grep -q ready out 2>/dev/null; do :; done; docker kill -s INT box; wait; cat out; docker inspect box --format '{{.State.ExitCode}}'",
}
"""All other scenarios."""


@pytest.mark.engine
@pytest.mark.parametrize("listener", ["unix", "tcp"])
@pytest.mark.parametrize("script", QUICK.values(), ids=QUICK)
def test_quick(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], listener: str, script: str
) -> None:
    """Exit status, stdout and stderr are the same."""
    compare_clients(["sh", "-c", script], scratch, proxies[listener].url)


@pytest.mark.engine
@pytest.mark.clients
@pytest.mark.parametrize("script", ALL.values(), ids=ALL)
def test_all(scratch: ScratchEngine, proxies: Mapping[str, Proxy], script: str) -> None:
    """Exit status, stdout and stderr are the same.

    On a Unix socket on both sides: over TCP the docker CLI itself takes its detach keys
    for the end of stdin, whoever serves it.
    """
    compare_clients(["sh", "-c", script], scratch, proxies["unix"].url)
