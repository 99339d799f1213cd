// Connects to the device, and shows what it sends.

import { Faces } from "/faces.js";
import { Timeline } from "/timeline.js";

const SILENCE = 5000; // the status comes every second
const FACES_EVERY = 200;
const HOT = 80; // degrees Celsius at which a Raspberry Pi begins to slow itself down
const STATES = {
  reading: "Live",
  opening: "Opening the source",
  waiting: "Waiting to be opened again",
};

const at = (id) => document.getElementById(id);
const faces = new Faces();
const timeline = new Timeline();
let events = null;
let heard = performance.now();
let retry = 1000;
let waiting = 0; // the timer of the next try
let paused = false;
let facesShown = 0;
let state = "connecting";
let trouble = "";
let arriving = 0; // the timer that waits for the stream's first picture

// Connection

function connect() {
  clearTimeout(waiting);
  waiting = 0;
  heard = performance.now();
  events?.close();
  events = new EventSource("/events?history");
  events.onmessage = (message) => {
    back();
    showReading(JSON.parse(message.data));
  };
  events.addEventListener("status", (message) => {
    back();
    showStatus(JSON.parse(message.data));
  });
  events.addEventListener("history", (message) => {
    timeline.fill(JSON.parse(message.data).seconds);
    timeline.draw();
  });
  events.onerror = lose;
}

function back() {
  heard = performance.now();
  if (state !== "lost" && state !== "connecting") return;
  retry = 1000;
  state = "open";
  watch();
}

function lose() {
  events?.close();
  events = null;
  state = "lost";
  watch();
  setState("lost", "Lost");
  notice("Connection lost. Trying again…");
  if (waiting) return;
  waiting = setTimeout(tryAgain, retry);
  retry = Math.min(retry * 2, 10_000);
}

async function tryAgain() {
  waiting = 0;
  try {
    const answer = await fetch("/status", { signal: AbortSignal.timeout(4000) });
    if (answer.status === 401) location.reload(); // started anew with another token
    else connect();
  } catch {
    lose();
  }
}

// The stream is let go while nobody sees it: then nothing is encoded. Its last picture stays.
function watch() {
  const live = at("live");
  const still = at("still");
  const on = !paused && !document.hidden && state === "open";
  if (live.naturalWidth) {
    still.width = live.naturalWidth;
    still.height = live.naturalHeight;
    still.getContext("2d").drawImage(live, 0, 0);
    still.hidden = false;
  }
  live.hidden = true;
  clearInterval(arriving);
  if (!on) {
    live.removeAttribute("src");
    return;
  }
  live.src = `/stream?${Date.now()}`;
  // Browsers differ in the events they send for a picture that never ends.
  arriving = setInterval(() => {
    if (!live.naturalWidth) return;
    clearInterval(arriving);
    live.hidden = false;
    still.hidden = true;
  }, 50);
}

// Showing

function showReading(reading) {
  timeline.add(reading.faces);
  if (paused) return;
  at("screen").style.aspectRatio = `${reading.width} / ${reading.height}`;
  const now = performance.now();
  if (now - facesShown < FACES_EVERY) return;
  facesShown = now;
  faces.show(reading.faces);
}

function showStatus(status) {
  const source = status.source ?? { state: "reading", reason: "" };
  const silent = source.state === "reading" && status.since_last > 3;
  const silence = `No frame for ${Math.round(status.since_last)} s`;
  const text = silent ? silence : STATES[source.state] ?? source.state;
  const brief = silent ? "Silent" : text.split(" ")[0];
  setState(silent ? "waiting" : source.state, paused && brief === "Live" ? "Paused" : brief);
  if (source.state === "waiting") notice(`${text}: ${source.reason}`);
  else if (silent || source.state === "opening") notice(text);
  else notice("");
  showFigures(status, source, text);
}

function setState(name, text) {
  at("state").dataset.state = name;
  if (at("state-text").textContent !== text) at("state-text").textContent = text;
}

// What is wrong goes over the picture, and what is no longer true is dimmed.
function notice(text) {
  trouble = text;
  const shown = text || (paused ? "Paused" : "");
  if (at("notice").textContent !== shown) at("notice").textContent = shown;
  document.body.classList.toggle("stale", Boolean(text));
}

function showFigures(status, source, text) {
  const rows = [
    ["Source", text, source.state !== "reading"],
    ["Frames a second", status.fps.toFixed(1)],
    ["Age of a frame", status.age_ms === null ? null : `${status.age_ms.toFixed(0)} ms`],
  ];
  for (const [name, ms] of Object.entries(status.stages_ms)) {
    rows.push([name[0].toUpperCase() + name.slice(1), `${ms.toFixed(1)} ms`]);
  }
  rows.push(["Frames not read", status.failed || null, true]);
  if (status.source) {
    rows.push(["Frames overtaken", `${source.dropped} of ${source.frames}`]);
    rows.push(["Bad frames", source.bad || null, true]);
    const again = source.reopened;
    rows.push(["Opened again", again ? `${again} ×` : "never", again > 0]);
    rows.push(["Last trouble", source.reason || null]);
  }
  for (const [name, sink] of Object.entries(status.sinks)) {
    if (sink.failed) rows.push([`Not written to ${name}`, sink.failed, true]);
    if (sink.left_out) rows.push([`Too slow: ${name}`, `${sink.left_out} left out`, true]);
  }
  const { model, temperature: heat, throttled } = status.board;
  if (heat !== null) rows.push(["Temperature", `${heat.toFixed(1)} °C`, heat >= HOT]);
  if (throttled) {
    rows.push(["Throttling", throttled.join(", ") || "none", throttled.length > 0]);
  }
  rows.push(["Running for", duration(status.uptime)]);
  rows.push(["Model", status.model || null], ["Board", model]);
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  const list = at("figures");
  while (list.children.length > shown.length) list.lastChild.remove();
  shown.forEach(([name, value, warn], place) => {
    const row = list.children[place] ?? list.appendChild(pair());
    row.classList.toggle("warn", Boolean(warn));
    row.children[0].textContent = name;
    row.children[1].textContent = value;
  });
}

function pair() {
  const row = document.createElement("div");
  row.append(document.createElement("dt"), document.createElement("dd"));
  return row;
}

function duration(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const parts = units.slice(first < 0 ? 3 : first).slice(0, 2);
  return parts.map(([unit, size], place) => {
    const value = place ? Math.floor((seconds % parts[0][1]) / size) : Math.floor(seconds / size);
    return `${value} ${unit}`;
  }).join(" ");
}

// Pausing

function pause() {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause-text").textContent = paused ? "Resume" : "Pause";
  notice(trouble);
  watch();
}

at("pause").addEventListener("click", pause);
at("live").addEventListener("error", () => setTimeout(watch, 5000)); // too many are watching
document.addEventListener("visibilitychange", () => {
  watch();
  timeline.draw();
});
window.addEventListener("resize", () => timeline.draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.draw());
setInterval(() => {
  // A network that is gone without a word breaks no connection.
  if (state !== "lost" && performance.now() - heard > SILENCE) lose();
  if (!document.hidden) timeline.draw();
}, 1000);
connect();
