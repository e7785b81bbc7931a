// Plays the sample through the router with hls.js, and shows what each segment did.

import { sourceOf } from "./cache-status.js";
import { steer } from "./load.js";
import { follow, order, serverAt, showPath, siteOf } from "./network.js";

const MOST_ROWS = 300;
const WAYS = { steering: "/media/steering.m3u8", redirect: "/media/redirect.m3u8" };

const element = (id) => document.getElementById(id);
const video = element("video");
let received = 0;
let hls = null;

function complain(text) {
  element("problem").textContent = text;
  element("problem").dataset.by = "player";
  element("problem").hidden = false;
}

function takeBack() {
  if (element("problem").dataset.by === "player") element("problem").hidden = true;
}

function cell(text, ...classes) {
  const made = document.createElement("td");
  made.textContent = text;
  made.classList.add(...classes);
  return made;
}

function addRow(segment) {
  const row = document.createElement("tr");
  const from = segment.at && segment.from !== "own store" ? `${segment.from} (${segment.at})` : segment.from;
  const source = cell(from || "–", `from-${segment.from.replace(" ", "-") || "unknown"}`);
  source.title = segment.status;
  row.append(
    cell(new Date().toLocaleTimeString()),
    cell(segment.name),
    cell(segment.rendition),
    cell(segment.bytes.toLocaleString(), "number"),
    cell(segment.milliseconds.toFixed(0), "number"),
    cell(segment.server ? `${segment.server}, ${siteOf(segment.server)}` : "–"),
    source,
  );
  const rows = element("rows");
  rows.prepend(row);
  if (rows.rows.length > MOST_ROWS) rows.lastElementChild.remove();
}

function showBuffer() {
  const { buffered, currentTime } = video;
  let ahead = 0;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) {
      ahead = buffered.end(i) - currentTime;
    }
  }
  element("buffer").textContent = `${ahead.toFixed(1)} s`;
}

function offerRenditions() {
  const choice = element("rendition");
  choice.length = 1;
  hls.levels.forEach((level, index) => {
    choice.add(new Option(`${level.height}p, ${Math.round(level.bitrate / 1000)} kbit/s`, index));
  });
}

function onSegment({ frag, networkDetails }) {
  takeBack();
  const status = networkDetails?.getResponseHeader("Cache-Status") ?? "";
  const found = sourceOf(status, siteOf);
  const { loaded, loading } = frag.stats;
  const level = hls.levels[frag.level];
  received += loaded;
  const server = found.server || serverAt(networkDetails?.responseURL || frag.url);
  element("received").textContent = `${Math.round(received / 1000).toLocaleString()} kB`;
  element("pathway").textContent = server ? `${server}, ${siteOf(server)}` : "–";
  showPath(found.through);
  addRow({
    name: new URL(frag.url).pathname.split("/").pop(),
    rendition: frag.type === "audio" ? "audio" : `${level?.height ?? "?"}p`,
    bytes: loaded,
    milliseconds: loading.end - loading.start,
    status,
    ...found,
    server,
  });
}

function play(router, way) {
  hls?.destroy();
  // A short buffer: what is broken is then soon to be seen. Nothing is kept of what was played, so
  // that it is asked for again from the start. Start low, to see the rise.
  hls = new Hls({
    enableWorker: false,
    startLevel: 0,
    capLevelToPlayerSize: false,
    maxBufferLength: 8,
    maxMaxBufferLength: 8,
    backBufferLength: 0,
  });
  hls.on(Hls.Events.MANIFEST_PARSED, offerRenditions);
  hls.on(Hls.Events.FRAG_LOADED, (_event, data) => onSegment(data));
  hls.on(Hls.Events.FRAG_CHANGED, (_event, { frag }) => {
    if (frag.type === "main") element("playing").textContent = `${hls.levels[frag.level]?.height}p`;
  });
  hls.on(Hls.Events.ERROR, (_event, { fatal, type, details }) => {
    if (!fatal) return;
    if (type !== Hls.ErrorTypes.NETWORK_ERROR) {
      complain(`Playback stopped: ${details}.`);
      return;
    }
    complain(`Nobody answers the player (${details}). It asks again each second.`);
    const failed = hls;
    setTimeout(() => {
      if (hls === failed) hls.startLoad();
    }, 1000);
  });
  hls.loadSource(router + WAYS[way]);
  hls.attachMedia(video);
  // A browser may refuse to start without a click; the controls are there for that.
  video.play().catch((error) => {
    if (error.name !== "NotAllowedError" && error.name !== "AbortError") complain(error.message);
  });
}

async function begin() {
  steer(order);
  if (!globalThis.Hls?.isSupported()) {
    complain("This browser cannot play the video: it has no Media Source Extensions.");
    await follow();
    return;
  }
  const { router } = await follow();
  const way = element("way");
  way.addEventListener("change", () => play(router, way.value));
  element("rendition").addEventListener("change", (event) => {
    hls.nextLevel = Number(event.target.value);
  });
  video.addEventListener("timeupdate", showBuffer);
  video.addEventListener("progress", showBuffer);
  video.addEventListener("ended", () => {
    if (!element("loop").checked) return;
    video.currentTime = 0;
    video.play();
  });
  play(router, way.value);
}

begin().catch((error) => complain(error.message));
