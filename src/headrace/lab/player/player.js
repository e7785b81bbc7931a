// Plays the sample with hls.js and shows what each segment did at the edge.

import { verdictOf } from "./cache-status.js";

const SOURCE = "media/master.m3u8";
const MOST_ROWS = 300;

const element = (id) => document.getElementById(id);
const video = element("video");
const totals = { hit: 0, miss: 0, bytes: 0 };

function complain(text) {
  element("problem").textContent = text;
  element("problem").hidden = false;
}

function cell(text, ...classes) {
  const made = document.createElement("td");
  made.textContent = text;
  made.classList.add(...classes);
  return made;
}

function addRow(segment) {
  const row = document.createElement("tr");
  const edge = cell(segment.verdict || "–", segment.verdict || "unknown");
  edge.title = segment.why;
  row.append(
    cell(new Date().toLocaleTimeString()),
    cell(segment.name),
    cell(segment.rendition),
    cell(segment.bytes.toLocaleString(), "number"),
    cell(segment.milliseconds.toFixed(0), "number"),
    edge,
    cell(segment.age ?? "–", "number"),
  );
  const rows = element("rows");
  rows.prepend(row);
  if (rows.rows.length > MOST_ROWS) rows.lastElementChild.remove();
}

function count(segment) {
  totals.bytes += segment.bytes;
  if (segment.verdict) totals[segment.verdict] += 1;
  element("hits").textContent = totals.hit;
  element("misses").textContent = totals.miss;
  element("received").textContent = `${Math.round(totals.bytes / 1000).toLocaleString()} kB`;
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

function offerRenditions(hls) {
  const choice = element("rendition");
  hls.levels.forEach((level, index) => {
    choice.add(new Option(`${level.height}p, ${Math.round(level.bitrate / 1000)} kbit/s`, index));
  });
  choice.addEventListener("change", () => {
    hls.nextLevel = Number(choice.value);
  });
}

function onSegment(hls, { frag, networkDetails }) {
  const header = (name) => networkDetails?.getResponseHeader(name);
  const { loaded, loading } = frag.stats;
  const level = hls.levels[frag.level];
  const segment = {
    name: new URL(frag.url).pathname.split("/").pop(),
    rendition: frag.type === "audio" ? "audio" : `${level.height}p`,
    bytes: loaded,
    milliseconds: loading.end - loading.start,
    age: header("Age"),
    ...verdictOf(header("Cache-Status")),
  };
  addRow(segment);
  count(segment);
}

function play() {
  // Start low, so that the rise to the best rendition can be seen.
  const hls = new Hls({ enableWorker: false, startLevel: 0, capLevelToPlayerSize: false });
  hls.on(Hls.Events.MANIFEST_PARSED, () => offerRenditions(hls));
  hls.on(Hls.Events.FRAG_LOADED, (_event, data) => onSegment(hls, data));
  hls.on(Hls.Events.FRAG_CHANGED, (_event, { frag }) => {
    if (frag.type === "main") element("playing").textContent = `${hls.levels[frag.level].height}p`;
  });
  hls.on(Hls.Events.ERROR, (_event, { fatal, type, details }) => {
    if (!fatal) return;
    complain(`Playback stopped: ${details}. Is the demo still running?`);
    if (type === Hls.ErrorTypes.NETWORK_ERROR) hls.startLoad();
  });
  hls.loadSource(SOURCE);
  hls.attachMedia(video);
  video.addEventListener("timeupdate", showBuffer);
  video.addEventListener("progress", showBuffer);
  // A browser may refuse to start without a click; the controls are there for that.
  video.play().catch((error) => {
    if (error.name !== "NotAllowedError" && error.name !== "AbortError") complain(error.message);
  });
}

if (globalThis.Hls?.isSupported()) {
  play();
} else if (video.canPlayType("application/vnd.apple.mpegurl")) {
  video.src = SOURCE;
  complain("This browser plays HLS by itself and does not tell what each segment did.");
} else {
  complain("This browser cannot play the video: it has no Media Source Extensions.");
}
