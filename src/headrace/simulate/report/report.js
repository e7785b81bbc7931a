"use strict";
// Plots lines over time on canvases. All plots share one span of time; dragging zooms.
const plots = JSON.parse(document.getElementById("data").textContent);
const times = plots.at_s;
const end = times.length > 1 ? 2 * times[times.length - 1] - times[times.length - 2] : 1;
const whole = [times[0] ?? 0, end];
let shown = whole.slice();
const COLOURS = ["#3b7dd8", "#d9632b", "#2f9e5b", "#a24bc4", "#c79a1a", "#cf3f5c",
  "#3aa6b0", "#7a6ad6", "#8a8f3a", "#b0672f", "#5c7f99", "#c2569b"];
const LEFT = 76, RIGHT = 28, TOP = 10, BOTTOM = 24;

function written(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "%") return (100 * value).toPrecision(3) + " %";
  for (const prefix of ["", "k", "M", "G", "T", "P"]) {
    if (Math.abs(value) < 1000) return +value.toPrecision(3) + " " + prefix + unit;
    value /= 1000;
  }
  return value.toPrecision(3) + " E" + unit;
}

function clock(seconds) {
  const sign = seconds < 0 ? "-" : "", all = Math.abs(Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  return sign + Math.floor(all / 3600) + ":" + two(Math.floor(all / 60) % 60) + ":" + two(all % 60);
}

function steps(from, to, about) {
  const rough = (to - from) / about || 1, power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(from / size) * size; at <= to + size * 1e-9; at += size) found.push(at);
  return found;
}

function timeSteps(from, to) {
  const sizes = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];
  const size = sizes.find((one) => (to - from) / one <= 9) ?? 7 * 86400;
  const found = [];
  for (let at = Math.ceil(from / size) * size; at <= to; at += size) found.push(at);
  return found;
}

function indexOf(time) {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time) low = middle; else high = middle - 1;
  }
  return low;
}

class Plot {
  constructor(chart, place) {
    this.chart = chart;
    this.hidden = new Set();
    this.cursor = this.dragged = null;
    place.insertAdjacentHTML("beforeend", "<section><h2></h2><p></p><canvas></canvas>" +
      "<div class=legend></div><div class=read></div></section>");
    const section = place.lastElementChild;
    section.querySelector("h2").textContent = chart.title;
    section.querySelector("p").textContent = chart.about;
    this.canvas = section.querySelector("canvas");
    this.read = section.querySelector(".read");
    chart.lines.forEach((line, number) => this.addName(section.querySelector(".legend"), line, number));
    this.canvas.addEventListener("pointerdown", (event) => {
      this.dragged = this.timeAt(event);
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => this.moved(event));
    this.canvas.addEventListener("pointerup", (event) => this.released(event));
    this.canvas.addEventListener("pointerleave", () => { this.cursor = null; drawAll(); });
    this.canvas.addEventListener("dblclick", () => { shown = whole.slice(); drawAll(); });
  }

  addName(legend, line, number) {
    const button = document.createElement("button"), mark = document.createElement("i");
    mark.style.background = COLOURS[number % COLOURS.length];
    button.append(mark, line.name);
    button.addEventListener("click", () => {
      if (!this.hidden.delete(number)) this.hidden.add(number);
      button.classList.toggle("off", this.hidden.has(number));
      this.draw();
    });
    legend.append(button);
  }

  timeAt(event) {
    const box = this.canvas.getBoundingClientRect(), width = box.width - LEFT - RIGHT;
    const share = Math.min(1, Math.max(0, (event.clientX - box.left - LEFT) / width));
    return shown[0] + share * (shown[1] - shown[0]);
  }

  moved(event) {
    for (const one of all) one.cursor = this.timeAt(event);
    drawAll();
  }

  released(event) {
    const from = this.dragged, to = this.timeAt(event);
    this.dragged = null;
    if (from !== null && Math.abs(to - from) > (shown[1] - shown[0]) / 100) {
      shown = [Math.min(from, to), Math.max(from, to)];
    }
    drawAll();
  }

  draw() {
    const scale = devicePixelRatio || 1, canvas = this.canvas, chart = this.chart;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif";
    const first = Math.max(0, indexOf(shown[0])), last = indexOf(shown[1]);
    const lines = chart.lines.map((line, number) => [line, number]).filter(([, number]) => !this.hidden.has(number));
    let top = chart.limit ?? 0;
    for (const [line] of lines) for (let at = first; at <= last; at++) top = Math.max(top, line.values[at] ?? 0);
    top = top * 1.05 || 1;
    const x = (time) => LEFT + (time - shown[0]) / (shown[1] - shown[0]) * (width - LEFT - RIGHT);
    const y = (value) => height - BOTTOM - value / top * (height - TOP - BOTTOM);
    const stroke = (ink, dash, path) => {
      pen.strokeStyle = ink; pen.setLineDash(dash); pen.beginPath(); path(); pen.stroke(); pen.setLineDash([]);
    };
    pen.fillStyle = colour("--soft");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const value of steps(0, top, 5)) {
      stroke(colour("--line"), [], () => { pen.moveTo(LEFT, y(value)); pen.lineTo(width - RIGHT, y(value)); });
      pen.fillText(written(value, chart.unit), LEFT - 6, y(value));
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const time of timeSteps(...shown)) pen.fillText(clock(time), x(time), height - BOTTOM + 6);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT - RIGHT, height - BOTTOM);
    pen.clip();
    for (const mark of plots.marks) {
      stroke(colour("--mark"), [2, 3], () => { pen.moveTo(x(mark.at_s), TOP); pen.lineTo(x(mark.at_s), height - BOTTOM); });
    }
    if (chart.limit !== null) {
      stroke(colour("--soft"), [6, 4], () => { pen.moveTo(LEFT, y(chart.limit)); pen.lineTo(width, y(chart.limit)); });
    }
    pen.lineWidth = 1.5;
    for (const [line, number] of lines) {
      stroke(COLOURS[number % COLOURS.length], [], () => {
        let begun = false;
        for (let at = Math.max(0, first - 1); at <= Math.min(times.length - 1, last + 1); at++) {
          const value = line.values[at];
          if (value === null) { begun = false; continue; }
          if (begun) pen.lineTo(x(times[at]), y(value)); else pen.moveTo(x(times[at]), y(value));
          begun = true;
        }
      });
    }
    pen.lineWidth = 1;
    if (this.cursor !== null) {
      stroke(colour("--soft"), [], () => { pen.moveTo(x(this.cursor), TOP); pen.lineTo(x(this.cursor), height - BOTTOM); });
    }
    if (this.dragged !== null && this.cursor !== null) {
      pen.globalAlpha = 0.15;
      pen.fillRect(x(this.dragged), TOP, x(this.cursor) - x(this.dragged), height - TOP - BOTTOM);
    }
    pen.restore();
    this.read.textContent = this.cursor === null ? "" : this.said(lines);
  }

  said(lines) {
    const at = indexOf(this.cursor), near = (shown[1] - shown[0]) / 100;
    const values = lines.map(([line]) => line.name + " " + written(line.values[at], this.chart.unit));
    const marks = plots.marks.filter((mark) => Math.abs(mark.at_s - this.cursor) < near);
    return [clock(times[at]), ...values, ...marks.map((mark) => mark.text)].join("  ·  ");
  }
}

const all = plots.charts.map((chart) => new Plot(chart, document.getElementById("plots")));
function drawAll() { for (const one of all) one.draw(); }
addEventListener("resize", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
