// A person at the OpenAPI page: authorises, opens an operation, executes its example. Prints what the browser saw as JSON.
// Usage: node browser.mjs URL KEY OPERATION_ID [SCREENSHOT]
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium as playwright } from "playwright-core";

const [url, key, operation, screenshot] = process.argv.slice(2);
// The packed browser unpacks itself here, once, with the libraries and fonts that it takes along for such a machine.
process.env.TMPDIR = fileURLToPath(new URL("node_modules/.cache/chromium", import.meta.url));
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs24.x";
mkdirSync(process.env.TMPDIR, { recursive: true });
const { default: chromium } = await import("@sparticuz/chromium");
// CHROMIUM names another browser, where the packed one (Linux on x86-64) does not run.
const executablePath = process.env.CHROMIUM ?? (await chromium.executablePath());
const browser = await playwright.launch({ executablePath, args: chromium.args });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  const requests = [];
  const complaints = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));

  await page.goto(`${url}/docs`);
  await page.locator("button.authorize").first().click();
  await page.locator(".auth-container input").fill(key);
  await page.locator(".auth-container button.authorize").click();
  await page.locator(".auth-container button.btn-done").click();

  const block = page.locator(`[id$="${operation}"]`);
  await block.locator(".opblock-summary-control").click();
  await block.locator("button.execute").click();
  const answer = block.locator(".live-responses-table");
  const status = await answer.locator(".response-col_status").last().innerText();
  const body = await answer.locator(".response-col_description .highlight-code").first().innerText();
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  console.log(JSON.stringify({ title: await page.title(), requests, complaints, status, body }));
} finally {
  await browser.close();
}
