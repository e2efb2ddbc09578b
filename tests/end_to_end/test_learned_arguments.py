"""What requests ask for, learned from real clients on a real Engine, enforced, run again."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing, environment, learn
from tests.end_to_end.test_limited_clients import COMPOSE
from tests.end_to_end.test_limited_clients import project as up_and_down
from tests.engine import Engine
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import meaning_of

SECRET = "hunter2-S3cr3t"

# Of two made names one pair in some hundred reads like words, and is listed as it is: no such one is
# taken. Of those that fit, none was among 50,000 pairs.
FITS = "*[0-9]*[a-z]*[0-9]*[A-Z]*[0-9]*"

# A session in which folders, ports, names and tags are others each time, and a folder each day. Two
# ports that the kernel chooses would be one in some 14,000 pairs.
SESSION = f"""
set -e
until case ${{data##*/tmp.}} in {FITS}) ;; *) false ;; esac
do data=$(mktemp -du)
done
mkdir $data
tag=$(echo $DAY | sha256sum | cut -c -8)
docker run --rm --name job-$$ -v $data:/data -v $PWD/conf:/conf:ro \\
  -v $PWD/backup/$(date -d "$DAY days" +%F)/db:/backup -p 127.0.0.1:$((40000 + DAY)):80 \\
  --cap-add NET_ADMIN --cap-drop CHOWN --env A={SECRET} --label b={SECRET} --memory 64m \\
  --tmpfs /t --security-opt seccomp=unconfined --restart no --log-opt max-size=1m --shm-size 8m \\
  busybox sh -c 'echo ran {SECRET}'
docker tag busybox app:$tag
docker rmi app:$tag >/dev/null
box=$(docker run -d --init busybox sleep 60)
docker exec -u root -e TOKEN={SECRET} $box sh -c 'echo inside'
docker rm -f $box >/dev/null
docker volume create v-$$ >/dev/null && docker volume rm v-$$ >/dev/null
docker network create n-$$ >/dev/null && docker network rm n-$$ >/dev/null
rmdir $data
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the session in it."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "session.sh").write_text(SESSION)
    return tmp_path


def run_session(engine: Engine, url: str, project: Path) -> str:
    """Run it behind a proxy; what it printed."""
    ran = subprocess.run(
        ["sh", "session.sh"],
        cwd=project,
        env=environment(engine.environment() | {"DOCKER_HOST": url, "DAY": "40"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def learn_twice(engine: Engine, project: Path, file: Path) -> str:
    """Two runs into one file, on two days; its text."""
    for day in range(2):
        session = ("env", f"DAY={day}", "sh", "session.sh")
        done = learn(engine, file, *session, cwd=project)
        assert done.returncode == 0, done.stderr.decode()
        assert SECRET not in done.stderr.decode()
    return file.read_text()


@pytest.mark.slow
def test_a_session_is_learned_enforced_and_run_again(
    engine: Engine, project: Path
) -> None:
    """Ten options, random folders, ports, names and tags: a third run passes, weeks later, as on the
    raw socket, the file is closed, and no secret of the session is in anything we wrote. Learned
    once more, in another folder, the file is the same but for the end of its owner."""
    file = project / "app.env"
    text = learn_twice(engine, project, file)
    other = learn_twice(engine, project, project / "other" / "app.env")
    ends = [re.findall(r"(?m)^ONLY_OWNER=app-(.*)$", one) for one in (text, other)]
    assert ends[0] != ends[1]
    assert text == other.replace(f"app-{ends[1][0]}", f"app-{ends[0][0]}")
    lists = {
        name: value
        for name, value in envfile.parse(text, name="app.env").items()
        if name.startswith(("CREATE_", "EXEC_", "PULL_", "BUILD_"))
    }
    temporary = os.environ.get("TMPDIR", "")
    moving = {"CREATE_TMP": temporary} if temporary else {}
    made = f"{'{tmp}' if temporary else '/tmp'}/tmp.{{rand10}}"
    binds = sorted((made, "{base}/backup/{date}/db", "{base}/conf:ro"))
    assert lists == {
        "CREATE_BASE": str(project),
        **moving,
        "CREATE_BINDS": ",".join(binds),
        "CREATE_CAPS": "NET_ADMIN",
        "CREATE_IMAGES": "busybox:latest",
        "CREATE_PORTS": "127.0.0.1:random",
        "EXEC_OPTIONS": "ContainerExec:Env.TOKEN",
        "CREATE_SECURITY": "seccomp:unconfined",
        "CREATE_TAGS": "app:{hex8}",
        "EXEC_COMMANDS": "sh",
        "EXEC_USERS": "root",
    }
    with enforcing(engine, "--env-file", str(file)) as proxy:
        assert run_session(engine, proxy.url, project) == f"ran {SECRET}\ninside\n"
        for option in ("--privileged", "-v=/etc:/x", "--pid=host", "-p=80:80"):
            ran = engine.docker("run", option, "busybox", host=proxy.url, check=False)
            assert ran.status == 125
            assert "does not list" in ran.errors
    for written in (text, file.with_suffix(".jsonl").read_text(), *proxy.log):
        assert SECRET not in written


MADE_IN_TMP = f"""
set -e
until case ${{work#/tmp/planted-}} in {FITS}) ;; *) false ;; esac
do work=$(mktemp -u /tmp/planted-XXXXXXXX)
done
mkdir $work
docker run --rm -v $work:/w busybox true
rmdir $work
"""


@pytest.mark.slow
def test_a_link_planted_in_a_hole_is_followed_as_the_verdict_says(
    engine: Engine, tmp_path: Path
) -> None:
    """A hole in `/tmp` is no way to root, but for who may write there: a link of his that fits
    it leads the Engine to any folder of the host, and the verdict names just him."""
    file = tmp_path / "app.env"
    for _ in range(2):
        done = learn(engine, file, "env", "-u", "TMPDIR", "sh", "-c", MADE_IN_TMP)
        assert done.returncode == 0, done.stderr.decode()
    policy, _ = parse_policy_file(file.read_text(), name="app.env")
    items = {one.text for one in policy.limits.by_variable["CREATE_BINDS"].patterns}
    assert {policy.limits.meaning_of(one) for one in items} == {"/tmp/planted-{rand8}"}
    meaning = meaning_of(policy)
    assert not meaning.ways
    assert "except for who may write to /tmp on the host" in meaning.answer
    link = Path("/tmp/planted-" + secrets.token_hex(4))
    link.symlink_to("/etc")
    try:
        with enforcing(engine, "--env-file", str(file)) as proxy:
            for refused in ("/etc:/x", f"{link}/ssl:/x", "/tmp/planted-a:/x"):
                ran = engine.docker("run", "-v", refused, "busybox", host=proxy.url, check=False)  # fmt: skip
                assert "does not list" in ran.errors
            followed = engine.docker("run", "--rm", "-v", f"{link}:/x", "busybox", "cat", "/x/passwd", host=proxy.url)  # fmt: skip
    finally:
        link.unlink()
    assert followed.output == Path("/etc/passwd").read_bytes()


UP_AND_DOWN = """
set -e
docker-compose -p limited -f compose.yaml up -d
docker-compose -p limited -f compose.yaml exec -T web true
docker-compose -p limited -f compose.yaml ps
docker-compose -p limited -f compose.yaml down -v -t 1
"""


@pytest.mark.slow
def test_a_compose_project_is_learned_enforced_and_made_alike(
    engine: Engine, project: Path
) -> None:
    """Thirty features of Compose: learned twice, it is made as on the raw socket, and the
    file lists its one bind, its image and nothing that gives root by itself."""
    compose = project / "compose.yaml"
    compose.write_text(COMPOSE)
    (project / "session.sh").write_text(UP_AND_DOWN)
    file = project / "app.env"
    learn_twice(engine, project, file)
    policy, warnings = parse_policy_file(file.read_text(), name="app.env")
    assert {name: one.value for name, one in policy.limits.by_variable.items()} == {
        "CREATE_BINDS": "/srv/app:ro",
        "CREATE_IMAGES": "busybox:latest",
        "EXEC_COMMANDS": "true",
        "EXEC_USERS": "@default",
    }
    assert warnings == ()
    assert not meaning_of(policy).is_root  # it reaches into its own, and no others
    with enforcing(engine, "--env-file", str(file)) as proxy:
        assert up_and_down(engine, compose, proxy.url) == up_and_down(
            engine, compose, None
        )


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ("-v /srv/data:/data -p 127.0.0.1::80", "root on the host: no known way"),
        ("-v /etc:/x", "root on the host: yes, by ContainerCreate: CREATE_BINDS=/etc"),
        ("--pid host", "yes, by ContainerCreate: CREATE_NAMESPACES=pid:host"),
        ("--privileged", "yes, by ContainerCreate: CREATE_PRIVILEGED=1"),
    ],
)
def test_the_answer_follows_from_what_was_asked_for(
    engine: Engine, tmp_path: Path, options: str, answer: str
) -> None:
    """A client that asks for nothing that gives root has no known way to it, and the file
    of another one names the value that is one."""
    file = tmp_path / "app.env"
    create = f"docker rm $(docker create {options} busybox)"
    done = learn(engine, file, "sh", "-ec", create)
    assert done.returncode == 0, done.stderr.decode()
    policy, _ = parse_policy_file(file.read_text(), name="app.env")
    assert answer in meaning_of(policy).answer


HOSTILE = """
import json, os, socket, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    body = row["body"].encode("utf-8", "surrogatepass")
    client = socket.socket(socket.AF_UNIX)
    client.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    client.sendall(
        b"POST %s HTTP/1.1\\r\\nHost: d\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n"
        % (row["target"].encode(), len(body))
    )
    client.sendall(body)
    while client.recv(65536):
        pass
"""


MADE = {("ps", "-aq"): ("rm", "-f"), ("volume", "ls", "-q"): ("volume", "rm")}
"""What lists it, and what removes it."""


@pytest.fixture
def tidied(engine: Engine) -> Iterator[Engine]:
    """The Engine, with nothing new afterwards: no prune takes a volume that has options."""
    before = {listed: engine.docker(*listed).text.split() for listed in MADE}
    yield engine
    for listed, remove in MADE.items():
        new = set(engine.docker(*listed).text.split()).difference(before[listed])
        engine.docker(*remove, *new)


def test_hostile_bodies_widen_nothing_that_was_not_asked_for(
    tidied: Engine, tmp_path: Path
) -> None:
    """Escape attempts while learning: the file lists what was asked for in so many words,
    or nothing, and `sh` and docker read the same in it as we do."""
    corpus = Path("tests/data/escapes.jsonl").read_text().splitlines()
    rows = [
        json.dumps({"target": row["target"], "body": row["body"]})
        for row in map(json.loads, corpus)
        if row["target"].startswith(("/containers/create", "/volumes/create"))
        and "body" in row
    ]
    attempts, client = tmp_path / "attempts.jsonl", tmp_path / "client.py"
    attempts.write_text("\n".join(rows[::4]))
    client.write_text(HOSTILE)
    file = tmp_path / "app.env"
    done = learn(tidied, file, sys.executable, str(client), str(attempts))
    assert done.returncode == 0, done.stderr.decode()
    text = file.read_text()
    ours = envfile.parse(text, name="app.env")
    names = [name for name in ours if name.startswith(("CREATE_", "ALLOW_"))]
    assert "CREATE_BINDS" in names
    shown = " ".join(f'"${name}"' for name in names)
    read = subprocess.run(
        ["sh", "-c", f". ./app.env; printf '%s\\n' {shown}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert read == [ours[name] for name in names]
    ran = tidied.docker("run", "--rm", "--env-file", str(file), "busybox", "env").text
    assert {f"{name}={ours[name]}" for name in names} <= set(ran.split("\n"))
