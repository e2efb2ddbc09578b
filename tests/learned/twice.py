"""`python -m tests.learned.twice [NAME]...`: everyday sessions and clients that have no file here.

Each session is learned twice by two learners, and their files have to be alike but for the end
of `ONLY_OWNER`. Then it is run behind what was learned: again; in another checkout with another
TMPDIR, after the lines are edited that name these; and there 40 days later. Nothing may be refused
then, and whatever nobody asked for has to be. All of them take some ten minutes.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.end_to_end.proxies import TRIOPROXY, enforcing, environment
from tests.engine import ScratchEngine, scratch_engine
from tests.learned.install import Debian, Machine, Node, Python, Source, installed

CLI: Final = Machine("docker-cli")
SECONDS: Final = 120
LATER: Final = 40
"""Days."""

WEB: Final = 'services: {web: {image: busybox, command: [sleep, "60"]'
FAILS: Final = ".catch(error => {console.error(error); process.exit(1)})"
FIRST: Final = "e.on('error', x => {console.error(x); process.exit(1)}); setTimeout(() => process.exit(1), 8000)"
IN_TMP: Final = 't=$(mktemp -d); trap "rm -rf $t" EXIT; '


class NotLearned(Exception):
    """A session failed without limits; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What somebody does with a client."""

    name: str
    script: str
    """For sh, where all is in place by which the client is found."""
    source: Source = CLI
    is_captured: bool = False
    """Whether the client knows /var/run/docker.sock alone."""


def everyday() -> Iterator[Session]:
    """What people do with the docker command and Compose."""
    for name, script in {
        "run and remove": "docker run --rm busybox true; docker ps -aq >/dev/null",
        "a temporary folder": IN_TMP + "echo x >$t/f; docker run --rm -v $t:/w busybox cat /w/f",
        "the checkout": "docker run --rm -v $PWD/conf:/c:ro busybox ls /c",
        "logs of a stranger": "docker logs victim",
        "a backup": IN_TMP + "docker run --rm -v victim-data:/data:ro -v $t:/b busybox tar cf /b/data.tar /data",
        "exec in a service": "n=svc-$$; docker run -d --name $n busybox sleep 60; docker exec $n true; docker rm -f $n",
        "compose": f"echo '{WEB}, volumes: [\"./conf:/c:ro\"]}}}}' >compose.yaml; docker-compose up -d 2>&1;"
        " docker-compose exec -T web true; docker-compose down -v -t 0 2>&1",
        "a dated folder": "d=$PWD/backup/$(date +%F)/db; mkdir -p $d; docker run --rm -v $d:/b busybox true",
    }.items():  # fmt: skip
        yield Session(name=name, script=script)


def python() -> Iterator[Session]:
    """Clients from PyPI."""
    layered = "FROM busybox\\nRUN echo $(date +%s%N) >/x\\n"
    for package, script in {
        "runlike==1.5.4": "docker run -d --name rl-$$ busybox sleep 60; runlike rl-$$; docker rm -f rl-$$",
        "docker-autocompose==1.3.0": "autocompose victim",
        "docker-squash==1.2.2": IN_TMP + "docker-squash --tmp-dir $t/x -t squashed:1 layered:1; docker rmi squashed:1",
        "pytest-docker-tools==3.1.10": IN_TMP + "printf \"from pytest_docker_tools import container\\nbox = container("
        "image='busybox:latest', command='sleep 60')\\ndef test_a(box):\\n    assert box.exec_run('true').exit_code == 0\\n\""
        " >$t/test_a.py; pytest -q $t",
        "docker==7.2.0": "python -c \"import docker, tempfile; t = tempfile.mkdtemp(); docker.from_env().containers.run("
        "'busybox', 'true', remove=True, volumes={t: {'bind': '/w', 'mode': 'rw'}})\"",
        "seaworthy==0.1.2": "python -c \"from seaworthy.definitions import ContainerDefinition as C; from seaworthy.helpers"
        " import DockerHelper as H; h = H(); c = C('box', 'busybox:latest', helper=h, create_kwargs={'command': 'sleep 60'});"
        ' c.setup(); assert c.status(); c.teardown(); h.teardown()"',
        "jupyter-repo2docker==2026.4.0": IN_TMP + f'printf "{layered}" >$t/Dockerfile; jupyter-repo2docker --no-run'
        " --user-id 1000 --user-name me --image-name r2d-image:1 $t; docker rmi r2d-image:1",
        "docker-replay==1.5": "docker-replay victim",
        "docker-image-size-limit==2.2.0": "disl busybox:latest 100MiB",
        "docker-diff==0.0.10": IN_TMP + "cd $t; docker-diff compare busybox:latest layered:1",
        "pytest-testinfra==10.2.2": IN_TMP + "printf 'def test_a(host):\\n    assert host.check_output(\"echo hi\") == \"hi\"\\n'"
        " >$t/test_a.py; n=ti-$$; docker run -d --name $n busybox sleep 60; pytest -q --hosts=docker://$n $t; docker rm -f $n",
        "cwltool==3.3.20260925135507": IN_TMP + "cd $t; echo '{cwlVersion: v1.2, class: CommandLineTool, hints: {DockerRequirement:"
        " {dockerPull: \"busybox:latest\"}}, baseCommand: [sleep, \"4\"], inputs: [], outputs: []}' >a.cwl; cwltool a.cwl",
        "httpx==0.28.1": "python -c \"import httpx, os; way = httpx.HTTPTransport(uds=os.environ['DOCKER_HOST'][7:]);"
        " found = httpx.Client(transport=way).get('http://docker/containers/victim/json'); assert found.json()['State']['Running']\"",
        "requests-unixsocket==0.4.1": "python -c \"import requests_unixsocket as r, os; from urllib.parse import quote;"
        " at = 'http+unix://' + quote(os.environ['DOCKER_HOST'][7:], safe=''); assert r.Session().get(at + '/info').json()['OSType']\"",
    }.items():  # fmt: skip
        yield Session(name=package, script=script, source=Python((package,)))
    luigi = (
        "python -c \"import luigi, os; from luigi.contrib.docker_runner import DockerTask as D; T = type('T', (D,), {'image':"
        " 'busybox:latest', 'command': 'true', 'auto_remove': False, 'docker_url': os.environ['DOCKER_HOST']}); T().run()\""
    )
    source = Python(("luigi==3.8.1", "docker==7.2.0"))
    yield Session(name="luigi", script=luigi, source=source)
    toil = IN_TMP + (
        "printf 'from toil.common import Toil\\nfrom toil.job import Job\\nfrom toil.lib.docker import apiDockerCall as call\\n"
        'def f(job): call(job, image="busybox:latest", parameters=["true"], user="root")\\n'
        'if __name__ == "__main__":\\n o = Job.Runner.getDefaultOptions("js")\\n'
        " with Toil(o) as t: t.start(Job.wrapJobFn(f))\\n' >$t/a.py; cd $t; python a.py"
    )
    source = Python(("toil==9.6.0",))
    yield Session(name="toil", script=toil, source=source)
    moto = (
        "export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b MOTO_DOCKER_LAMBDA_IMAGE=busybox:latest;"
        ' python -c "import boto3, io, zipfile; from moto import mock_aws; mock_aws().start(); b = io.BytesIO(); z ='
        " zipfile.ZipFile(b, 'w'); z.writestr('f.py', ''); z.close(); r = boto3.client('iam').create_role(RoleName='r',"
        " AssumeRolePolicyDocument='{}')['Role']['Arn']; f = boto3.client('lambda'); f.create_function(FunctionName='f', Role=r,"
        " Runtime='python3.13', Handler='echo', Code={'ZipFile': b.getvalue()}); r = f.invoke(FunctionName='f');"
        " assert 'FunctionError' not in r, r['Payload'].read()\""
    )
    source = Python(("moto[awslambda]==5.2.5", "boto3==1.44.8"))
    yield Session(name="moto", script=moto, source=source)
    tidy = "docker run --name tidy-$$ busybox true; docker-tidy --dry-run gc --max-container-age 0h; docker rm tidy-$$"
    source = Python(("docker-tidy==4.2.3",))
    yield Session(name="docker-tidy", script=tidy, source=source, is_captured=True)


def node() -> Iterator[Session]:
    """Clients from npm."""
    for package, script in {
        "dockerode-compose@1.4.0": "const D = require('dockerode'), C = require('dockerode-compose'); const c = new C(new D(),"
        f" 'compose.yaml', 'dc'); (async () => {{await c.up(); await c.down()}})(){FAILS}",
        "docker-modem@5.0.7": "const M = require('docker-modem'); new M().dial({path: '/containers/json?', method: 'GET',"
        " statusCodes: {200: true}}, (e) => {if (e) {console.error(e); process.exit(1)}})",
        "dockerode-utils@0.0.7": "const D = require('dockerode'); require('dockerode-utils'); const d = new D(); (async () =>"
        " {const c = await d.createContainer({Image: 'busybox', Cmd: ['true']}); await c.start(); await c.wait();"
        f" await c.remove()}})(){FAILS}",
        "simple-dockerode@0.2.2": "const D = require('simple-dockerode'); const d = new D(); (async () => {const c ="
        " await d.createContainer({Image: 'busybox', Cmd: ['sleep', '60']}); await c.start(); const r = await c.exec(['echo', 'hi'],"
        f" {{stdout: true}}); if (r.stdout !== 'hi\\n') throw new Error(r.stdout); await c.remove({{force: true}})}})(){FAILS}",
        "node-docker-monitor@1.0.11": "require('node-docker-monitor')({onContainerUp: c => process.exit(0), onContainerDown: c => 0},"
        " {socketPath: process.env.DOCKER_HOST.slice(7)}); setTimeout(() => process.exit(1), 8000)",
    }.items():  # fmt: skip
        yield Session(name=package, script=_node(script), source=_npm(package))
    for package, script in {
        "docker-cli-js@2.10.0": "const {Docker} = require('docker-cli-js'); const d = new Docker(); (async () =>"
        f" {{await d.command('ps'); await d.command('run --rm busybox true')}})(){FAILS}",
        "docker-allcontainers@0.8.0": f"const e = require('docker-allcontainers')({{preheat: true}}); e.on('start', () => process.exit(0)); {FIRST}",
        "docker-loghose@1.6.5": f"const e = require('docker-loghose')({{}}); e.on('data', () => process.exit(0)); {FIRST}",
        "docker-stats@0.9.0": f"const e = require('docker-stats')({{}}); e.on('data', () => process.exit(0)); {FIRST}",
        "systeminformation@5.33.23": "const s = require('systeminformation'); (async () => {const c = await s.dockerContainers(true);"
        f" if (!c.length) throw new Error('none'); await s.dockerInfo(); await s.dockerContainerStats(c[0].id)}})(){FAILS}",
        "dockerstats@2.4.3": "const s = require('dockerstats'); (async () => {const c = await s.dockerContainers();"
        f" if (!c.length) throw new Error('none'); await s.dockerContainerStats(c[0].id)}})(){FAILS}",
        "docker-remote-api@5.0.0": "require('docker-remote-api')({version: 'v1.44'}).get('/containers/json', {json: true},"
        " (e, c) => {if (e || !c.length) {console.error(e); process.exit(1)}})",
    }.items():  # fmt: skip
        source = _npm(package)
        yield Session(
            name=package, script=_node(script), source=source, is_captured=True
        )
    compose = (
        "export DOCKER_CONFIG=$(mktemp -d); mkdir $DOCKER_CONFIG/cli-plugins; ln -s /usr/bin/docker-compose"
        " $DOCKER_CONFIG/cli-plugins/docker-compose; "
    )
    script = "const c = require('docker-compose'), o = {cwd: process.cwd()}; (async () => {await c.upAll(o); await c.downAll(o)})()"
    yield Session(
        name="docker-compose@1.5.0",
        script=compose + _node(script + FAILS),
        source=_npm("docker-compose@1.5.0"),
    )


def _npm(package: str) -> Node:
    return Node((package, "dockerode@5.0.1"))


def _node(script: str) -> str:
    return f"echo '{WEB}}}}}' >compose.yaml; node -e \"{script}\""


def debian() -> Iterator[Session]:
    """Clients from Debian, and curl."""
    skopeo = "skopeo --insecure-policy copy -q --src-daemon-host $DOCKER_HOST docker-daemon:busybox:latest dir:$t/i"
    fence = "fence_docker --unix-socket=${DOCKER_HOST#unix://} --disable-ssl --ip=localhost --api-version=1.44 --action=status --plug=victim"
    clean = (
        "docker run --name old-$$ busybox true; docker-clean -n -c; docker rm old-$$"
    )
    for package, script in (
        ("skopeo", IN_TMP + skopeo),
        ("fence-agents-docker", fence),
        ("docker-clean", clean),
    ):
        yield Session(name=package, script=script, source=Debian(package))
    curl = "curl -sf --unix-socket ${DOCKER_HOST#unix://} http://localhost/v1.44/containers/victim/json"
    yield Session(name="curl", script=curl)
    build = (
        IN_TMP
        + 'printf "FROM busybox\\nRUN echo $(date +%s%N) >/x\\n" >$t/Dockerfile; '
    )
    build += "id=$(DOCKER_BUILDKIT=0 docker build -q $t 2>/dev/null); docker run --rm $id cat /x; docker rmi $id"
    yield Session(name="classic build by id", script=build)


DENIED: Final = (
    "docker create -v /etc:/x busybox",
    "docker create --privileged busybox",
    "docker rm -f stranger",
    "docker create other:1",
)
"""What no session asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a session is run."""

    checkout: Path
    tmp: Path

    def make(self) -> None:
        """Make both folders."""
        (self.checkout / "conf").mkdir(parents=True)
        self.tmp.mkdir()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A session, and all that is tried with it."""

    session: Session
    engine: ScratchEngine
    folder: Path
    found: Mapping[str, str]
    """The variables by which the client is found."""

    def go(
        self, command: list[str], host: str, place: Place
    ) -> subprocess.CompletedProcess[str]:
        """Run it there, as a client of `host`."""
        variables = {"TMPDIR": str(place.tmp), "DOCKER_CLI_HINTS": "false"}
        own = {**self.engine.environment(host), **self.found, **variables}
        return subprocess.run(
            command,
            cwd=place.checkout,
            env=environment(own),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def script(self, days: int = 0) -> str:
        """The session so many days later: it is its clock alone that is another one."""
        clock = f"date() {{ /bin/date -d '{days:+d} days' \"$@\"; }}\n" * bool(days)
        return f"set -e\n{clock}{self.session.script}"

    def learned(self, file: Path, place: Place) -> str:
        """Learn it in two runs, on two days; the file."""
        file.parent.mkdir()
        captured = ["--capture"] * self.session.is_captured
        learn = [*TRIOPROXY, "learn", "--quiet", *captured, "-o", str(file)]
        for day in range(2):
            command = [*learn, "--until-quiet", "1runs", "--", "sh", "-c"]
            ran = self.go([*command, self.script(day)], self.engine.url, place)
            if ran.returncode:
                raise NotLearned(ran.stderr)
        return file.read_text()

    def tried(self, text: str, place: Place, *scripts: str) -> Iterator[str]:
        """Run scripts behind that file; what they were told."""
        file = self.folder / "tried.env"
        file.write_text(text)
        socket = self.folder / "p.sock"
        with enforcing(self.engine, "--env-file", str(file), listen=f"unix://{socket}") as proxy:  # fmt: skip
            for script in scripts:
                command = ["sh", "-c", script]
                if self.session.is_captured:
                    mounted = f'mount -t tmpfs tmpfs /run && ln -s {socket} /run/docker.sock && exec env -u DOCKER_HOST sh -c "$1"'
                    command = ["unshare", "-m", "sh", "-c", mounted, "sh", script]
                ran = self.go(command, proxy.url, place)
                yield f"{ran.stderr}{ran.stdout}" if ran.returncode else ""

    def problems(self) -> Iterator[str]:
        """What does not hold."""
        here, there = (
            Place(checkout=self.folder / one / "checkout", tmp=self.folder / f"{one}-tmp")
            for one in ("here", "there")
        )  # fmt: skip
        here.make()
        there.make()
        try:
            one, two = (
                self.learned(self.folder / who / "app.env", here) for who in "ab"
            )
        except NotLearned as error:
            yield str(error)
            return
        if without_owner(one) != without_owner(two):
            yield "two learners wrote other files"
        moved = one
        for name, value in (("BASE", there.checkout), ("TMP", there.tmp), ("PROJECT", there.checkout.name)):  # fmt: skip
            moved = re.sub(rf"(?m)^CREATE_{name}=.*$", f"CREATE_{name}={value}", moved)
        for text, place, days in ((one, here, 0), (moved, there, 0), (moved, there, LATER)):  # fmt: skip
            for told in filter(None, self.tried(text, place, self.script(days))):
                yield f"in {place.checkout} after {days} days: {told}"
        for denied, told in zip(DENIED, self.tried(one, here, *DENIED), strict=True):
            if "trioproxy: " not in told:
                yield f"{denied} was not refused: {told}"


def without_owner(text: str) -> str:
    """A file without what ends its `ONLY_OWNER`, which is drawn by chance."""
    return re.sub(r"(?m)^(ONLY_OWNER=.*-)\w+$", r"\1", text)


def furnish(engine: ScratchEngine) -> None:
    """Give an Engine what others have on it."""
    engine.docker("tag", "busybox", "other:1")
    image = "busybox"
    for layer in ("half:1", "layered:1"):
        made = engine.docker(
            "run", "-d", image, "sh", "-c", f"echo {layer} >/layer"
        ).text
        engine.docker("wait", made)
        engine.docker("commit", made, layer)
        image = layer
    engine.docker("volume", "create", "victim-data")
    tick = "while :; do echo tick; sleep 1; done"
    engine.docker("run", "-d", "--name", "victim", "busybox", "sh", "-c", tick)
    engine.docker("run", "-d", "--name", "stranger", "busybox", "sleep", "6000")


def main(*wanted: str) -> int:
    """Try the sessions that were named, or all; 1 if anything does not hold."""
    failed = 0
    with ExitStack() as stack:
        engine = stack.enter_context(scratch_engine())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        furnish(engine)
        for number, session in enumerate((*everyday(), *python(), *node(), *debian())):
            if wanted and not any(one in session.name for one in wanted):
                continue
            name = re.sub(r"[^a-z0-9.]+", "-", session.name)
            path = {"PATH": os.environ["PATH"]}
            trial = Trial(
                session=session,
                engine=engine,
                folder=folder / str(number),
                found=path | dict(installed(session.source, name)),
            )
            trial.folder.mkdir()
            problems = list(trial.problems())
            failed += bool(problems)
            told = [f"{session.name}: {'no' if problems else 'holds'}", *problems]
            sys.stdout.write("\n  ".join(told) + "\n")
            sys.stdout.flush()
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
