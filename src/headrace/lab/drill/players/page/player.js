// Plays ?url=…, and says ten times a second to who serves this page where it is, and what has come or failed since.

const video = document.getElementById("video");
const EVERY_MS = 100;
let news = { segments: [], fatal: [], errors: [] };

async function note(frag, payload) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", payload));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  news.segments.push({ path: new URL(frag.url).pathname, sha256 });
}

async function say() {
  const said = { ...news, time_s: video.currentTime };
  news = { segments: [], fatal: [], errors: [] };
  await fetch("said", { method: "POST", body: JSON.stringify(said) });
}

const hls = new Hls({ enableWorker: false, maxBufferLength: 8, maxMaxBufferLength: 8 });
hls.on(Hls.Events.FRAG_LOADED, (_event, { frag, payload }) => note(frag, payload));
hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => {
  (fatal ? news.fatal : news.errors).push(details);
});
hls.loadSource(new URLSearchParams(location.search).get("url"));
hls.attachMedia(video);
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());

// One after another, so that what is said comes in order.
(async () => {
  for (;;) {
    await say();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
})();
