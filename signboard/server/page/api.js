// The service's HTTP interface. Throws `Refused` with a line for people when something is not to be had.

/** What the service, or the way to it, said. */
export class Refused extends Error {
  constructor(line, status) {
    super(line);
    this.status = status;
  }
}

let token = sessionStorage.getItem("signboard-token") || "";
let askForToken = async () => "";

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  token = given;
  sessionStorage.setItem("signboard-token", token);
  history.replaceState(null, "", location.pathname);
}

/** Sets what asks the user for the token; it gives "" when there is none. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function call(path, options, { signal, patient = true } = {}) {
  for (let attempt = 0; ; attempt++) {
    let answer;
    try {
      const headers = { ...(options.headers || {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
      answer = await fetch(path, { ...options, headers, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused("The service cannot be reached.", 0);
    }
    if (answer.status === 401) {
      const typed = await askForToken();
      if (!typed) throw new Refused("The service needs a token.", 401);
      token = typed;
      sessionStorage.setItem("signboard-token", token);
      continue;
    }
    // Too busy just now: it says when to come back.
    if (answer.status === 503 && patient && attempt < 20) {
      await pause(Math.min(Number(answer.headers.get("Retry-After")) || 1, 10));
      continue;
    }
    return answer;
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  let line = `The service answered ${answer.status}.`;
  try {
    line = (await answer.json()).detail || line;
  } catch {
    // no JSON: the status says it
  }
  throw new Refused(line, answer.status);
}

/** The row of one photo; of a file with several pages, that of the first. */
export async function read(file, { tile = false, position = false, signal, patient = true } = {}) {
  const query = new URLSearchParams({ translate: "true", tile, with_position: position });
  const body = new FormData();
  body.append("photo", file, file.name || "photo.jpg");
  const answer = await call(`/v1/read?${query}`, { method: "POST", body }, { signal, patient });
  // 422 comes with a row, too, that says why the photo cannot be read.
  const value = answer.ok || answer.status === 422 ? await answer.clone().json() : {};
  if (value.readings) {
    const [row, ...others] = value.readings;
    if (others.length) row.warnings.push(`only the first page is shown: the file has ${value.readings.length}`);
    return row;
  }
  await checked(answer);
  throw new Refused("The service gave no answer.", answer.status);
}

const known = new Map();

/** What a Hindi text is in English and in Latin letters, with the likeliest spellings of its words. */
export async function translate(text) {
  if (!known.has(text)) {
    const answer = await checked(await call("/v1/translate", json({ texts: [text], n_best: 3 })));
    known.set(text, (await answer.json()).translations[0]);
  }
  return known.get(text);
}

/** Rows as a file of another format. */
export async function convert(rows, format, position) {
  const body = { readings: rows, format, with_position: position };
  return (await checked(await call("/v1/convert", json(body)))).blob();
}

/** The photo as a JPEG with its row drawn on it; with a row without signs, the photo itself. */
export async function annotate(file, row) {
  const body = new FormData();
  body.append("photo", file, "photo");
  body.append("reading", JSON.stringify(row));
  return (await checked(await call("/v1/annotate", { method: "POST", body }))).blob();
}

/** What the service takes, and whether it is ready. */
export async function health() {
  const answer = await fetch("/v1/health");
  return answer.json();
}

function json(value) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}
