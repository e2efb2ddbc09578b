// Uses dockerode as programs do, and prints what it saw.
"use strict";

const Docker = require("dockerode");
const { PassThrough } = require("node:stream");

const docker = new Docker(); // finds DOCKER_HOST itself
const say = (...words) => console.log(...words.map((word) => JSON.stringify(word)));

function collect(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => resolve(Buffer.concat(parts)));
    stream.on("error", reject);
  });
}

async function execute(box, options) {
  const exec = await box.exec({
    Cmd: ["sh", "-c", "cat; echo err >&2; exit 3"],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ stdin: true, ...options });
  const out = new PassThrough();
  const err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  stream.on("end", () => { out.end(); err.end(); });
  const both = Promise.all([collect(out), collect(err)]);
  stream.end("hello\n");
  const [seen, errors] = await both;
  say(String(seen), String(errors), (await exec.inspect()).ExitCode);
}

async function main() {
  say((await docker.version()).ApiVersion, String(await docker.ping()));
  const box = await docker.createContainer({ Image: "busybox", Cmd: ["sleep", "600"], name: "box" });
  await box.start();
  await execute(box, { hijack: true });

  // Not of its death, which follows: both may come as one piece. Since now, for the Engine
  // sends the head before it listens itself.
  const since = Date.now() / 1000;
  const events = await docker.getEvents({ since, filters: { container: ["box"], event: ["kill"] } });
  const first = new Promise((resolve) => events.once("data", resolve));
  await box.kill();
  say(JSON.parse(String(await first)).Action);
  events.destroy();
  say((await box.wait()).StatusCode);
  await box.remove();

  const cat = await docker.createContainer({
    Image: "busybox", Cmd: ["cat"], OpenStdin: true, StdinOnce: true,
    AttachStdin: true, AttachStdout: true, Tty: false,
  });
  const stream = await cat.attach({ stream: true, stdin: true, stdout: true, hijack: true });
  const out = new PassThrough();
  docker.modem.demuxStream(stream, out, out);
  stream.on("end", () => out.end());
  const seen = collect(out);
  await cat.start();
  stream.end("through cat\n");
  say(String(await seen));
  await cat.remove({ force: true });

  await docker.getContainer("nope").inspect().catch((error) => say(error.statusCode, error.json));
}

main().catch((error) => { console.error(error); process.exit(1); });
