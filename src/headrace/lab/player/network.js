// Shows the network and its state, asked for twice a second; its buttons kill and revive.

const EVERY_MS = 500;
const HITS = ["hit", "stale_hit", "revalidated", "collapsed", "partial"];

let known = { routers: [], sites: [], origins: [] };
let last = "";
let path = [];

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

async function press(action, name, button) {
  button.disabled = true;
  try {
    const response = await fetch(`api/${action}/${name}`, {
      method: "POST",
      headers: { "X-Headrace-Demo": "1" },
    });
    if (response.ok) show(await response.json());
  } finally {
    button.disabled = false;
  }
}

function switchFor(name, runs, label) {
  const button = make("button", runs ? "kill" : "revive", runs ? "kill" : "revive");
  button.type = "button";
  button.setAttribute("aria-label", `${runs ? "kill" : "revive"} ${label}`);
  button.addEventListener("click", () => press(runs ? "stop" : "start", name, button));
  return button;
}

function machine(item, state) {
  const box = make("div", "", "machine", state);
  box.id = `machine-${item.name}`;
  box.append(make("strong", item.name), make("span", state, "state"));
  box.append(switchFor(item.name, item.runs, item.name));
  return box;
}

function siteBox(site) {
  const box = make("div", "", "site");
  const head = make("div", "", "site-name");
  const anyRuns = site.servers.some((server) => server.runs);
  head.append(make("strong", site.name), switchFor(site.name, anyRuns, `site ${site.name}`));
  box.append(head);
  for (const server of site.servers) {
    const state = server.runs ? (server.usable ? "up" : "not usable") : "killed";
    box.append(machine(server, state.replace(" ", "-")));
  }
  return box;
}

function drawMap() {
  const edges = known.sites.filter((site) => site.name !== "mid");
  const mid = known.sites.filter((site) => site.name === "mid");
  const plain = (item) => machine(item, item.runs ? "up" : "killed");
  const tiers = [
    ["Router", known.routers.map(plain)],
    ["Sites for viewers", edges.map(siteBox)],
    ["Between", mid.map(siteBox)],
    ["Origins", known.origins.map(plain)],
  ];
  element("map").replaceChildren(
    ...tiers.map(([title, boxes]) => {
      const tier = make("div", "", "tier");
      tier.append(make("h3", title), ...boxes);
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

function show(state) {
  known = state;
  const shape = JSON.stringify([
    state.sites.map((site) => site.servers.map((s) => [s.name, s.runs, s.usable])),
    state.origins,
    state.routers,
  ]);
  if (shape !== last) {
    last = shape;
    drawMap();
    drawPath();
  }
  drawRatios();
  element("changes").replaceChildren(
    ...state.changes.slice(-3).reverse().map((text) => make("li", text)),
  );
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
