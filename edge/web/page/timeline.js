// The last five minutes: the shares of the emotions, and each face's strongest one.

const SECONDS = 300;
const GUTTER = 56; // room for words on the left, in pixels
const TOP = 8;
const CHART = 128; // where the shares end
const AXIS = 30;
const LANES = 4;
const LANE = 20;
const SMOOTH = 2; // seconds to each side

export class Timeline {
  constructor() {
    this.canvas = document.getElementById("timeline");
    this.legend = document.getElementById("legend");
    this.buckets = new Map(); // second -> { n, shares, faces: id -> emotion }
    this.names = [];
    this.rows = new Map();
    this.told = -Infinity;
  }

  // What the device remembers from before this page was opened.
  fill(seconds) {
    const now = Math.floor(performance.now() / 1000);
    const before = seconds.map(({ ago, n, shares, faces }) => {
      for (const name of Object.keys(shares)) if (!this.names.includes(name)) this.names.push(name);
      return [now - ago, { n, shares, faces: new Map(faces) }];
    });
    const merged = new Map([...this.buckets, ...before]);
    this.buckets = new Map([...merged].sort(([a], [b]) => a - b));
    this.told = -Infinity;
  }

  add(faces) {
    const second = Math.floor(performance.now() / 1000);
    let bucket = this.buckets.get(second);
    if (!bucket) {
      bucket = { n: 0, shares: {}, faces: new Map() };
      this.buckets.set(second, bucket);
      for (const old of this.buckets.keys()) if (old < second - SECONDS) this.buckets.delete(old);
    }
    faces.forEach((face, place) => {
      bucket.n += 1;
      bucket.faces.set(face.id ?? place + 1, face.emotion);
      for (const [name, share] of Object.entries(face.probabilities)) {
        if (!this.names.includes(name)) this.names.push(name);
        bucket.shares[name] = (bucket.shares[name] ?? 0) + share;
      }
    });
  }

  draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    if (!width) return;
    const ids = this.ids();
    const height = CHART + AXIS + LANE * Math.max(ids.length, 1);
    canvas.style.height = `${height}px`;
    const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== columns || canvas.height !== rows) {
      canvas.width = columns;
      canvas.height = rows;
    }
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(`--${name}`).trim();
    const color = (name) => named(name) || named("neutral");
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "middle";
    // Columns end on whole pixels of the screen: else there are seams between them.
    const step = (width - GUTTER) / SECONDS;
    const x = (second) => Math.round((GUTTER + step * second) * ratio) / ratio;
    this.drawGrid(pen, x, color);
    this.drawShares(pen, x, color);
    this.drawLanes(pen, x, color, ids);
    this.tell();
  }

  drawGrid(pen, x, color) {
    const right = x(SECONDS);
    pen.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      const y = TOP + (CHART - TOP) * (1 - share);
      pen.fillStyle = color("line");
      pen.fillRect(GUTTER, y, right - GUTTER, 1);
      pen.fillStyle = color("quiet");
      pen.fillText(`${100 * share} %`, GUTTER - 8, y);
    }
    for (let minute = 0; minute <= 5; minute += 1) {
      const place = Math.min(x(60 * minute), right - 1);
      pen.fillStyle = color("line");
      pen.fillRect(place, TOP, 1, CHART - TOP + 4);
      pen.fillStyle = color("quiet");
      pen.textAlign = minute === 0 ? "left" : minute === 5 ? "right" : "center";
      const words = [right < 500 ? "5 min" : "5 min ago", "4", "3", "2", "1", "now"];
      pen.fillText(words[minute], place, CHART + 14);
    }
  }

  // Each second's shares are averaged with its neighbours': calmer, and gaps stay gaps.
  drawShares(pen, x, color) {
    const first = this.first();
    for (let second = 0; second < SECONDS; second += 1) {
      if (!this.buckets.get(first + second)?.n) continue;
      const sums = {};
      let n = 0;
      for (let near = second - SMOOTH; near <= second + SMOOTH; near += 1) {
        const bucket = this.buckets.get(first + near);
        if (!bucket) continue;
        n += bucket.n;
        for (const [name, sum] of Object.entries(bucket.shares)) {
          sums[name] = (sums[name] ?? 0) + sum;
        }
      }
      let y = CHART;
      for (const name of [...this.names].reverse()) {
        const tall = ((sums[name] ?? 0) / n) * (CHART - TOP);
        pen.fillStyle = color(name);
        pen.fillRect(x(second), y - tall, x(second + 1) - x(second), tall);
        y -= tall;
      }
    }
  }

  drawLanes(pen, x, color, ids) {
    const first = this.first();
    pen.textAlign = "right";
    ids.forEach((id, place) => {
      const y = CHART + AXIS + place * LANE;
      pen.fillStyle = color("quiet");
      pen.fillText(`Face ${id}`, GUTTER - 8, y + LANE / 2);
      pen.fillStyle = color("track");
      pen.fillRect(GUTTER, y + 4, x(SECONDS) - GUTTER, LANE - 8);
      for (let second = 0; second < SECONDS; second += 1) {
        const emotion = this.buckets.get(first + second)?.faces.get(id);
        if (!emotion) continue;
        pen.fillStyle = color(emotion);
        pen.fillRect(x(second), y + 4, x(second + 1) - x(second), LANE - 8);
      }
    });
  }

  first() {
    return Math.floor(performance.now() / 1000) - SECONDS + 1;
  }

  // The faces that get a lane: those seen last.
  ids() {
    const seen = new Map();
    for (const [second, bucket] of this.buckets) {
      for (const id of bucket.faces.keys()) seen.set(id, second);
    }
    const latest = [...seen].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, LANES);
    return latest.map(([id]) => id).sort((a, b) => a - b);
  }

  // The same in words, brought up to date every five seconds.
  tell() {
    const now = performance.now();
    if (now - this.told < 5000) return;
    this.told = now;
    const sums = Object.fromEntries(this.names.map((name) => [name, 0]));
    let n = 0;
    for (const bucket of this.buckets.values()) {
      n += bucket.n;
      for (const name of this.names) sums[name] += bucket.shares[name] ?? 0;
    }
    const words = [];
    for (const name of this.names) {
      const share = n ? `${Math.round((100 * sums[name]) / n)} %` : "–";
      this.row(name).textContent = share;
      words.push([sums[name], `${name} ${share}`]);
    }
    words.sort((a, b) => b[0] - a[0]);
    const list = words.map(([, text]) => text).join(", ");
    const label = n ? `Shares in the last 5 minutes: ${list}` : "No face in the last 5 minutes.";
    this.canvas.setAttribute("aria-label", label);
  }

  row(name) {
    let value = this.rows.get(name);
    if (!value) {
      const item = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = `var(--${name}, var(--neutral))`;
      const label = document.createElement("span");
      label.className = "name";
      label.textContent = name;
      value = document.createElement("span");
      item.append(swatch, label, value);
      this.legend.append(item);
      this.rows.set(name, value);
    }
    return value;
  }
}
