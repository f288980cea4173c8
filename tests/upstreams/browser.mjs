// A person at the OpenAPI page: authorises, opens an operation, executes its example. Prints what the browser saw as JSON.
// Usage: node browser.mjs URL KEY OPERATION_ID [SCREENSHOT]
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const [url, key, operation, screenshot] = process.argv.slice(2);
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
  const links = await page.locator("[href^=http], [src^=http]").evaluateAll((all) => all.map((each) => each.href || each.src));
  console.log(JSON.stringify({ title: await page.title(), requests, complaints, links, status, body }));
} finally {
  await browser.close();
}
