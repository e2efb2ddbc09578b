// Uses testcontainers as a test suite does, and prints what it saw.
"use strict";

process.env.TESTCONTAINERS_RYUK_DISABLED = "true"; // tests/clients/test_ryuk.py has it
const { GenericContainer, Network, Wait } = require("testcontainers");

const say = (...words) => console.log(...words.map((word) => JSON.stringify(word)));
const SERVE = "echo hello >/www/index.html; exec httpd -f -p 80 -h /www";

setInterval(() => {}, 1000); // testcontainers unrefs the sockets of logs: nothing else would wait

async function main() {
  const network = await new Network().start();
  const web = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", SERVE])
    .withExposedPorts(80)
    .withNetwork(network)
    .withNetworkAliases("web")
    .withTmpFs({ "/www": "rw" })
    .withBindMounts([{ source: "data", target: "/data", mode: "rw" }])
    .withCopyContentToContainer([{ content: "copied before\n", target: "/before" }])
    .withHealthCheck({ test: ["CMD-SHELL", "wget -qO- localhost"], interval: 250, retries: 20 })
    .withWaitStrategy(Wait.forAll([
      Wait.forListeningPorts(),
      Wait.forHttp("/", 80),
      Wait.forSuccessfulCommand("test -s /www/index.html"),
      Wait.forHealthCheck(),
    ]))
    .start();
  await web.copyContentToContainer([{ content: "copied after\n", target: "/data/after" }]);
  say(await web.exec(["cat", "/before", "/data/after", "/www/index.html"]));
  say(await web.exec(["sh", "-c", "echo err >&2; exit 3"], { user: "nobody" }));

  const asking = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", "cat /data/after; wget -qO- http://web/"])
    .withNetwork(network)
    .withBindMounts([{ source: "data", target: "/data", mode: "ro" }])
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage("hello"), Wait.forOneShotStartup()]))
    .start();
  const logs = await asking.logs();
  const lines = [];
  await new Promise((resolve) => logs.on("data", (line) => lines.push(line)).on("end", resolve));
  say(lines.join(""));
  await asking.stop();

  await web.restart();
  const stopped = await web.stop({ remove: false });
  say(stopped.getId().length);
  const archive = await stopped.copyArchiveFromContainer("/data");
  let size = 0;
  for await (const part of archive) size += part.length;
  say(size);
  await network.stop().catch((error) => say(error.statusCode, error.json));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
