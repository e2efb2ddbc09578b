// What programs do with node-docker-api.
"use strict";
const assert = require("node:assert");
const { Docker } = require("node-docker-api");

const docker = new Docker(); // DOCKER_HOST

function text(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => resolve(Buffer.concat(parts).toString()));
    stream.on("error", reject);
  });
}

function first(stream) {
  return new Promise((resolve, reject) => {
    stream.once("data", resolve);
    stream.once("error", reject);
  });
}

async function look() {
  await docker.ping();
  await docker.version();
  await docker.info();
  const filters = { label: ["staged"] };
  const [staged] = await docker.container.list({ all: true, filters });
  await staged.status();
  await text(await staged.logs({ stdout: true, tail: 1 }));
  const logs = await staged.logs({ stdout: true, follow: true });
  await first(logs);
  logs.destroy();
  await staged.top();
  await staged.changes();
  await first(await staged.stats({ stream: false }));
  await docker.image.list();
  await docker.image.get("busybox").status();
  await docker.image.get("busybox").history();
}

async function work() {
  const box = await docker.container.create({
    Image: "busybox",
    Cmd: ["sh", "-c", "echo started; exec sleep 600"],
    name: "box",
    Env: ["A=b"],
    Labels: { a: "b" },
    HostConfig: { Init: true, Binds: ["kept:/kept"] },
  });
  await box.start();
  const exec = await box.exec.create({ Cmd: ["echo", "hello"], AttachStdout: true });
  assert.match(await text(await exec.start({ Detach: false })), /hello/);
  await exec.status();
  assert.match(await text(await box.fs.get({ path: "/etc/hostname" })), /hostname/);
  await box.pause();
  await box.unpause();
  await box.rename({ name: "boxed" });
  await box.restart({ t: 1 });
  await box.kill();
  await box.wait();
  await box.start();
  await box.stop({ t: 1 });
  await box.delete({ v: true });
  await docker.volume.get("kept").remove();
}

async function keep() {
  await docker.image.get("busybox").tag({ repo: "tagged", tag: "1" });
  await docker.image.get("tagged:1").remove();
  const network = await docker.network.create({ Name: "net" });
  await network.connect({ Container: "staged" });
  await network.status();
  await network.disconnect({ Container: "staged" });
  await network.remove();
  await docker.network.list();
  await docker.volume.create({ Name: "vol" });
  await docker.volume.list();
  await docker.volume.get("vol").status();
  await docker.volume.get("vol").remove();
}

async function follow() {
  const since = Math.floor(Date.now() / 1000); // the network may be there before the stream is
  const events = await docker.events({ since, filters: { type: ["network"] } });
  const seen = first(events);
  await (await docker.network.create({ Name: "seen" })).remove();
  await seen;
  events.destroy();
}

(async () => {
  for (const part of [look, work, keep, follow]) await part();
  process.exit(0); // streams that were left may linger
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
