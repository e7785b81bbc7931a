// Plays ?url=… with ?player=hls|dash|shaka, &buffer=… seconds ahead. What came, and what failed for good, is in `seen`.

// In the fragment where the page's own server takes no query.
const parameters = new URLSearchParams(location.search || location.hash.slice(1));
const video = document.getElementById("video");
const url = parameters.get("url");
const buffer = Number(parameters.get("buffer") ?? 8);

globalThis.seen = { segments: [], fatal: [], steering: [] };

function segment(found) {
  if (/\.(m4s|mp4)(\?|$)/.test(found)) seen.segments.push(found);
}

function library(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `vendor/${name}.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${name}.js is missing: run make test`));
    document.head.append(script);
  });
}

const players = {
  async hls() {
    const hls = new Hls({ enableWorker: false, maxBufferLength: buffer, maxMaxBufferLength: buffer });
    hls.on(Hls.Events.FRAG_LOADED, (_event, { frag, networkDetails }) => {
      segment(networkDetails?.responseURL || frag.url);
    });
    hls.on(Hls.Events.STEERING_MANIFEST_LOADED, (_event, data) => {
      seen.steering.push(data.steeringManifest);
    });
    hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => {
      if (fatal) seen.fatal.push(details);
    });
    hls.loadSource(url);
    hls.attachMedia(video);
  },
  async dash() {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({
      streaming: { buffer: { bufferTimeDefault: 8, bufferTimeAtTopQuality: 8, initialBufferLevel: 2 } },
    });
    player.on("fragmentLoadingCompleted", ({ request, response }) => {
      if (response) segment(request.url);
    });
    player.on("contentSteeringRequestCompleted", ({ currentSteeringResponseData }) => {
      seen.steering.push(currentSteeringResponseData);
    });
    player.on("error", ({ error }) => {
      // A segment that did not come: it is then asked for elsewhere.
      if (error.code === 27) return;
      seen.fatal.push(error.message);
    });
    player.initialize(video, url, false);
  },
  async shaka() {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    await player.attach(video);
    // Two tries, the default, can both be over before it has steered away on a busy machine.
    const retryParameters = { maxAttempts: 6 };
    player.configure({ streaming: { bufferingGoal: 8, rebufferingGoal: 2, retryParameters } });
    player.getNetworkingEngine().registerResponseFilter((type, response) => {
      const { SEGMENT, CONTENT_STEERING } = shaka.net.NetworkingEngine.RequestType;
      if (type === SEGMENT) segment(response.uri);
      if (type === CONTENT_STEERING) seen.steering.push(new TextDecoder().decode(response.data));
    });
    player.addEventListener("error", ({ detail }) => {
      if (detail.severity === shaka.util.Error.Severity.CRITICAL) seen.fatal.push(`${detail.code}`);
    });
    await player.load(url);
  },
};

const name = parameters.get("player");
await library(name);
await players[name]();
await video.play();
