// Asks Lighthouse about each page, signed in where it takes that, and prints a table; fails under 98, over 60 KB, or
// where a page asks another site for anything.
import lighthouse from "lighthouse";
import puppeteer from "puppeteer-core";

const base = process.argv[2];
const PAGES = [["log-in", "/login"], ["chat", "/chat/rooms/1"], ["people", "/people"], ["search", "/search?q=the"],
  ["backoffice: list", "/admin/messages/"], ["backoffice: form", "/admin/users/1/"]];
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const LEAST = 98, MOST = 60 * 1024;

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const port = Number(new URL(browser.wsEndpoint()).port);
let failed = false;
console.log(`| page | ${CATEGORIES.join(" | ")} | on the wire | requests |\n|---|---|---|---|---|---|`);
for (const [name, path] of PAGES) {
  if (path !== "/login") await logIn();
  const { lhr } = await lighthouse(base + path, { port, output: "json", onlyCategories: CATEGORIES, clearStorageTypes: ["cache_storage"], logLevel: "error" });
  const requests = lhr.audits["network-requests"].details.items.filter((one) => one.url.startsWith("http"));
  const bytes = requests.filter((one) => one.resourceType !== "Image").reduce((sum, one) => sum + one.transferSize, 0);
  const scores = CATEGORIES.map((one) => Math.round(lhr.categories[one].score * 100));
  const elsewhere = requests.filter((one) => !one.url.startsWith(base));
  console.log(`| ${name} | ${scores.join(" | ")} | ${(bytes / 1024).toFixed(1)} KB | ${requests.length} |`);
  for (const one of elsewhere) console.error(`${path} asks ${one.url}`);
  for (const category of CATEGORIES) {
    for (const { id } of lhr.categories[category].auditRefs) {
      const audit = lhr.audits[id];
      if (audit.score !== null && audit.score < 0.9 && audit.scoreDisplayMode !== "informative") console.error(`${path}: ${audit.title} (${id} ${audit.score} ${audit.displayValue ?? ""})`);
    }
  }
  for (const shift of lhr.audits["layout-shifts"].details?.items ?? []) {
    console.error(`${path}: ${shift.score.toFixed(3)} by ${shift.node?.selector}; ${shift.subItems?.items.map((one) => one.extra?.snippet ?? one.cause).join("; ")}`);
  }
  failed ||= scores.some((score) => score < LEAST) || bytes > MOST || elsewhere.length > 0;
}
await browser.close();
process.exit(failed ? 1 : 0);

async function logIn() {
  const page = await browser.newPage();
  await page.goto(base + "/login");
  if (new URL(page.url()).pathname === "/login") {
    await page.type("[name=username]", process.env.NAME);
    await page.type("[name=password]", process.env.PASSWORD);
    await Promise.all([page.waitForNavigation(), page.click("button.primary")]);
  }
  await page.close();
}
