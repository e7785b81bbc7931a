// Shows the network and its state, asked for twice a second; its buttons kill and revive.

import { showLoad } from "./load.js";

const EVERY_MS = 500;
const HITS = ["hit", "stale_hit", "revalidated", "collapsed", "partial"];

const OLD_S = 3;
const EVENTS = 8;

let known = { routers: [], sites: [], origins: [], observers: [] };
let last = "";
let path = [];
let explained = "";

const element = (id) => document.getElementById(id);

export const siteOf = (name) =>
  known.sites.find((site) => site.servers.some((server) => server.name === name))?.name ?? "";

export const serverAt = (url) => {
  const origin = new URL(url).origin;
  for (const site of known.sites) {
    const found = site.servers.find((server) => server.url === origin);
    if (found) return found.name;
  }
  return "";
};

function make(tag, text, ...classes) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.classList.add(...classes);
  return made;
}

/** Have the demo do something, and show what came of it. */
export async function order(action, what) {
  const response = await fetch(`api/${action}/${what}`, {
    method: "POST",
    headers: { "X-Headrace-Demo": "1" },
  });
  if (response.ok) show(await response.json());
}

async function press(action, name, button) {
  button.disabled = true;
  try {
    await order(action, name);
  } finally {
    button.disabled = false;
  }
}

async function explain(name) {
  explained = name;
  const close = make("button", "close");
  close.type = "button";
  close.addEventListener("click", () => {
    explained = "";
    element("why").hidden = true;
  });
  const head = make("div", "", "site-name");
  head.append(make("strong", `Why ${name} is as it is`), close);
  element("why").replaceChildren(head, document.createElement("ul"));
  await renewReasons();
  element("why").hidden = explained === "";
}

/** Show the reasons of now, if any are shown: what was observed is soon no longer so. */
async function renewReasons() {
  const name = explained;
  if (!name) return;
  const response = await fetch(`api/why/${name}`);
  const lines = response.ok ? (await response.json()).lines : [await response.text()];
  // Another server was pressed meanwhile.
  if (name !== explained) return;
  element("why").querySelector("ul").replaceChildren(...lines.map((line) => make("li", line)));
}

function switchFor(name, runs, label) {
  const button = make("button", runs ? "kill" : "revive", runs ? "kill" : "revive");
  button.type = "button";
  button.setAttribute("aria-label", `${runs ? "kill" : "revive"} ${label}`);
  button.addEventListener("click", () => press(runs ? "stop" : "start", name, button));
  return button;
}

function machine(item, state, label) {
  const box = make("div", "", "machine", `is-${state}`);
  box.id = `machine-${item.name}`;
  box.append(make("strong", item.name), label ?? make("span", state, "state"));
  box.append(switchFor(item.name, item.runs, item.name));
  return box;
}

function server(item) {
  // A killed server is for the observers what they see of it: at first it is still online.
  const state = item.state || "unknown";
  const weight = state === "recovering" ? ` ${Math.round(item.weight * 100)} %` : "";
  const label = make("button", state + weight, "state");
  label.type = "button";
  label.title = item.reasons.join(", ") || "why?";
  label.setAttribute("aria-label", `why ${item.name} is ${state}`);
  label.addEventListener("click", () => explain(item.name));
  return machine(item, state, label);
}

function siteBox(site) {
  const box = make("div", "", "site");
  const head = make("div", "", "site-name");
  const anyRuns = site.servers.some((one) => one.runs);
  head.append(make("strong", site.name), switchFor(site.name, anyRuns, `site ${site.name}`));
  box.append(head, ...site.servers.map(server));
  return box;
}

function drawMap() {
  const edges = known.sites.filter((site) => site.name !== "mid");
  const mid = known.sites.filter((site) => site.name === "mid");
  const plain = (item) => machine(item, item.runs ? "up" : "killed");
  const tiers = [
    ["Router", known.routers.map(plain), "Observers", known.observers.map(plain)],
    ["Sites for viewers", edges.map(siteBox)],
    ["Between", mid.map(siteBox), "Somebody else's CDN", [plain(known.cloud)]],
    ["Origins", known.origins.map(plain)],
  ];
  element("map").replaceChildren(
    ...tiers.map(([title, boxes, second, more]) => {
      const tier = make("div", "", "tier");
      tier.append(make("h3", title), ...boxes);
      if (second) tier.append(make("h3", second), ...more);
      return tier;
    }),
  );
}

function ratioRow(title, servers) {
  let asked = 0;
  let hits = 0;
  for (const { requests } of servers) {
    for (const [word, count] of Object.entries(requests)) {
      if (word === "error") continue;
      asked += count;
      if (HITS.includes(word)) hits += count;
    }
  }
  const row = document.createElement("tr");
  const ratio = asked ? hits / asked : 0;
  const meter = document.createElement("meter");
  meter.value = ratio;
  meter.setAttribute("aria-label", `hit ratio of ${title}`);
  const bar = document.createElement("td");
  bar.append(meter);
  row.append(
    make("td", title),
    make("td", asked.toLocaleString(), "number"),
    make("td", asked ? `${Math.round(ratio * 100)} %` : "–", "number"),
    bar,
  );
  return row;
}

function drawRatios() {
  element("ratios").replaceChildren(
    ...known.sites.map((site) => ratioRow(site.name, site.servers)),
  );
}

function drawPath() {
  for (const box of document.querySelectorAll(".machine")) {
    box.classList.toggle("path", path.includes(box.id.replace("machine-", "")));
  }
}

/** Mark the machines that the last segment came through. */
export function showPath(names) {
  path = names;
  drawPath();
}

function drawLoop({ loop, observers }) {
  const words = [];
  if (!observers.some((one) => one.runs)) {
    words.push("No observer runs: everybody goes by the last view.");
  } else if (loop.age_s === null || loop.age_s > OLD_S) words.push("The observers do not answer yet.");
  else if (!loop.decides) words.push("The observers listen to each other.");
  else words.push(`${loop.decides} decides.`);
  if (loop.frozen) words.push("Frozen: nothing changes the view.");
  words.push(...loop.alarms.map((text) => `Alarm: ${text}`));
  element("loop").textContent = words.join(" ");
}

function show(state) {
  known = state;
  const shape = JSON.stringify([
    state.sites.map((site) => site.servers.map((s) => [s.runs, s.state, s.weight, s.reasons])),
    [state.origins, state.routers, state.observers, state.cloud.runs],
  ]);
  if (shape !== last) {
    last = shape;
    drawMap();
    drawPath();
  }
  drawRatios();
  element("changes").replaceChildren(
    ...(state.changes.length ? state.changes : ["nothing yet"])
      .slice(0, EVENTS)
      .map((text) => make("li", text)),
  );
  drawLoop(state);
  showLoad(state);
}

/** Get the state once, and keep it current from then on. */
export async function follow() {
  const ask = async () => {
    const response = await fetch("api/state");
    if (!response.ok) throw new Error(`the demo answered ${response.status}`);
    show(await response.json());
  };
  await ask();
  const again = async () => {
    try {
      await ask();
      await renewReasons();
      element("problem").hidden = element("problem").dataset.by === "network" || element("problem").hidden;
    } catch {
      element("problem").textContent = "The demo does not answer. Is it still running?";
      element("problem").dataset.by = "network";
      element("problem").hidden = false;
    }
    setTimeout(again, EVERY_MS);
  };
  setTimeout(again, EVERY_MS);
  return known;
}
