// Text, languages and elements. What was read is only ever put into the page as text.

const DEVANAGARI = /[\u0900-\u097f]/g;
const LATIN = /[A-Za-z]/g;

/** Whether there is anything to translate in `text`. */
export function isHindi(text) {
  return text.search(DEVANAGARI) >= 0;
}

/** The language that most letters of `text` are of: "hi", "en", or null for numbers and other scripts. */
export function language(text) {
  const hindi = (text.match(DEVANAGARI) || []).length;
  const english = (text.match(LATIN) || []).length;
  if (!hindi && !english) return null;
  return hindi >= english ? "hi" : "en";
}

/** `text` as it is searched: letters of one case, without accents that are only written. */
export function folded(text) {
  return text.normalize("NFKC").toLowerCase();
}

/** An element with properties and children; strings become text. `lang` and names with a dash or of ARIA are attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An SVG element with attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Everything that can be searched on a photo's row. */
export function searchable(row) {
  const parts = [row.source];
  for (const sign of row.signs) {
    for (const line of sign.lines) parts.push(line.text, line.romanized || "", line.translation || "");
  }
  return folded(parts.join("\n"));
}

/** Whether a word of a line is meant by a search: it holds the text itself, or its line does in other letters. */
export function matches(word, line, wanted) {
  if (!wanted) return false;
  if (folded(word.text).includes(wanted)) return true;
  return [line.text, line.romanized, line.translation].some((text) => text && folded(text).includes(wanted));
}

/** A confidence as people say it. */
export function percent(confidence) {
  return `${Math.round(100 * confidence)} %`;
}
