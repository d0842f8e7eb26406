// The page: photos come in, are read a few at a time, and are shown one by one.

import { annotate, convert, health, onTokenNeeded, read } from "./api.js";
import { Live } from "./live.js";
import { Overlay } from "./overlay.js";
import { listSigns, Sheet } from "./signs.js";
import { located, sketch } from "./sketch.js";
import { folded, make, searchable } from "./text.js";

const AT_ONCE = 3; // photos on their way to the service
const THUMB = 144; // pixels

const $ = (id) => document.getElementById(id);
const photos = []; // {file, name, url, thumb, row, state, search}
let current = -1;
let mode = "original";
let wanted = "";
let limits = { body: 64 * 1024 * 1024 };
let lastFocus = null;

const sheet = new Sheet($("sheet"), {
  close: () => {
    overlay.pick(null);
    lastFocus?.focus?.({ preventScroll: true });
  },
  copy,
  whole: (s) => pick(s),
});
const overlay = new Overlay($("overlay"), pick);
const live = new Live($("cam"), (file) => add([file]));

// Photos --------------------------------------------------------------------------------------------------------------

/** Takes photos in, shows the first of them and has them read. */
function add(files) {
  const some = [...files].filter((file) => file.size || file.type);
  if (!some.length) return;
  const first = photos.length;
  for (const file of some) {
    const photo = { file, name: file.name || "photo", url: URL.createObjectURL(file), row: null, state: "waiting", search: "" };
    if (file.size > limits.body * 0.99) {
      photo.state = "failed";
      photo.row = failed(photo.name, `larger than ${Math.round(limits.body / 1048576)} MiB`);
    }
    photos.push(photo);
    makeThumb(photo);
  }
  $("welcome").hidden = true;
  $("desk").hidden = $("add").hidden = $("live").hidden = false;
  select(first);
  readMore();
}

function failed(name, line) {
  return { schema: "signboard/1", source: name, width: 0, height: 0, text: "", signs: [], error: line, warnings: [], metadata: {} };
}

function readMore() {
  while (photos.filter((photo) => photo.state === "reading").length < AT_ONCE) {
    // The photo that is looked at comes first.
    const next = photos[current]?.state === "waiting" ? photos[current] : photos.find((photo) => photo.state === "waiting");
    if (!next) break;
    readOne(next);
  }
}

async function readOne(photo) {
  photo.state = "reading";
  update(photo);
  const asked = { tile: $("tile").checked, position: $("position").checked };
  try {
    photo.row = await read(photo.file, asked);
    photo.state = photo.row.error ? "failed" : "done";
  } catch (error) {
    photo.row = failed(photo.name, error.message);
    photo.state = "failed";
  }
  photo.search = searchable(photo.row);
  update(photo);
  readMore();
}

async function makeThumb(photo) {
  try {
    photo.thumb = await shrunk(await createImageBitmap(photo.file));
  } catch {
    photo.thumb = null; // a format that this browser does not show: the service turns it into one that it does
  }
  drawStrip();
}

async function shrunk(bitmap) {
  const scale = THUMB / Math.min(bitmap.width, bitmap.height);
  const canvas = make("canvas", { width: THUMB, height: THUMB });
  const [wide, tall] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d").drawImage(bitmap, (THUMB - wide) / 2, (THUMB - tall) / 2, wide, tall);
  bitmap.close();
  return new Promise((done) => canvas.toBlob((blob) => done(blob && URL.createObjectURL(blob)), "image/jpeg", 0.8));
}

/** Has the service turn a photo into a JPEG, for formats that the browser does not show (or not upright). */
async function replacePicture(photo) {
  if (photo.replaced) return;
  if (!photo.row?.width) {
    if (photos[current] === photo) $("frame").classList.add("bare");
    return;
  }
  photo.replaced = true;
  try {
    const blob = await annotate(photo.file, { ...photo.row, signs: [] });
    URL.revokeObjectURL(photo.url);
    photo.url = URL.createObjectURL(blob);
    photo.thumb = await shrunk(await createImageBitmap(blob));
    if (photos[current] === photo) showPicture(photo);
    drawStrip();
  } catch (error) {
    toast(error.message);
  }
}

// Showing -------------------------------------------------------------------------------------------------------------

function select(index) {
  current = index;
  sheet.close();
  const photo = photos[index];
  $("photo-name").textContent = photo.name;
  showPicture(photo);
  update(photo);
}

function showPicture(photo) {
  const picture = $("picture");
  $("frame").classList.remove("bare");
  picture.alt = `Photo ${photo.name}`;
  picture.src = photo.url;
}

$("picture").addEventListener("load", () => check(photos[current]));
$("picture").addEventListener("error", () => photos[current] && replacePicture(photos[current]));

/** A browser that does not turn a photo upright as the service does gets the service's picture. */
function check(photo) {
  const { naturalWidth, naturalHeight } = $("picture");
  if (!photo?.row?.width || !naturalWidth || $("picture").src !== photo.url) return;
  const turned = (naturalWidth / naturalHeight) / (photo.row.width / photo.row.height);
  if (turned < 0.98 || turned > 1.02) replacePicture(photo);
}

function update(photo) {
  drawStrip();
  drawMap();
  if (photos[current] !== photo) return;
  const row = photo.row;
  const busy = photo.state === "waiting" || photo.state === "reading";
  $("busy").hidden = !busy;
  $("frame").classList.toggle("reading", busy);
  overlay.show(busy ? null : row);
  listSigns($("signs"), busy || !row ? { signs: [] } : row, wanted, { pick, light });
  const count = row && !busy ? row.signs.length : 0;
  $("signs-title").textContent = busy ? "Reading…" : row?.error ? "Not read" : count === 1 ? "1 sign" : `${count} signs`;
  const lines = busy || !row ? [] : row.error ? [`This photo could not be read: ${plain(row)}.`] : count ? [] : ["No text was found on this photo."];
  if (row && !busy && !row.error) {
    for (const line of row.warnings) {
      const small = line.startsWith("text may be too small");
      lines.push(small ? "Small text may have been missed. “Small text on large photos” in the options finds more." : `${line}.`);
    }
  }
  $("message").textContent = lines.join(" ");
  $("message").hidden = !lines.length;
  for (const button of document.querySelectorAll("[data-save]")) button.disabled = busy || (button.dataset.save === "picture" && !row?.width);
  check(photo);
  if (!$("picture").naturalWidth && $("picture").complete) replacePicture(photo);
}

/** The row's error without its photo's name, which is shown already. */
function plain(row) {
  return row.error.startsWith(`${row.source}: `) ? row.error.slice(row.source.length + 2) : row.error;
}

function drawStrip() {
  const shown = photos.map((photo, index) => ({ photo, index })).filter(({ photo }) => !wanted || photo.search.includes(wanted));
  $("strip").hidden = photos.length < 2;
  const focused = document.activeElement?.closest?.("#strip [data-index]")?.dataset.index;
  $("strip").replaceChildren(
    ...shown.map(({ photo, index }) =>
      make("li", {},
        make("button", {
          type: "button",
          className: `thumb ${photo.state}`,
          "data-index": index,
          "aria-current": index === current ? "true" : null,
          "aria-label": `Photo ${index + 1}, ${photo.name}${stateOf(photo)}`,
          title: photo.name,
          onclick: () => select(index),
        }, photo.thumb ? make("img", { src: photo.thumb, alt: "" }) : null),
      ),
    ),
  );
  if (focused !== undefined) $("strip").querySelector(`[data-index="${Number(focused)}"]`)?.focus({ preventScroll: true });
  const line = wanted ? `${shown.length} of ${photos.length}` : "";
  if ($("found").textContent !== line) $("found").textContent = line;
}

function stateOf(photo) {
  if (photo.state === "failed") return ", could not be read";
  if (photo.state !== "done") return ", being read";
  return photo.row.signs.length ? "" : ", no text";
}

function drawMap() {
  const places = located(photos);
  $("map").hidden = !places.length;
  if (places.length) sketch($("sketch"), $("places"), places, current, select);
}

function light(s) {
  overlay.light(s);
  for (const item of $("signs").children) item.classList.toggle("lit", s !== null && Number(item.dataset.sign) === s);
}

/** Shows a word, or a whole sign when no word is given. */
function pick(s, l, w) {
  lastFocus = document.activeElement;
  if (lastFocus?.closest?.("#sheet")) lastFocus = $("signs-title");
  sheet.show(photos[current].row, $("picture"), s, l, w);
  overlay.pick(l === undefined ? null : [s, l, w]);
  light(l === undefined ? s : null);
  $("sheet").focus({ preventScroll: true });
  // On a phone the sheet lies over the page: what it speaks of stays in sight.
  const place = (l === undefined ? $("overlay").querySelector(`[data-sign="${s}"]`) : $("overlay").querySelector(".picked"))?.getBoundingClientRect();
  const top = $("sheet").getBoundingClientRect().top;
  if (place && getComputedStyle($("sheet")).position === "fixed" && place.bottom > top - 12) scrollBy({ top: place.bottom - top + 24 });
}

// Modes and search -----------------------------------------------------------------------------------------------------

function setMode(value) {
  mode = value;
  document.documentElement.dataset.mode = mode;
  const radio = $("modes").querySelector(`[value="${mode}"]`);
  radio.checked = true;
  overlay.setMode(mode);
}

$("modes").addEventListener("change", (event) => setMode(event.target.value));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") sheet.close();
  if (event.target.matches("input[type=search], input[type=password]")) return;
  const chosen = { 0: "photo", 1: "original", 2: "latin", 3: "english" }[event.key];
  if (chosen && photos.length) setMode(chosen);
  else if (event.key === "/" && photos.length) {
    event.preventDefault();
    $("search").focus();
  } else if ((event.key === "PageDown" || event.key === "PageUp") && photos.length > 1) {
    event.preventDefault();
    select((current + (event.key === "PageDown" ? 1 : photos.length - 1)) % photos.length);
  }
});

$("search").addEventListener("input", () => {
  wanted = folded($("search").value.trim());
  const found = photos.findIndex((photo) => photo.search.includes(wanted));
  if (wanted && found >= 0 && !photos[current].search.includes(wanted)) select(found);
  overlay.search(wanted);
  const row = photos[current]?.row;
  if (row) listSigns($("signs"), row, wanted, { pick, light });
  drawStrip();
});

// Saving ---------------------------------------------------------------------------------------------------------------

document.querySelector(".save").addEventListener("click", async (event) => {
  const form = event.target.dataset?.save;
  if (!form) return;
  try {
    const rows = photos.map((photo) => photo.row).filter(Boolean);
    const position = $("position").checked;
    if (form === "picture") save(await annotate(photos[current].file, photos[current].row), `${stem(photos[current].name)}-read.jpg`);
    else if (form === "json" && rows.length === 1) save(new Blob([JSON.stringify(rows[0], null, 1)], { type: "application/json" }), `${stem(rows[0].source)}.json`);
    else if (form === "json") save(await convert(rows, "jsonl", position), "signs.jsonl");
    else if (form === "text") save(await convert(rows, "text", position), rows.length === 1 ? `${stem(rows[0].source)}.txt` : "signs.txt");
    else save(await convert(rows, "geojson", position), "signs.geojson");
  } catch (error) {
    toast(error.message);
  }
});

/** A name without its ending and without what file systems do not like. */
function stem(name) {
  return (name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{M}\p{N} ._-]+/gu, "_").replace(/^[. ]+/, "") || "signs").slice(0, 80);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const anchor = make("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages that came without https have no clipboard; the old way still works.
    const box = make("textarea", { value: text, className: "unseen", "aria-hidden": "true", tabIndex: -1 });
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  toast("Copied");
}

let toastTimer;
function toast(line) {
  $("toast").textContent = line;
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 2200);
}

// Ways in --------------------------------------------------------------------------------------------------------------

for (const [button, input] of [["add", "files"], ["choose", "files"], ["take", "camera"]]) {
  $(button).addEventListener("click", () => $(input).click());
}
for (const input of [$("files"), $("camera")]) {
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
}
for (const button of [$("live"), $("live-first")]) button.addEventListener("click", () => live.start());
// Where there is no touch screen a camera is seldom at hand: choosing photos comes first.
if (!matchMedia("(pointer: coarse)").matches) document.documentElement.classList.add("mouse");

document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) {
    event.preventDefault();
    add(event.clipboardData.files);
  }
});
let depth = 0;
const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth++;
  $("drop").classList.add("shown");
});
addEventListener("dragleave", (event) => {
  if (carriesFiles(event) && --depth <= 0) $("drop").classList.remove("shown");
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  $("drop").classList.remove("shown");
  add(event.dataTransfer.files);
});

// Options, token -------------------------------------------------------------------------------------------------------

let before = "";
const chosen = () => `${$("tile").checked} ${$("position").checked}`;
$("options-open").addEventListener("click", () => {
  before = chosen();
  $("options").showModal();
});
$("options").addEventListener("close", () => {
  if (chosen() === before) return;
  for (const photo of photos) if (photo.state !== "reading" && photo.file.size <= limits.body) photo.state = "waiting";
  if (photos[current]) update(photos[current]);
  readMore();
});

let asking = null;
onTokenNeeded(() => {
  asking ||= new Promise((done) => {
    $("key").returnValue = "";
    $("key").showModal();
    $("key").addEventListener("close", () => {
      asking = null;
      done($("key").returnValue ? $("token").value : "");
    }, { once: true });
  });
  return asking;
});

health().then((state) => {
  limits = state.limits;
}, () => toast("The service cannot be reached."));
