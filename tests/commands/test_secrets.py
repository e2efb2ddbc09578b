"""Secrets in every place that a client can write to, and whatever we write afterwards."""

import json
import subprocess
import sys
from pathlib import Path

import trio

from tests.commands.running import environment, running
from tests.evidence.test_keeping import PLANTED, SECRET
from tests.fakes import FakeEngine
from tests.patience import PATIENCE
from trioproxy.api.routes import OPERATIONS

CLIENT = """
import json, os, socket, sys
secret = sys.argv[2]
for method, target, body in json.load(open(sys.argv[1])):
    data = b"" if body is None else json.dumps(body).encode()
    client = socket.socket(socket.AF_UNIX)
    client.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    fields = [
        f"{method} {target} HTTP/1.1", "Host: d", "Connection: close",
        "Content-Type: application/json", f"Content-Length: {len(data)}",
        f"Authorization: Bearer {secret}", f"Cookie: a={secret}",
        f"X-Registry-Auth: {secret}", f"X-Registry-Config: {secret}", f"X-Other: {secret}",
    ]
    client.sendall("\\r\\n".join([*fields, "", ""]).encode() + data)
    answer = b""
    while more := client.recv(65536):
        answer += more
    sys.stdout.write(answer.decode())
"""


def requests() -> list[tuple[str, str, object]]:
    """Each planted request, and a read with a secret in its query."""
    found: list[tuple[str, str, object]] = []
    for operation, body, query in PLANTED:
        endpoint = OPERATIONS[operation][0]
        path = endpoint.template.replace("{id}", "x").replace("{name}", "x")
        found.append((endpoint.method, f"{path}?{query}" if query else path, body))
    return [*found, ("GET", f"/containers/json?filters={SECRET}", None)]


async def test_no_secret_is_in_anything_that_we_write(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Learning: env file, evidence, screen. Enforcing what was learned, with everything
    in the log, and refusing all of it: log, answers, evidence."""
    client, asked = tmp_path / "client.py", tmp_path / "requests.json"
    client.write_text(CLIENT)
    asked.write_text(json.dumps(requests()))
    command = (sys.executable, str(client), str(asked), SECRET)
    env = tmp_path / "app.env"
    learner = (sys.executable, "-m", "trioproxy", "learn", "--upstream", str(fake.path))
    with trio.fail_after(2 * PATIENCE):
        done = await trio.run_process(
            [*learner, "-o", str(env), "--", *command],
            env=environment({"LOG_LEVEL": "debug"}),
            capture_stdout=True,
            capture_stderr=True,
        )
    assert "CREATE_OPTIONS=" in env.read_text()
    written = [
        env.read_text(),
        env.with_suffix(".jsonl").read_text(),
        done.stderr.decode(),
    ]
    nothing = tmp_path / "nothing.env"
    nothing.write_text(f"ALLOW_OPERATIONS={','.join(sorted({one[0] for one in PLANTED}))}\n"
                       "CREATE_BINDS=\nEXEC_COMMANDS=\nPULL_IMAGES=\nBUILD_OPTIONS=\n")  # fmt: skip
    for number, file in enumerate((env, nothing)):
        live, listen = tmp_path / f"{number}.jsonl", tmp_path / f"{number}.sock"
        options = ("--record", str(live))
        async with running(
            *("enforce", str(file), "--listen", f"unix://{listen}"),
            *("--upstream", str(fake.path), *options),
        ) as proxy:
            await proxy.listen()
            with trio.fail_after(2 * PATIENCE):
                ran = await trio.run_process(
                    command,
                    env=environment({"DOCKER_HOST": f"unix://{listen}"}),
                    capture_stdout=True,
                    stderr=subprocess.DEVNULL,
                )
            proxy.process.terminate()
            while more := await proxy.stream.receive_some():
                proxy.text += more.decode()
        refusals = ran.stdout.decode().count("which ")
        assert file is env or refusals > len(PLANTED) // 2
        written += [proxy.text, ran.stdout.decode(), live.read_text()]
    for text in written:
        assert SECRET.lower() not in text.lower()
