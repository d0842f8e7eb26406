// The list of signs, and the sheet that shows one word or one sign.

import { translate } from "./api.js";
import { isHindi, language, make, matches, percent } from "./text.js";

/** Fills `list` with a row's signs. `on.pick(s, l, w)` is called for a word, `on.light(s)` for a sign pointed at. */
export function listSigns(list, row, wanted, on) {
  list.replaceChildren(
    ...row.signs.map((sign, s) =>
      make("li", {
        className: "sign",
        "data-sign": s,
        onmouseenter: () => on.light(s),
        onmouseleave: () => on.light(null),
        onfocusin: () => on.light(s),
        onfocusout: () => on.light(null),
      },
        ...sign.lines.filter((line) => line.text).map((line) => lineOf(line, s, sign.lines.indexOf(line), wanted, on)),
        make("button", { type: "button", className: "whole", "aria-label": `All of sign ${s + 1}`, onclick: () => on.pick(s) },
          more()),
      ),
    ),
  );
}

function more() {
  const mark = make("span", { "aria-hidden": "true" });
  mark.textContent = "⋯";
  return mark;
}

function lineOf(line, s, l, wanted, on) {
  const words = line.words
    .map((word, w) => [word, w])
    .filter(([word]) => word.text)
    .flatMap(([word, w]) => [
      make("button", {
        type: "button",
        className: `word${word.confidence < 0.5 ? " unsure" : ""}${matches(word, line, wanted) ? " found" : ""}`,
        lang: language(word.text),
        "data-at": `${s}-${l}-${w}`,
        onclick: () => on.pick(s, l, w),
      }, word.text),
      " ",
    ]);
  return make("div", { className: "line" },
    make("p", { className: "read" }, ...words),
    line.romanized && isHindi(line.text) ? make("p", { className: "latin", lang: "hi-Latn" }, line.romanized) : null,
    line.translation && isHindi(line.text) ? make("p", { className: "english", lang: "en" }, line.translation) : null,
  );
}

/** The sheet. `on.close()` is called when it is put away, `on.copy(text)` to copy. */
export class Sheet {
  constructor(element, on) {
    this.element = element;
    this.on = on;
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  get open() {
    return !this.element.hidden;
  }

  close() {
    if (!this.open) return;
    this.element.hidden = true;
    this.on.close();
  }

  /** One word of a row, cut out of `picture` (an image element), or a whole sign when `l` is not given. */
  show(row, picture, s, l, w) {
    const sign = row.signs[s];
    const word = l === undefined ? null : sign.lines[l].words[w];
    const text = word ? word.text : sign.text;
    const all = word ? [word] : sign.lines.flatMap((line) => line.words.filter((one) => one.text));
    const confidence = all.reduce((sum, one) => sum + one.confidence, 0) / Math.max(all.length, 1);
    const facts = make("dl", { className: "facts" });
    const copies = make("div", { className: "copies", role: "group", "aria-label": "Copy" }, this.#copy("Copy", text));
    this.element.replaceChildren(
      make("div", { className: "sheet-head" },
        crop(picture, row, word ? word.polygon : sign.polygon),
        make("button", { type: "button", className: "button quiet icon-only close", "aria-label": "Close", onclick: () => this.close() }, cross()),
      ),
      make("h2", { id: "sheet-title", className: word ? "sheet-text" : "sheet-text whole-sign", lang: language(text) },
        ...(word ? [text] : sign.lines.filter((line) => line.text).map((line) => make("span", { lang: language(line.text) }, line.text)))),
      facts,
      sureness(confidence, word ? word.script : null),
      make("div", { className: "sheet-foot" }, copies,
        word && sign.lines.flatMap((line) => line.words).length > 1
          ? make("button", { type: "button", className: "button small", onclick: () => this.on.whole(s) }, "Whole sign")
          : null),
    );
    this.element.hidden = false;
    if (word) this.#explainWord(text, facts, copies);
    else this.#explainSign(sign, facts, copies);
  }

  async #explainWord(text, facts, copies) {
    if (!isHindi(text)) return;
    facts.replaceChildren(...fact("Latin letters", "…"), ...fact("English", "…"));
    try {
      const said = await translate(text);
      const others = Object.values(said.spellings || {})
        .flatMap((spellings) => spellings.slice(1))
        .filter((spelling) => spelling.confidence > 0.1)
        .map((spelling) => spelling.text);
      if (!facts.isConnected) return;
      facts.replaceChildren(
        ...fact("Latin letters", said.romanized, "hi-Latn", others.length ? `also ${others.join(", ")}` : ""),
        ...fact("English", said.english, "en", said.parts.every((part) => part.source === "transliterated") ? "spelled, as a name" : ""),
      );
      copies.append(this.#copy("Copy English", said.english));
    } catch (error) {
      facts.replaceChildren(...fact("English", error.message));
    }
  }

  #explainSign(sign, facts, copies) {
    const hindi = sign.lines.filter((line) => isHindi(line.text));
    const latin = hindi.map((line) => line.romanized).filter(Boolean);
    const english = sign.lines.map((line) => (isHindi(line.text) ? line.translation : line.text)).filter(Boolean);
    if (!hindi.length) return;
    facts.append(...fact("Latin letters", latin.join("\n"), "hi-Latn"), ...fact("English", unique(english).join("\n"), "en"));
    copies.append(this.#copy("Copy English", unique(english).join("\n")));
  }

  #copy(label, text) {
    return make("button", { type: "button", className: "button small", onclick: () => this.on.copy(text) }, label);
  }
}

/** Without what was said before: an English line often repeats what a Hindi one says. */
function unique(lines) {
  const seen = new Set();
  return lines.filter((line) => {
    const key = line.toLowerCase();
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function fact(name, value, lang, note) {
  return [
    make("dt", {}, name),
    make("dd", {}, make("span", { lang }, value), note ? make("small", {}, note) : null),
  ];
}

function sureness(confidence, script) {
  const word = confidence >= 0.9 ? "sure" : confidence >= 0.5 ? "fairly sure" : "unsure";
  const meter = make("meter", { min: 0, max: 1, low: 0.5, high: 0.8, optimum: 1, value: confidence, "aria-label": "Confidence" });
  const names = { latin: "Latin letters", devanagari: "Devanagari", digits: "digits", mixed: "several scripts" };
  return make("p", { className: "sureness" }, meter, `${percent(confidence)}, ${word}${names[script] ? ` · ${names[script]}` : ""}`);
}

function cross() {
  const span = make("span", { "aria-hidden": "true", className: "cross" });
  return span;
}

/** The part of the picture around a polygon, as a small picture of its own. */
function crop(picture, row, polygon) {
  const canvas = make("canvas", { className: "crop", "aria-hidden": "true" });
  if (!picture.naturalWidth || !row.width) return canvas;
  const k = picture.naturalWidth / row.width;
  const xs = polygon.map((point) => point[0] * k);
  const ys = polygon.map((point) => point[1] * k);
  const margin = 0.25 * Math.min(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) + 2;
  const left = Math.max(0, Math.min(...xs) - margin);
  const top = Math.max(0, Math.min(...ys) - margin);
  const wide = Math.min(picture.naturalWidth, Math.max(...xs) + margin) - left;
  const tall = Math.min(picture.naturalHeight, Math.max(...ys) + margin) - top;
  if (wide < 1 || tall < 1) return canvas;
  const scale = Math.min(600 / wide, 200 / tall, 4);
  canvas.width = Math.max(1, Math.round(wide * scale));
  canvas.height = Math.max(1, Math.round(tall * scale));
  canvas.getContext("2d").drawImage(picture, left, top, wide, tall, 0, 0, canvas.width, canvas.height);
  return canvas;
}
