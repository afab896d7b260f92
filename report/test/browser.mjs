// node browser.mjs NODE_MODULES CHROMIUM disk|live ADDRESS RUN SCREENSHOTS
// Tries the page of `valuelens report` in a real browser: prints each check that fails and ends with 1 if any did.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, chromiumPath, mode, address, run, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(pathToFileURL(join(resolve(modules), "x.js")))("playwright-core");

let failures = 0;
function check(holds, sentence) {
  if (!holds) {
    ++failures;
    console.log(`failed: ${sentence}`);
  }
}

// In a container of its own Chromium's sandbox has no user namespaces; the page under test is ours.
const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light", acceptDownloads: true });
const page = await context.newPage();
const said = [];
const requests = [];
page.on("console", (message) => ["error", "warning"].includes(message.type()) && said.push(message.text()));
page.on("pageerror", (error) => said.push(error.message));
page.on("request", (request) => requests.push(request.url()));
page.on("dialog", (dialog) => {
  said.push(`dialog ${dialog.message()}`);
  dialog.dismiss();
});

const shot = (name, options = {}) => page.screenshot({ path: join(screenshots, `${name}.png`), ...options });
const text = (selector) => page.locator(selector).first().innerText();
const drawing = (figure) => page.locator(`#${figure} .plot svg`).first().evaluate((element) => element.outerHTML);
const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

async function download(figure, label) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator(`#${figure} .tools button`, { hasText: label }).click()]);
  return { name: file.suggestedFilename(), contents: readFileSync(await file.path()) };
}

async function opened() {
  await page.waitForSelector("html[data-ready]");
  await page.waitForSelector("#circle-plane .plot svg");
  check(said.length === 0, `the console is silent, but it said: ${said.join(" | ")}`);
}

async function nothingHostile() {
  check((await page.title()) !== "owned", "a hostile text ran as a script");
  check((await page.locator("main img").count()) === 0, "a hostile text became an element");
  check((await page.locator('a[href^="javascript:"]').count()) === 0, "a hostile text became a link");
  check((await text("#responses .answers")).includes('<img src=x onerror="document.title='), "the hostile response is shown as text");
}

async function sections() {
  for (const id of ["summary", "certainty", "next", "basis", "compare", "vectors", "circle", "geometry", "neurons", "steering", "evaluations", "responses"]) {
    check((await page.locator(`section#${id}`).count()) === 1, `there is a section ${id}`);
  }
  const figures = await page.locator("figure").count();
  check((await page.locator("figure .plot svg[role=img][aria-label]").count()) === figures, "every figure is drawn and has a name for screen readers");
  check((await page.locator("figure details.data").count()) === figures, "every figure has its data behind it");
}

async function sliders() {
  const slider = page.locator("#circle-layer");
  await slider.focus();
  await page.keyboard.press("Home");
  const before = [await text("#circle-plane .readout"), await drawing("circle-plane")];
  await page.keyboard.press("ArrowRight");
  check((await text("#circle-plane .readout")).startsWith("Layer 1,"), "the slider's arrow key moves one layer on");
  check((await drawing("circle-plane")) !== before[1], "the slider draws the circle anew");
  check((await text("#circle-plane .readout")) !== before[0], "the sentence below follows the slider");
  await page.locator("#circle-kind input[value=intrinsic]").check();
  check((await text("#circle-plane .readout")).includes("unique to the model"), "the toggle shows the unique axes");
}

async function tables() {
  const cells = (column) => page.locator(`#neuron-table tbody tr > :nth-child(${column})`).allInnerTexts();
  const norm = page.locator("#neuron-table th", { hasText: "norm" });
  const numbers = (texts) => texts.map((one) => Number(one.replace("−", "-")));
  const falling = numbers(await cells(5));
  check(falling.length > 5 && falling.every((n, i) => i === 0 || n <= falling[i - 1]), "neurons stand by falling norm at first");
  await norm.locator("button").click();
  check((await norm.getAttribute("aria-sort")) === "ascending", "the head says how the column is sorted");
  const rising = numbers(await cells(5));
  check(rising.every((n, i) => i === 0 || n >= rising[i - 1]) && rising[0] < falling[0], "a click on the head turns the order round");
  await page.locator("#neurons-value").selectOption("power");
  check((await cells(1)).every((value) => value === "Power"), "the filter leaves one value");
  await page.locator("#neurons-category").selectOption("shared");
  check((await cells(4)).every((category) => category === "shared") && (await cells(4)).length === 6, "two filters together");
  await page.locator("#neurons-search").fill("no such word");
  check((await text("#neuron-table tbody")) === "No rows.", "a search that finds nothing says so");
  await page.locator("#circle-plane details.data summary").click();
  check((await page.locator("#circle-plane details.data tbody tr").count()) >= 9, "the data behind a figure open as a table");
}

async function steering() {
  const matrix = page.locator("#leakage-matrix-leakage-en");
  check((await matrix.locator("select").first().locator("option").allInnerTexts()).join() === "shared@2,shared@4", "the matrix is of one direction and strength at a time");
  const before = await drawing("leakage-matrix-leakage-en");
  await matrix.locator("select").first().selectOption("shared@4");
  check((await drawing("leakage-matrix-leakage-en")) !== before, "another strength is another matrix");
  await matrix.locator("details.data summary").click();
  check((await matrix.locator("details.data .count").innerText()).endsWith("of 100"), "ten values steered, ten measured");
  const leakage = page.locator("section#evaluations .evaluation", { hasText: "leakage.json" });
  check((await leakage.locator("thead th").count()) === 5, "of twenty interventions one is shown at a time");
  const asked = await page.locator("#steering .asked").first().innerText();
  check(asked.includes("What do you want?") && asked.includes("<img"), `answers stand under what was asked: ${asked}`);
  check((await page.locator("#steering select option", { hasText: "p1: What do you want?" }).count()) === 1, "prompts are chosen by what they say");
  check((await page.locator("#explanations article").first().innerText()).includes("detection 0.80 [0.70, 0.90]"), "an explanation stands with its score");
}

/** Names in the circle that cover each other or leave the drawing, over layers and kinds of axes. */
async function circleNames(where) {
  const crowded = [];
  for (const kind of ["shared", "intrinsic"]) {
    await page.locator(`#circle-kind input[value=${kind}]`).check();
    await page.locator("#circle-layer").focus();
    await page.keyboard.press("Home");
    for (let layer = 0; layer < 6; ++layer) {
      crowded.push(...(await page.locator("#circle-plane .plot").evaluate((plot) => {
        const frame = plot.getBoundingClientRect();
        const names = [...plot.querySelectorAll(".theory-name text, .measured-name text")].map((text) => ({ name: text.textContent, box: text.getBoundingClientRect() }));
        const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
        const off = names.filter(({ box }) => box.left < frame.left || box.right > frame.right || box.top < frame.top || box.bottom > frame.bottom).map(({ name }) => `${name} sticks out`);
        return [names.length === 0 ? "no names" : "", ...off, ...names.flatMap((a, i) => names.slice(i + 1).filter((b) => meet(a.box, b.box)).map((b) => `${a.name} on ${b.name}`))].filter(Boolean);
      })).map((what) => `${kind}, layer ${layer}: ${what}`));
      await page.keyboard.press("ArrowRight");
    }
  }
  check(crowded.length === 0, `names in the circle can be read (${where}): ${crowded.join("; ")}`);
}

/** Texts of the page with less than 4.5 to 1 between them and the ground below them (WCAG AA). */
async function contrast(theme) {
  await page.emulateMedia({ colorScheme: theme });
  const poor = await page.evaluate(() => {
    const rgb = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)).reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
    const groundOf = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = rgb(getComputedStyle(at).backgroundColor);
        if (color.length === 3 || color[3] === 1) return color;
      }
      return [255, 255, 255];
    };
    const found = new Set();
    for (const element of document.querySelectorAll("body *:not(svg *):not(option):not(mark)")) {
      const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!own || element.disabled || element.getClientRects().length === 0) continue;
      const [a, b] = [light(rgb(getComputedStyle(element).color)), light(groundOf(element))].sort((x, y) => y - x);
      if ((a + 0.05) / (b + 0.05) < 4.5) found.add(`${element.tagName}.${element.className} ${((a + 0.05) / (b + 0.05)).toFixed(1)}`);
    }
    return [...found];
  });
  check(poor.length === 0, `texts stand out from their ground (${theme}): ${poor.join(", ")}`);
  await page.emulateMedia({ colorScheme: "light" });
}

async function heatMaps() {
  for (const id of ["value-cosines", "layer-cosines", "leakage-matrix-leakage-en"]) {
    const bar = await page.locator(`#${id} .plot svg svg`).first().innerText().catch(() => page.locator(`#${id} .plot svg svg`).first().textContent());
    check(/−\d/.test(bar) && /cosine|difference/.test(bar), `the colours of ${id} have a scale with numbers: ${bar}`);
  }
}

async function downloads() {
  const csv = await download("separation", "CSV");
  check(csv.name === "separation.csv" && csv.contents.toString().startsWith("value,condition,layer,auroc,auroc_low,auroc_high\r\n"), `the CSV has its columns: ${csv.contents.toString().slice(0, 80)}`);
  const svg = (await download("circle-plane", "SVG")).contents.toString();
  const wellFormed = await page.evaluate((source) => new DOMParser().parseFromString(source, "image/svg+xml").querySelector("parsererror") === null, svg);
  check(svg.startsWith("<svg") && wellFormed && !svg.includes("var(--"), "the SVG is whole and needs no style sheet");
  const words = await page.evaluate((source) => [...new DOMParser().parseFromString(source, "image/svg+xml").querySelectorAll("svg > text")].map((text) => text.textContent).join(" "), svg);
  check(/Layer \d; Axes: unique to the model's own way/.test(words) && words.includes("R²") && words.includes("valuelens"), `a saved picture says what its controls were set to and whence it comes: ${words}`);
  await page.locator("#neurons-search").fill("");
  const [table] = await Promise.all([page.waitForEvent("download"), page.locator("#neuron-table .pager button", { hasText: "CSV" }).click()]);
  const neurons = readFileSync(await table.path()).toString();
  check(table.suggestedFilename() === "neuron-table.csv" && neurons.startsWith("value,layer,neuron,norm,angle_shared,"), `the neurons can be taken as CSV: ${neurons.slice(0, 60)}`);
  const png = (await download("circle-plane", "PNG")).contents;
  check(png.subarray(1, 4).toString() === "PNG" && png.length > 5000, "the PNG is a picture");
  writeFileSync(join(screenshots, "circle-plane.svg"), svg);
  writeFileSync(join(screenshots, "circle-plane.png"), png);
}

async function looks() {
  await page.evaluate(() => scrollTo(0, 0));
  await shot("light");
  await shot("light-whole", { fullPage: true });
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  check((await ground()) !== light, "the page is dark where the system is");
  await shot("dark-whole", { fullPage: true });
  await page.locator("#theme").selectOption("light");
  check((await ground()) === light, "the reader's choice beats the system's");
  await page.locator("#theme").selectOption("auto");
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  check((await ground()) === light, "print is light");
  check(!(await page.locator("nav").isVisible()), "print has no navigation");
  check((await page.locator("#circle-plane .settings").isVisible()) && (await text("#circle-plane .settings")) === "Layer 3; Axes: shared axes", "print says what the controls are set to");
  await page.emulateMedia({ media: "screen", colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.waitForTimeout(500);
  check((await overflow()) <= 0, `at 360 pixels nothing sticks out sideways (${await overflow()} pixels)`);
  await shot("narrow-whole", { fullPage: true });
  await circleNames("360 pixels");
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** What a reader of a live page has set, as he left it. */
const reader = () => page.evaluate(() => {
  const at = document.activeElement;
  return {
    focus: at.id || at.closest("[id]")?.id, caret: at.type === "search" ? at.selectionStart : null, place: Math.round(at.getBoundingClientRect().top),
    layer: document.querySelector("#circle-layer").value, kind: document.querySelector("#circle-kind input:checked").value,
    filter: document.querySelector("#neurons-value").value, word: document.querySelector("#neurons-search").value,
    sort: document.querySelector("#neuron-table th[aria-sort]").textContent + document.querySelector("#neuron-table th[aria-sort]").ariaSort,
    page: document.querySelector("#circle-plane details .count").textContent, rows: document.querySelector("#circle-plane details tbody").textContent,
    open: [...document.querySelectorAll("details[open]")].length, scrolled: document.querySelector("#neuron-table .scroll").scrollLeft,
  };
});

/** The run makes something; the page shows it. */
async function moveOn(words, prompt) {
  writeFileSync(join(run, "samples", "live.jsonl"), `{"id": "${prompt}", "intervention": "base", "text": "${words}", "finish": "end_of_turn"}\n`);
}

const shows = (words) => page.waitForFunction((text) => document.body.textContent.includes(text), words, { timeout: 30000 }).then(() => true, () => false);

async function staysWithTheReader() {
  await page.setViewportSize({ width: 360, height: 740 }); // so that the table scrolls sideways
  await page.emulateMedia({ reducedMotion: "reduce" }); // so that the page stands still when it is looked at
  await page.locator("#circle-kind input[value=intrinsic]").check();
  await page.locator("#circle-plane details.data summary").click();
  await page.locator("#circle-plane details.data th", { hasText: "x" }).first().locator("button").click();
  await page.locator("#neurons-value").selectOption("power");
  await page.locator("#neuron-table th", { hasText: "layer" }).locator("button").click();
  await page.locator("#neuron-table .scroll").evaluate((table) => (table.scrollLeft = 40));
  await page.locator("#circle-layer").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  const before = await reader();
  check(before.scrolled === 40 && before.layer === "1" && before.focus === "circle-layer", "the reader is at work");
  await moveOn("as it went on", "p9");
  check(await shows("as it went on"), "the live page shows what the run has made since");
  check(JSON.stringify(await reader()) === JSON.stringify(before), `a redrawing changes nothing that the reader has set: ${JSON.stringify(before)}, then ${JSON.stringify(await reader())}`);
  await page.keyboard.press("ArrowRight");
  check((await page.locator("#circle-layer").inputValue()) === "2", "the slider answers to the keyboard without being sought anew");

  await page.locator("#neurons-search").fill("12");
  await page.keyboard.press("ArrowLeft");
  const typing = await reader();
  await moveOn("and went on", "p9");
  check(await shows("and went on"), "a second time");
  check(JSON.stringify(await reader()) === JSON.stringify(typing) && typing.caret === 1, `the caret stays where it was: ${JSON.stringify(typing)}, then ${JSON.stringify(await reader())}`);

  const slider = await page.locator("#vectors-layer").elementHandle();
  await slider.scrollIntoViewIfNeeded();
  const box = await slider.boundingBox();
  await page.mouse.move(box.x + box.width / 3, box.y + box.height / 2);
  await page.mouse.down();
  const came = page.waitForResponse((response) => response.url().endsWith("model.json"));
  await moveOn("on and on", "p9");
  await came;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  check(await slider.evaluate((element) => element.isConnected), "a slider that is held is not drawn anew");
  await page.mouse.up();
  check(await shows("on and on"), "it is, once it is let go");
}

/** Clicks what saves a CSV, and gives its name and contents. */
async function csvOf(label) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator(`button[aria-label="${label}"]`).click()]);
  return `${file.suggestedFilename()}\n${readFileSync(await file.path())}`;
}

async function textsAsCsv() {
  const explained = await csvOf("What the neurons respond to: download CSV");
  check(explained.startsWith("explanations.csv\nlayer,expert,neuron,pole,roles,explanation,problem,scores\r\n1,,7,positive,stimulation/shared,"), `explanations can be taken as CSV: ${explained}`);
  const answers = await csvOf("Answers side by side, power.jsonl: download CSV");
  check(answers.startsWith("answers-power.csv\nid,system,prompt,intervention,text,finish\r\np1,") && answers.includes("I take charge."), `answers can be taken as CSV: ${answers}`);
  const wrote = await csvOf("What the model wrote: download CSV");
  check(wrote.startsWith("responses.csv\nvalue,condition,expresses,probability,"), `responses can be taken as CSV: ${wrote.slice(0, 80)}`);
  check((await text("#steering .tools .made >> nth=-1")).includes("some options are not kept in the file"), "a command that is not whole says so");
}

/** Legends show the points that the drawing has, on the page and in what is saved. */
async function legends() {
  for (const [id, symbols] of [["separation", "circle,diamond"], ["neuron-counts", "circle,diamond,square"]]) {
    const of = (selector) => page.locator(`#${id} ${selector}`).evaluateAll((all) => all.map((one) => one.dataset.symbol).sort().join());
    check((await of(".legend [data-symbol]")) === symbols, `the legend of ${id} shows ${symbols}, not ${await of(".legend [data-symbol]")}`);
    const saved = (await download(id, "SVG")).contents.toString();
    check(symbols.split(",").every((symbol) => saved.includes(`data-symbol="${symbol}"`)), `the saved picture of ${id} shows them, too`);
  }
}

async function sentenceOfSeparation() {
  check((await text("#separation .readout")) === "Layer 3: 17 of 17 intervals lie above chance; 2 more rest on fewer than 5 held-out responses of a class and do not count.", `intervals of few responses do not count: ${await text("#separation .readout")}`);
}

/** The page with other numbers in it than its figures can draw. */
async function brokenPage() {
  const html = readFileSync(address).toString();
  const model = /(<script type="application\/json" id="model">)(.*?)(<\/script>)/s;
  const broken = JSON.parse(model.exec(html)[2]);
  broken.geometry.value_cosine.intrinsic = [];
  broken.neurons.values = 1;
  const file = join(screenshots, "broken.html");
  writeFileSync(file, html.replace(model, (_, begin, __, end) => begin + JSON.stringify(broken).replaceAll("<", "\\u003c") + end));
  const silent = said.length;
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector("html[data-ready]");
  await page.waitForSelector("#layer-cosines .plot svg", { timeout: 5000 }).catch(() => check(false, "a figure after one that fails is drawn"));
  check((await text("#value-cosines .plot")).startsWith("This cannot be shown: "), `a figure that fails says so: ${await text("#value-cosines .plot")}`);
  check((await page.locator("#value-cosines .plot svg").count()) === 0, "it shows nothing else");
  check((await page.locator("section", { hasText: 'The part "Neurons" cannot be shown: ' }).count()) === 1, "a part that fails is named by its title");
  check((await page.locator("section#evaluations").count()) === 1, "the parts after it are there");
  check(said.length > silent, "the console says why");
  said.length = silent;
}

/** A server that answers, but with an error. */
async function serverFails() {
  const silent = said.length;
  await page.route("**/state.json", (route) => route.fulfill({ status: 500, contentType: "text/plain", body: "run.sqlite is locked" }));
  const told = await page.waitForFunction(() => document.querySelector("#live span").textContent.includes("run.sqlite is locked"), null, { timeout: 15000 }).then(() => true, () => false);
  check(told, `what the server says is shown: ${await text("#live span")}`);
  await page.unroute("**/state.json");
  await page.waitForFunction(() => document.querySelector("#live span").textContent.includes("finished"), null, { timeout: 15000 }).catch(() => check(false, "the page goes on when the server does"));
  said.length = silent;
}

async function reachable() {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input")].filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length)).map((one) => one.outerHTML.slice(0, 80)));
  check(nameless.length === 0, `every control has a name: ${nameless.join(", ")}`);
  const twice = await page.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    return ids.filter((id, i) => ids.indexOf(id) !== i);
  });
  check(twice.length === 0, `every id is there once: ${twice.join(", ")}`);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Tab");
  check((await page.evaluate(() => document.activeElement.tagName)) !== "BODY", "the keyboard reaches the controls");
}

if (mode === "disk") {
  await page.goto(pathToFileURL(address).href);
  await opened();
  await nothingHostile();
  await sections();
  await contrast("light");
  await contrast("dark");
  await looks();
  await circleNames("1280 pixels");
  await heatMaps();
  await sentenceOfSeparation();
  await legends();
  await sliders();
  await tables();
  await steering();
  await textsAsCsv();
  await downloads();
  await reachable();
  await brokenPage();
  const outside = requests.filter((url) => !/^(file|data|blob):/.test(url));
  check(outside.length === 0, `no network request: ${outside.join(", ")}`);
} else {
  await page.goto(address);
  await opened();
  await page.waitForFunction(() => document.querySelector("#live span").textContent.includes("finished"));
  await staysWithTheReader();
  await serverFails();
  check(requests.every((url) => url.startsWith(address) || url.startsWith("data:")), `a live page asks its own server alone: ${requests.join(", ")}`);
}
check(said.length === 0, `the console stayed silent, but it said: ${said.join(" | ")}`);
await browser.close();
console.log(failures === 0 ? `page (${mode}): all checks hold` : `page (${mode}): ${failures} checks failed`);
process.exit(failures === 0 ? 0 : 1);
