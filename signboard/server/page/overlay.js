// What was read, drawn over the picture: plates along the text, outlines, and a place to tap for each word.

import { draw, isHindi, language, matches } from "./text.js";

const FONT = "Mukta";
const LEAST = 10.5; // pixels on the screen; smaller letters make their plate grow
const GROWTH = 1.7; // at most so much
const REACH = 22; // pixels on the screen from a word that a tap may miss it by

const pen = document.createElement("canvas").getContext("2d");

/**
 * Draws one row at a time into an `<svg>`; calls `onPick(sign, line, word)` with indices when a word is chosen. Without
 * `onPick` words cannot be chosen.
 */
export class Overlay {
  constructor(svg, onPick) {
    this.svg = svg;
    this.onPick = onPick;
    this.mode = "original";
    this.row = null;
    this.wanted = "";
    this.lit = null;
    this.picked = null;
    this.tabbed = 0;
    this.shift = [0, 0];
    if (onPick) {
      svg.addEventListener("click", (event) => this.#tap(event));
      svg.addEventListener("keydown", (event) => this.#key(event));
    }
    new ResizeObserver(() => this.#redraw()).observe(svg);
    document.fonts.load(`600 40px ${FONT}`, "पअA").then(() => this.#redraw(), () => {});
  }

  /** Shows a row, or nothing. */
  show(row) {
    this.row = row && !row.error && row.width ? row : null;
    this.lit = this.picked = null;
    this.tabbed = 0;
    this.#redraw();
  }

  /** "photo", "original", "latin" or "english". */
  setMode(mode) {
    this.mode = mode;
    this.#redraw();
  }

  /** Marks the words that a folded search text is found in. */
  search(wanted) {
    this.wanted = wanted;
    this.#redraw();
  }

  /** Lights up sign number `sign`, or none with null. */
  light(sign) {
    if (this.lit === sign) return;
    this.lit = sign;
    for (const group of this.svg.querySelectorAll("[data-sign]")) {
      group.classList.toggle("lit", sign !== null && Number(group.dataset.sign) === sign);
    }
    this.svg.classList.toggle("dimmed", sign !== null);
  }

  /** Marks the word that is shown elsewhere: [sign, line, word], or null. */
  pick(place) {
    this.picked = place && place.join("-");
    for (const hit of this.svg.querySelectorAll(".hit")) hit.classList.toggle("picked", hit.dataset.at === this.picked);
  }

  /** Moves everything by a share of the picture's width and height, without drawing anew. */
  move(x, y) {
    this.shift = [x, y];
    this.#place();
  }

  #place() {
    const layer = this.svg.firstElementChild;
    if (layer && this.row) {
      layer.setAttribute("transform", `translate(${this.shift[0] * this.row.width} ${this.shift[1] * this.row.height})`);
    }
  }

  #redraw() {
    const { svg, row } = this;
    const focused = svg.contains(document.activeElement);
    svg.replaceChildren();
    if (!row) return;
    svg.setAttribute("viewBox", `0 0 ${row.width} ${row.height}`);
    this.scale = Math.min(svg.clientWidth / row.width, svg.clientHeight / row.height) || 1;
    const layer = draw("g");
    svg.append(layer);
    const hits = [];
    row.signs.forEach((sign, s) => {
      const group = draw("g", { class: "sign", "data-sign": s });
      group.append(draw("polygon", { class: "board", points: points(sign.polygon) }));
      const laid = plates(sign, this.mode);
      for (const plate of laid) group.append(this.#plate(plate));
      const covered = new Set(laid.flatMap((plate) => plate.lines));
      sign.lines.forEach((line, l) =>
        line.words.forEach((word, w) => {
          if (word.text) hits.push([s, l, w, word, line, covered.has(l)]);
        }),
      );
      layer.append(group);
    });
    this.words = hits;
    hits.forEach(([s, l, w, word, line, covered], number) => {
      const hit = draw("polygon", {
        class: "hit",
        points: points(word.polygon),
        role: this.onPick && "button",
        tabindex: this.onPick && (number === this.tabbed ? 0 : -1),
        "aria-label": this.onPick && word.text,
        lang: language(word.text),
        "data-at": `${s}-${l}-${w}`,
        "data-number": number,
      });
      if (covered) hit.classList.add("covered");
      if (word.confidence < 0.5) hit.classList.add("unsure");
      if (matches(word, line, this.wanted)) hit.classList.add("found");
      layer.append(hit);
    });
    this.#place();
    if (this.picked) this.pick(this.picked.split("-").map(Number));
    if (this.lit !== null) {
      const lit = this.lit;
      this.lit = null;
      this.light(lit);
    }
    if (focused) this.#focus(this.tabbed);
  }

  /** One plate: a rounded rectangle along the text's quad, its text as large as it fits. */
  #plate({ text, quad, kind }) {
    const [a, b, , d] = quad;
    let wide = Math.hypot(b[0] - a[0], b[1] - a[1]);
    let tall = Math.hypot(d[0] - a[0], d[1] - a[1]);
    if (wide < 1 || tall < 1) return draw("g");
    const ux = [(b[0] - a[0]) / wide, (b[1] - a[1]) / wide];
    const uy = [(d[0] - a[0]) / tall, (d[1] - a[1]) / tall];
    let [rows, size] = fit(text, wide * 0.94, tall * 0.96);
    const grow = Math.min(GROWTH, Math.max(1, LEAST / (size * this.scale)));
    let left = 0;
    let top = 0;
    if (grow > 1) {
      size *= grow;
      const needs = Math.max(...rows.map((row) => measure(row).width)) * size;
      const more = [Math.max(0, needs / 0.92 - wide), tall * (grow - 1)];
      left = -more[0] / 2;
      top = -more[1] / 2;
      wide += more[0];
      tall += more[1];
    }
    const group = draw("g", {
      class: `plate ${kind}`,
      transform: `matrix(${[...ux, ...uy, ...a].map((n) => n.toFixed(4)).join(" ")})`,
    });
    group.append(draw("rect", { x: left, y: top, width: wide, height: tall, rx: Math.min(wide, tall) * 0.14 }));
    const inks = rows.map((row) => measure(row));
    const total = inks.reduce((sum, ink) => sum + ink.height * size, 0) + (rows.length - 1) * size * 0.12;
    let y = top + (tall - total) / 2;
    rows.forEach((row, index) => {
      const ink = inks[index];
      group.append(
        draw("text", {
          x: left + wide / 2,
          y: (y + ink.ascent * size).toFixed(2),
          "font-size": size.toFixed(2),
          "text-anchor": "middle",
          lang: kind === "english" ? "en" : kind === "latin" ? "hi-Latn" : language(row),
          "aria-hidden": "true",
        }, row),
      );
      y += ink.height * size + size * 0.12;
    });
    return group;
  }

  #tap(event) {
    if (!this.row || !this.words.length) return;
    const direct = event.target.closest(".hit");
    const number = direct ? Number(direct.dataset.number) : this.#nearest(event);
    if (number !== null) this.#choose(number);
  }

  /** The word that a finger meant, which is larger than many words. */
  #nearest(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(
      this.svg.firstElementChild.getScreenCTM().inverse(),
    );
    let best = null;
    let least = REACH / this.scale;
    this.words.forEach(([, , , word], number) => {
      const xs = word.polygon.map((point) => point[0]);
      const ys = word.polygon.map((point) => point[1]);
      const away = Math.hypot(
        Math.max(Math.min(...xs) - x, 0, x - Math.max(...xs)),
        Math.max(Math.min(...ys) - y, 0, y - Math.max(...ys)),
      );
      if (away < least) [best, least] = [number, away];
    });
    return best;
  }

  #choose(number) {
    this.tabbed = number;
    const [s, l, w] = this.words[number];
    this.onPick(s, l, w);
  }

  #key(event) {
    const hit = event.target.closest(".hit");
    if (!hit) return;
    const number = Number(hit.dataset.number);
    const last = this.words.length - 1;
    const steps = { ArrowRight: number + 1, ArrowDown: number + 1, ArrowLeft: number - 1, ArrowUp: number - 1, Home: 0, End: last };
    if (event.key === "Enter" || event.key === " ") this.#choose(number);
    else if (event.key in steps) this.#focus(Math.min(Math.max(steps[event.key], 0), last));
    else return;
    event.preventDefault();
  }

  #focus(number) {
    this.tabbed = number;
    for (const hit of this.svg.querySelectorAll(".hit")) {
      const here = Number(hit.dataset.number) === number;
      hit.setAttribute("tabindex", here ? 0 : -1);
      if (here) hit.focus();
    }
  }
}

function points(polygon) {
  return polygon.map(([x, y]) => `${x},${y}`).join(" ");
}

/** What is written on plates in a mode, along which quads, and the numbers of the lines that it stands for. */
export function plates(sign, mode) {
  const found = [];
  if (mode === "photo") return found;
  if (mode === "original") {
    sign.lines.forEach((line, number) => {
      for (const word of line.words) {
        if (word.text) found.push({ text: word.text, quad: quadOf(word.polygon), kind: mode, lines: [number] });
      }
    });
    return found;
  }
  sign.lines.forEach((line, number) => {
    const text = mode === "latin" ? line.romanized : line.translation;
    if (!text || !isHindi(line.text)) return;
    // A phrase that goes on in the lines below has its English in the first of them.
    let last = number;
    while (mode === "english" && sign.lines[last + 1] && sign.lines[last + 1].translation === "") last++;
    const [a, b] = quadOf(line.polygon);
    const [, , c, d] = quadOf(sign.lines[last].polygon);
    const lines = Array.from({ length: last - number + 1 }, (_, index) => number + index);
    found.push({ text, quad: [a, b, c, d], kind: mode, lines });
  });
  return found;
}

/** The four corners of a polygon; of one with more points, those of the rectangle around it. */
function quadOf(polygon) {
  if (polygon.length === 4) return polygon;
  const xs = polygon.map((point) => point[0]);
  const ys = polygon.map((point) => point[1]);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

/** Width, height and ascent of the ink of a text whose letters are one unit large. */
function measure(text) {
  pen.font = `600 100px ${FONT}, system-ui, sans-serif`;
  const ink = pen.measureText(text);
  const ascent = Math.max(ink.actualBoundingBoxAscent, 50) / 100;
  const descent = Math.max(ink.actualBoundingBoxDescent, 4) / 100;
  return { width: Math.max(ink.width, 1) / 100, height: ascent + descent, ascent };
}

/** The rows, one to three, and the size at which a text is largest in a box. */
function fit(text, wide, tall) {
  const words = text.split(/\s+/).filter(Boolean);
  let best = [[text], 0];
  for (let count = 1; count <= Math.min(words.length, 3); count++) {
    const rows = wrap(words, count);
    const inks = rows.map(measure);
    const height = inks.reduce((sum, ink) => sum + ink.height, 0) + 0.12 * (rows.length - 1);
    const size = Math.min(wide / Math.max(...inks.map((ink) => ink.width)), (0.86 * tall) / height);
    // More rows must be worth it.
    if (size > best[1] * 1.2) best = [rows, size];
  }
  return best;
}

/** Words on so many rows of about equal length. */
function wrap(words, count) {
  const total = words.join(" ").length;
  const rows = [[]];
  let used = 0;
  for (const word of words) {
    if (rows.at(-1).length && rows.length < count && used + word.length / 2 > (total * rows.length) / count) rows.push([]);
    rows.at(-1).push(word);
    used += word.length + 1;
  }
  return rows.map((row) => row.join(" "));
}
