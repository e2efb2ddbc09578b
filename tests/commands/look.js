// Opens reports in Chromium, as people meet them, and prints what it finds, as JSON.
//   node look.js FOLDER REPORT.html...
// Writes a screenshot of each width and theme, and a PDF, into FOLDER.
"use strict";
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");
const puppeteer = require("puppeteer-core");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [360, 768, 1280];
const THEMES = ["light", "dark"];

async function look(browser, file, folder, theme, width) {
  const page = await browser.newPage();
  const told = [];
  page.on("console", (message) => told.push(message.text()));
  page.on("pageerror", (error) => told.push(String(error)));
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  const address = pathToFileURL(file).href;
  await page.goto(address);
  const name = `${path.basename(file, ".html")}-${theme}-${width}.png`;
  await page.screenshot({ path: path.join(folder, name), fullPage: true });
  const shown = await page.evaluate(() => {
    for (const one of document.querySelectorAll("details")) one.open = true;
    const visible = (one) => getComputedStyle(one).display !== "none";
    return {
      width: document.documentElement.scrollWidth,
      ground: getComputedStyle(document.body).backgroundColor,
      pictures: [...document.querySelectorAll("svg.picture")].filter(visible).length,
      scripts: document.scripts.length,
    };
  });
  await page.keyboard.press("Tab");
  const focus = await page.evaluate(() => {
    const one = document.activeElement;
    return { text: one.textContent, outline: getComputedStyle(one).outlineStyle };
  });
  await page.evaluate(AXE);
  const { violations } = await page.evaluate("axe.run()");
  await page.close();
  return {
    file: path.basename(file), theme, width, told, shown, focus, screenshot: name,
    asked: asked.filter((one) => one !== address),
    violations: violations.map((one) => `${one.id}: ${one.nodes[0].html}`),
  };
}

async function print(browser, file, folder) {
  const page = await browser.newPage();
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await page.goto(pathToFileURL(file).href);
  const name = `${path.basename(file, ".html")}.pdf`;
  await page.pdf({ path: path.join(folder, name), format: "A4", printBackground: true });
  await page.close();
  return name;
}

async function main([folder, ...files]) {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    userDataDir: path.join(folder, "profile"),
    timeout: 0, // whoever started us knows how long is too long
  });
  try {
    const found = [];
    const printed = [];
    for (const file of files) {
      for (const theme of THEMES)
        for (const width of WIDTHS)
          found.push(await look(browser, file, folder, theme, width));
      printed.push(await print(browser, file, folder));
    }
    process.stdout.write(JSON.stringify({ found, printed }));
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
