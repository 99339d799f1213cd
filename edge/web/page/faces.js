// The faces that are in view now, with all their probabilities.

const percent = (share) => `${Math.round(100 * share)} %`;

function element(tag, name, ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...children);
  return node;
}

const isNamed = (face) => (face.person ?? "unknown") !== "unknown";

function titleOf(face) {
  if (isNamed(face)) return face.person;
  return face.id === null ? "Face" : `Face ${face.id}`;
}

// A face's card, made once and then brought up to date, so that its bars can glide.
class Card {
  constructor() {
    this.emotion = element("span", "emotion");
    this.confidence = element("span", "value");
    this.doubt = element("span", "doubt", "? uncertain");
    this.doubt.title = "Less probable than the model asks for: take it with care";
    this.who = element("span", "who");
    const head = element("h3", "", this.who, this.emotion, this.confidence, this.doubt);
    this.list = element("ul", "bars");
    this.bars = new Map();
    this.node = element("li", "face", head, this.list);
  }

  show(face) {
    const title = titleOf(face);
    if (this.who.textContent !== title) {
      this.who.textContent = title;
      this.list.setAttribute("aria-label", `${title}: probabilities`);
    }
    this.emotion.textContent = face.emotion ?? "not read";
    this.confidence.textContent = face.emotion ? percent(face.confidence) : "";
    this.doubt.hidden = !face.uncertain;
    for (const [name, share] of Object.entries(face.probabilities)) {
      const bar = this.bars.get(name) ?? this.add(name);
      bar.fill.style.width = `${100 * share}%`;
      bar.fill.style.visibility = share < 0.005 ? "hidden" : "";
      bar.value.textContent = percent(share);
      bar.row.classList.toggle("top", name === face.emotion);
    }
  }

  add(name) {
    const fill = element("span", "fill");
    fill.style.background = `var(--${name}, var(--neutral))`;
    const track = element("span", "track", fill);
    track.setAttribute("aria-hidden", "true");
    const value = element("span", "value");
    const row = element("li", "bar", element("span", "name", name), track, value);
    this.list.append(row);
    const bar = { row, fill, value };
    this.bars.set(name, bar);
    return bar;
  }
}

export class Faces {
  constructor() {
    this.list = document.getElementById("faces");
    this.nobody = document.getElementById("nobody");
    this.count = document.getElementById("count");
    this.spoken = document.getElementById("spoken");
    this.cards = new Map();
    this.said = { text: "", at: -Infinity };
  }

  show(faces) {
    const keyed = faces.map((face, place) => [face.id ?? `place ${place}`, face]);
    keyed.sort(([a], [b]) => (a > b ? 1 : -1));
    const keys = new Set(keyed.map(([key]) => key));
    for (const [key, card] of this.cards) {
      if (!keys.has(key)) {
        card.node.remove();
        this.cards.delete(key);
      }
    }
    keyed.forEach(([key, face], place) => {
      let card = this.cards.get(key);
      if (!card) {
        card = new Card();
        this.cards.set(key, card);
      }
      card.show(face);
      const there = this.list.children[place] ?? null;
      if (there !== card.node) this.list.insertBefore(card.node, there);
    });
    this.count.textContent = faces.length > 1 ? `${faces.length}` : "";
    this.nobody.hidden = faces.length > 0;
    this.nobody.textContent = "No face in view.";
    this.speak(keyed.map(([, face]) => face));
  }

  // For screen readers: what is seen, when it changed, and at most every ten seconds.
  speak(faces) {
    const emotions = faces.map((face) => {
      const doubt = face.uncertain ? ", uncertain" : "";
      const who = isNamed(face) ? `${face.person} ` : "";
      return `${who}${face.emotion ?? "not read"}${doubt}`;
    });
    const count = faces.length === 1 ? "One face" : `${faces.length} faces`;
    const text = faces.length ? `${count}: ${emotions.join("; ")}` : "No face";
    const now = performance.now();
    if (text === this.said.text || now - this.said.at < 10_000) return;
    this.said = { text, at: now };
    this.spoken.textContent = text;
  }
}
