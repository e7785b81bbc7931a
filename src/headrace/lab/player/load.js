// The chart of what each site sends, the weights of sites, and the slider that sends a crowd.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 190;
const SHOWN_S = 120;
const SMOOTHED = 4;
const SITES = ["north", "south", "mid", "cloud"];

const element = (id) => document.getElementById(id);
const mbps = (bps) => bps / 1e6;

let sliding = false;

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

/** The mean of each value and those before it: what is counted once a second jumps. */
function smooth(values) {
  return values.map((_value, index) => {
    const some = values.slice(Math.max(0, index - SMOOTHED + 1), index + 1);
    return some.reduce((sum, one) => sum + one, 0) / some.length;
  });
}

function drawChart({ chart, sites }) {
  const lines = SITES.map((site) => smooth(chart.map(([, loads]) => loads[site] ?? 0)));
  const highest = Math.max(...lines.flat(), ...sites.map((site) => site.target_bps), 1e6) * 1.15;
  const x = (age) => WIDTH * (1 - age / SHOWN_S);
  const y = (bps) => HEIGHT - (HEIGHT * bps) / highest;
  const drawn = [];
  for (const { name, target_bps: target } of sites) {
    if (!target) continue;
    const line = { x1: 0, x2: WIDTH, y1: y(target), y2: y(target), class: `target of-${name}` };
    drawn.push(shape("line", line));
  }
  lines.forEach((line, number) => {
    const points = line.map((bps, index) => `${x(chart[index][0]).toFixed(1)},${y(bps).toFixed(1)}`);
    drawn.push(shape("polyline", { points: points.join(" "), class: `load of-${SITES[number]}` }));
  });
  const top = 10 * Math.floor(mbps(highest) / 10) || Math.floor(mbps(highest));
  drawn.push(shape("text", { x: 4, y: Math.max(y(top * 1e6), 12) }, `${top} Mbit/s`));
  drawn.push(shape("text", { x: WIDTH - 4, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
  element("chart").replaceChildren(...drawn);
}

function row(name, load, target, weight) {
  const made = document.createElement("tr");
  const cells = [
    [name, `of-${name}`],
    [mbps(load).toFixed(1), "number"],
    [target ? mbps(target).toFixed(0) : "–", "number"],
    [`${Math.round(weight * 100)} %`, "number"],
  ];
  for (const [text, style] of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.classList.add(style);
    made.append(cell);
  }
  const meter = document.createElement("meter");
  meter.value = weight;
  meter.setAttribute("aria-label", `weight of ${name}`);
  const last = document.createElement("td");
  last.append(meter);
  made.append(last);
  return made;
}

function drawTable({ sites, cloud, weights, chart }) {
  const recent = (name) => smooth(chart.slice(-SMOOTHED).map(([, loads]) => loads[name] ?? 0)).at(-1) ?? 0;
  element("loads").replaceChildren(
    ...sites.map((site) => row(site.name, recent(site.name), site.target_bps, weights[site.name] ?? 0)),
    row(cloud.name, recent(cloud.name), 0, weights[cloud.name] ?? 0),
  );
}

/** Show what sites send and how clients are shared. */
export function showLoad(state) {
  drawChart(state);
  drawTable(state);
  const { viewers, wanted, most } = state.crowd;
  const slider = element("viewers");
  slider.max = most;
  if (!sliding) slider.value = wanted;
  element("crowd").textContent = viewers === wanted ? `${viewers} viewers` : `${viewers} viewers, ${wanted} wanted`;
  const button = element("automation");
  button.textContent = state.loop.frozen ? "thaw" : "freeze";
  button.disabled = state.loop.age_s === null;
}

/** Have the slider and the button do what they say; `order` tells the demo. */
export function steer(order) {
  const slider = element("viewers");
  slider.addEventListener("input", () => {
    sliding = true;
    element("crowd").textContent = `${slider.value} viewers wanted`;
  });
  slider.addEventListener("change", async () => {
    try {
      await order("viewers", slider.value);
    } finally {
      sliding = false;
    }
  });
  const button = element("automation");
  button.addEventListener("click", () => order("automation", button.textContent));
}
