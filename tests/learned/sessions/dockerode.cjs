// What programs do with dockerode.
"use strict";
const assert = require("node:assert");
const { PassThrough } = require("node:stream");
const Docker = require("dockerode");

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

function followed(stream) {
  return new Promise((resolve, reject) =>
    docker.modem.followProgress(stream, (error, all) => (error ? reject(error) : resolve(all))),
  );
}

// A tar archive of one file: a header of 512 bytes, the content, an end.
function archive(name, content) {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0" + "0000000\0".repeat(2), 100);
  header.write(content.length.toString(8).padStart(11, "0") + "\0" + "0".repeat(11) + "\0", 124);
  header.write("        0", 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(sum.toString(8).padStart(6, "0") + "\0 ", 148);
  return Buffer.concat([header, Buffer.from(content.padEnd(512, "\0")), Buffer.alloc(1024)]);
}

async function look() {
  await docker.ping();
  await docker.version();
  await docker.info();
  await docker.df();
  await docker.listContainers({ all: true, filters: { label: ["staged"] } });
  const staged = docker.getContainer("staged");
  await staged.inspect();
  await staged.logs({ stdout: true, tail: 1 });
  const logs = await staged.logs({ stdout: true, follow: true });
  await first(logs);
  logs.destroy();
  await staged.top();
  await staged.changes();
  await staged.stats({ stream: false });
  await docker.listImages();
  await docker.getImage("busybox").inspect();
  await docker.getImage("busybox").history();
}

async function work() {
  const [ended, once] = await docker.run("busybox", ["echo", "hello"], new PassThrough());
  assert.equal(ended.StatusCode, 0);
  await once.remove();
  const box = await docker.createContainer({
    Image: "busybox",
    Cmd: ["cat"],
    name: "box",
    OpenStdin: true,
    StdinOnce: false,
    HostConfig: { Init: true },
  });
  const attached = await box.attach({ stream: true, hijack: true, stdin: true, stdout: true });
  await box.start();
  attached.write("echoed\n");
  await first(attached);
  attached.destroy();
  const exec = await box.exec({ Cmd: ["echo", "hello"], AttachStdout: true });
  assert.match(await text(await exec.start({})), /hello/);
  await exec.inspect();
  await box.putArchive(archive("a", "hello"), { path: "/tmp" });
  assert.match(await text(await box.getArchive({ path: "/tmp/a" })), /hello/);
  await box.pause();
  await box.unpause();
  await box.rename({ name: "boxed" });
  await box.restart({ t: 1 });
  await box.kill();
  await box.wait();
  await box.start();
  await box.stop({ t: 1 });
  await box.remove({ v: true });
}

async function keep() {
  await docker.getImage("busybox").tag({ repo: "tagged", tag: "1" });
  const context = archive("Dockerfile", "FROM busybox\nRUN echo hello\n");
  await followed(await docker.buildImage(context, { t: "built:1" }));
  await docker.getImage("built:1").remove();
  await docker.getImage("tagged:1").remove();
  const network = await docker.createNetwork({ Name: "net" });
  await network.connect({ Container: "staged" });
  await network.inspect();
  await network.disconnect({ Container: "staged" });
  await network.remove();
  await docker.listNetworks();
  await docker.createVolume({ Name: "vol" });
  await docker.listVolumes();
  await docker.getVolume("vol").inspect();
  await docker.getVolume("vol").remove();
}

async function follow() {
  const since = Math.floor(Date.now() / 1000); // the network may be there before the stream is
  const events = await docker.getEvents({ since, filters: { type: ["network"] } });
  const seen = first(events);
  await (await docker.createNetwork({ Name: "seen" })).remove();
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
