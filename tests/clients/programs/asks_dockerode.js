// Asks by dockerode for what there is, and prints it: a line of JSON for each question.
"use strict";

const Docker = require("dockerode");
const { readFileSync } = require("node:fs");

const docker = new Docker(); // finds DOCKER_HOST itself

async function events(given) {
  const stream = await docker.getEvents(given);
  let text = "";
  for await (const part of stream) text += part;
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

async function answer(what, given) {
  switch (what) {
    case "containers": {
      const listed = await docker.listContainers(given);
      return Promise.all(listed.map((one) => docker.getContainer(one.Id).inspect()));
    }
    case "summaries": return docker.listContainers(given);
    case "networks": return docker.listNetworks(given);
    case "volumes": return (await docker.listVolumes(given)).Volumes;
    case "events": return events(given);
    case "prune": return docker.pruneContainers(given);
    case "container": return docker.getContainer(given.id).inspect();
    case "network": return docker.getNetwork(given.id).inspect();
    case "volume": return docker.getVolume(given.id).inspect();
    default: throw new Error(what);
  }
}

async function main() {
  for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const [what, given] = JSON.parse(line);
    const told = await answer(what, given).catch((error) => ({ status: error.statusCode }));
    console.log(JSON.stringify(told));
  }
}

main().catch((error) => { console.error(error); process.exit(1); });
