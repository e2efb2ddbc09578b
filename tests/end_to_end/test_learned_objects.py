"""Which objects real clients name, learned on a real Engine, enforced, run again."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.running import run
from tests.end_to_end.proxies import enforcing, environment, learn, object_lists
from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.file import envfile

OWN = """
set -e
docker volume create v-$$ >/dev/null
docker network create n-$$ >/dev/null
box=$(docker run -d --network n-$$ -v v-$$:/v -v /anonymous busybox sleep 60)
docker exec $box true
docker rename $box box-$$
docker network connect bridge box-$$
docker restart -t 0 box-$$ >/dev/null
docker cp box-$$:/etc/passwd - >/dev/null
docker run --rm --volumes-from box-$$ --network container:$box busybox true
docker rm -fv box-$$ >/dev/null
docker volume rm v-$$ >/dev/null
docker network rm n-$$ >/dev/null
docker run --rm -v implicit-$$:/x busybox true
docker volume rm implicit-$$ >/dev/null
docker rm -f never-there >/dev/null 2>&1
"""
"""A session that names what it made in all ways, and something that was never there."""


@pytest.fixture
def strangers(engine: Engine) -> Iterator[None]:
    """Two containers of others, a network and a volume."""
    engine.docker("network", "create", "front")
    engine.docker("run", "-d", "--name", "db", "-v", "data:/data", "busybox", "sleep", "600")  # fmt: skip
    engine.docker("run", "-d", "--name", "web", "--network", "front", "busybox", "sleep", "600")  # fmt: skip
    yield
    engine.docker("rm", "-f", "db", "web")
    engine.docker("volume", "rm", "data")
    engine.docker("network", "rm", "front")


def learn_script(engine: Engine, file: Path, script: str, *options: str) -> str:
    """Learn a script; what was told."""
    done = learn(engine, file, "sh", "-ec", script, options=options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


def enforced(engine: Engine, file: Path, script: str) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a script behind a file that was learned."""
    with enforcing(engine, "--env-file", str(file)) as proxy:
        return run_script(engine, proxy.url, script)


def run_script(engine: Engine, url: str, script: str) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a script with the proxy that is there in front of the Engine."""
    return subprocess.run(
        ["sh", "-c", script],
        env=environment(engine.environment() | {"DOCKER_HOST": url}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.slow
def test_own_objects_are_learned_and_enforced(
    engine: Engine, strangers: None, tmp_path: Path
) -> None:
    """A client of its own objects, named in all ways: it passes again, and reaches nobody else's."""
    file = tmp_path / "app.env"
    learn_script(engine, file, OWN)
    learn_script(engine, file, OWN)
    owner = object_lists(file)["ONLY_OWNER"]
    assert object_lists(file) == {
        "ONLY_CONTAINERS": "@own",
        "ONLY_NETWORKS": "@own,bridge",
        "ONLY_VOLUMES": "@own",
        "ONLY_OWNER": owner,
    }
    assert re.fullmatch("app-[2-9a-z]{4}", owner)
    commands = (
        "docker exec db true",
        "docker restart db",
        "docker cp db:/etc/passwd -",
        "docker rm -f db",
        "docker run --rm -v data:/x busybox true",
        "docker run --rm --network front busybox true",
        "docker run --rm --volumes-from db busybox true",
        "docker volume rm data",
        "docker network rm front",
    )
    with enforcing(engine, "--env-file", str(file)) as proxy:
        ran = run_script(engine, proxy.url, OWN)
        assert (ran.returncode, ran.stderr) == (0, "")
        for command in commands:
            ran = run_script(engine, proxy.url, command)
            assert ran.returncode != 0, command
            assert "does not list" in ran.stderr, ran.stderr


@pytest.mark.slow
def test_a_half_own_client_is_explained(
    engine: Engine, strangers: None, tmp_path: Path
) -> None:
    """Who names one container of others is told which, and how to list it."""
    file = tmp_path / "app.env"
    script = "for _ in 1 2 3 4; do docker run --rm -v app:/x busybox true; done; docker logs db; docker volume rm app"
    told = " ".join(learn_script(engine, file, script).split())
    assert "4 of 5 were its own; db was not" in told
    assert object_lists(file)["ONLY_CONTAINERS"] == "@own,db"
    assert object_lists(file)["ONLY_VOLUMES"] == "@own"
    owner = object_lists(file)["ONLY_OWNER"]
    ran = enforced(engine, file, f"{script}; docker logs web")
    assert "container web, which ONLY_CONTAINERS does not list" in ran.stderr
    assert ran.stderr.count("does not list") == 1
    told = learn_script(engine, file, script.replace("logs db", "logs web"), "--fresh")
    told += learn_script(engine, file, script)
    assert "others in other runs" in told
    assert "  learn --learn names: ONLY_CONTAINERS=@own,db,web" in told
    assert object_lists(file)["ONLY_CONTAINERS"] == "*"
    assert object_lists(file)["ONLY_OWNER"] == owner  # what it made is still there
    learn_script(engine, file, script, "--learn", "names")
    assert object_lists(file)["ONLY_CONTAINERS"] == "@own,db,web"


def test_what_is_reached_into_beyond_the_limits(engine: Engine, tmp_path: Path) -> None:
    """Who makes containers, and reaches into one of others that has more, keeps working."""
    engine.docker("run", "-d", "--name", "host", "-v", "/etc:/x", "busybox", "sleep", "600")  # fmt: skip
    try:
        file = tmp_path / "app.env"
        script = "docker run --rm -v app:/x busybox true; docker exec host true; docker volume rm app"
        told = " ".join(learn_script(engine, file, script).split())
        assert (
            "which has CREATE_BINDS=/etc, and CREATE_BINDS does not list that" in told
        )
        assert not object_lists(file)
        assert enforced(engine, file, script).returncode == 0
    finally:
        engine.docker("rm", "-f", "host")


def test_learning_goes_on_where_our_questions_are_refused(
    engine: Engine, tmp_path: Path
) -> None:
    """In front of another proxy that lets no inspect pass, the client sees no difference,
    and nothing is limited of which nothing is known."""
    file = tmp_path / "app.env"
    listen = f"unix://{tmp_path}/other.sock"
    operations = "ContainerCreate,ContainerDelete,SystemPingHead"
    variables = {"ALLOW_OPERATIONS": operations}
    with enforcing(engine, listen=listen, variables=variables):
        script = "docker rm $(docker create -v some-volume:/x busybox)"
        learn_script(engine, file, script, "--upstream", listen, "--learn", "arguments")
    engine.docker("volume", "rm", "some-volume")
    granted = envfile.parse(file.read_text(), name="app.env")["ALLOW_OPERATIONS"]
    assert granted == operations


@pytest.mark.slow
def test_check_asks_the_engine(engine: Engine, strangers: None, tmp_path: Path) -> None:
    """With `--upstream`, check says what no file alone can: whose a name is."""
    file = tmp_path / "app.env"
    file.write_text(
        "ALLOW_OPERATIONS=ContainerInspect,ContainerCreate\nONLY_CONTAINERS=web\n"
        "ONLY_NETWORKS=front\nONLY_VOLUMES=\n"
    )
    body = tmp_path / "create.json"
    body.write_text('{"Image": "busybox", "HostConfig": {"Binds": ["data:/x"], "NetworkMode": "front"}}')  # fmt: skip

    def check(*request: str) -> tuple[int, str]:
        ran = run("check", str(file), *request, "--upstream", f"unix://{engine.socket}")
        lines = ran.out.splitlines(
            keepends=True
        )  # which programs are old is the machine's
        return ran.status, "".join(one for one in lines if not one.startswith("old: "))

    assert check("GET", "/containers/web/json") == (0, "allowed: ContainerInspect (GET /containers/{id}/json), by ALLOW_OPERATIONS\n")  # fmt: skip
    status, out = check("GET", "/containers/db/json")
    assert status == 1
    assert "container db, which ONLY_CONTAINERS does not list" in " ".join(out.split())
    status, out = check("GET", "/containers/gone/json")
    assert status == 1
    assert "404, as the Engine says: No such container: gone" in out
    status, out = check("POST", "/containers/create?name=web", "--body", str(body))
    assert status == 1
    assert "volume data" in out
    body.write_text('{"Image": "busybox", "HostConfig": {"NetworkMode": ".."}}')
    assert check("POST", "/containers/create?name=web", "--body", str(body)) == (
        1,
        "refused: 400: '..' is no name of a network\n",
    )
    ran = run("check", str(file), "GET", "/containers/web/json", "--upstream", f"unix://{tmp_path}/none.sock")  # fmt: skip
    assert ran.status == 2
    assert "cannot ask the Docker Engine" in ran.err


REAPER = """
docker create --name reaper -v /var/run/docker.sock:/var/run/docker.sock busybox
docker inspect --format '{{(index .Mounts 0).Source}}' reaper
docker rm reaper
"""


def test_what_is_started_is_learned_through_the_proxy_too(
    engine: Engine, tmp_path: Path
) -> None:
    """A file with PROXY_SOCKET: what binds the Engine's socket gets the learner's, so that
    it is learned as well, and the file says `@proxy`. Without one, learn says how."""
    file = tmp_path / "app.env"
    told = " ".join(learn_script(engine, file, REAPER).split())
    lists = envfile.parse(file.read_text(), name="app.env")
    assert lists["CREATE_BINDS"] == "/var/run/docker.sock"
    assert "write PROXY_SOCKET=/path, where the proxy will listen" in told
    file.write_text("PROXY_SOCKET=/run/app/proxy.sock\n")
    told = learn_script(engine, file, REAPER, "--fresh")
    assert "PROXY_SOCKET=/path" not in told
    lists = envfile.parse(file.read_text(), name="app.env")
    assert (lists["CREATE_BINDS"], lists["PROXY_SOCKET"]) == ("@proxy", "/run/app/proxy.sock")  # fmt: skip
    learn_script(engine, file, REAPER)  # a second run changes nothing of that
    assert envfile.parse(file.read_text(), name="app.env") == lists
    ran = run("explain", str(file))
    assert "root on the host: no known way" in " ".join(ran.out.split())
    assert "NEVER USED" not in ran.out
    ran = run("diff", str(file), str(file.with_suffix(".jsonl")))
    assert (ran.status, "refuses nothing that was needed" in ran.out) == (0, True)
    bound = enforced(engine, file, REAPER)
    assert "/run/app/proxy.sock" in bound.stdout + bound.stderr


LOOKS_AROUND = """
import docker
client = docker.from_env()
box = client.containers.run("busybox", "sleep 60", detach=True)
print(sorted(one.name for one in client.containers.list()))
box.remove(force=True)
"""
"""What docker-py does for `containers.list()`: it inspects each that is listed."""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--learn", "own")], ids=["usual", "own"])
def test_who_lists_beside_strangers_sees_its_own(
    engine: Engine, strangers: None, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """docker-py lists all that there is and inspects it: learned beside strangers it gets its
    own, and the end says in one line at which it looked; with `--learn own` it is shown none.
    Behind the file it runs beside them, and sees its own alone."""
    file = tmp_path / "app.env"
    program = tmp_path / "app.py"
    program.write_text(LOOKS_AROUND)
    done = learn(engine, file, sys.executable, str(program), options=options)
    told = " ".join(done.stderr.decode().split())
    assert done.returncode == 0, told
    assert object_lists(file)["ONLY_CONTAINERS"] == "@own"
    assert (b"'db'" in done.stdout) == (not options)
    said = "it looked at db, web because a list told of them, which will not"
    assert (said in told) == (not options), told
    ran = enforced(engine, file, f"{sys.executable} {program}")
    assert ran.returncode == 0, ran.stderr
    assert "'db'" not in ran.stdout
    assert ran.stdout.count("'") == 2
