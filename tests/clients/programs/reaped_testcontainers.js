// Uses testcontainers with its reaper, says which session it is, and waits to be killed.
"use strict";

const { GenericContainer, Network, Wait } = require("testcontainers");
const LABEL = "org.testcontainers.session-id";

async function main() {
  const network = await new Network().start();
  const box = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", "echo ready; sleep 600"])
    .withNetwork(network)
    .withNetworkAliases("box")
    .withWaitStrategy(Wait.forLogMessage("ready"))
    .start();
  console.log(box.getLabels()[LABEL]);
  process.stdin.resume();
}

main().catch((error) => { console.error(error); process.exit(1); });
