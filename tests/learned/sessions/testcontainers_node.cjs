// What a test suite does with testcontainers.
"use strict";
const assert = require("node:assert");
const { GenericContainer, Network, Wait } = require("testcontainers");

// After a restart it waits for lines that are younger than what the Engine calls the start,
// which is written down when the container runs already: so it says more than once that it is ready.
const SERVE = "mkdir /www; echo hello >/www/index.html; httpd -p 80 -h /www; while sleep 0.5; do echo ready; done";

(async () => {
  const network = await new Network().start();
  const container = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", SERVE])
    .withExposedPorts(80)
    .withNetwork(network)
    .withNetworkAliases("web")
    .withCopyContentToContainer([{ content: "hello", target: "/copied" }])
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage("ready"), Wait.forListeningPorts()]))
    .start();
  assert(container.getMappedPort(80));
  const asked = await container.exec(["cat", "/copied"]);
  assert.match(asked.output, /hello/);
  const logs = await container.logs();
  await new Promise((resolve) => logs.once("data", resolve));
  logs.destroy();
  await container.copyContentToContainer([{ content: "more", target: "/more" }]);
  await container.copyArchiveFromContainer("/more");
  await container.restart();
  await container.stop();
  await network.stop();
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
