// The camera, read about once a second. Between two readings the overlay follows the picture.

import { read, Refused } from "./api.js";
import { Motion } from "./motion.js";
import { Overlay } from "./overlay.js";
import { isHindi } from "./text.js";

const EVERY = 1000; // milliseconds between two readings, as long as they take less
const SIDE = 1280; // pixels of the longer side that is sent

/** Shows the camera in a dialog. `keep(file)` gets a photo that the user wants to look at. */
export class Live {
  constructor(dialog, keep) {
    this.dialog = dialog;
    this.video = dialog.querySelector("video");
    this.note = dialog.querySelector("#cam-note");
    this.keep = keep;
    this.motion = new Motion();
    this.overlay = new Overlay(dialog.querySelector("svg"), null);
    this.overlay.setMode("english");
    dialog.querySelector("#cam-close").addEventListener("click", () => dialog.close());
    dialog.querySelector("#cam-keep").addEventListener("click", () => this.#keepPhoto());
    dialog.addEventListener("close", () => this.#stop());
    dialog.addEventListener("change", (event) => this.overlay.setMode(event.target.value));
  }

  /** Asks for the camera and begins. */
  async start() {
    this.dialog.showModal();
    this.overlay.show(null);
    this.#say("");
    if (!navigator.mediaDevices) {
      this.#say("Browsers let a page use the camera only at localhost or with https. Taking single photos works here.");
      return;
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
      });
    } catch (error) {
      this.#say(error.name === "NotAllowedError" ? "The camera may not be used." : "No camera was found.");
      return;
    }
    if (!this.dialog.open) {
      this.#stop();
      return;
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.running = new AbortController();
    this.motion.reset();
    this.since = [0, 0];
    this.#follow(this.running.signal);
    this.#readOn(this.running.signal);
  }

  #stop() {
    this.running?.abort();
    for (const track of this.stream?.getTracks() || []) track.stop();
    this.stream = this.video.srcObject = null;
    this.overlay.show(null);
  }

  /** Keeps the overlay where the words are, frame by frame. */
  #follow(signal) {
    if (signal.aborted) return;
    if (this.video.videoWidth) {
      this.moved = this.motion.look(this.video);
      this.overlay.move(this.moved[0] - this.since[0], this.moved[1] - this.since[1]);
    }
    setTimeout(() => requestAnimationFrame(() => this.#follow(signal)), 30);
  }

  async #readOn(signal) {
    while (!signal.aborted) {
      const begin = performance.now();
      try {
        if (this.video.videoWidth) {
          const photo = await this.#frame();
          const seen = this.motion.look(this.video);
          const row = await read(photo, { signal, patient: false });
          if (signal.aborted) return;
          this.since = seen;
          this.overlay.show(row);
          this.overlay.move(this.moved[0] - seen[0], this.moved[1] - seen[1]);
          this.#say(row.signs.length ? "" : "No text in sight");
          this.#tell(row);
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        this.#say(error instanceof Refused ? error.message : "This picture could not be read.");
      }
      await new Promise((done) => setTimeout(done, Math.max(60, EVERY - (performance.now() - begin))));
    }
  }

  /** The video's frame as a JPEG. */
  #frame(side = SIDE) {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, side / Math.max(videoWidth, videoHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(videoWidth * scale);
    canvas.height = Math.round(videoHeight * scale);
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob((blob) => done(new File([blob], "camera.jpg")), "image/jpeg", 0.85));
  }

  async #keepPhoto() {
    if (!this.video.videoWidth) return;
    const photo = await this.#frame(4096);
    this.dialog.close();
    this.keep(photo);
  }

  /** Tells a screen reader what is in sight, once two readings agree. */
  #tell(row) {
    const lines = row.signs.flatMap((sign) => sign.lines).map((line) => (isHindi(line.text) ? line.translation : line.text));
    const text = lines.filter(Boolean).join(". ");
    const spoken = this.dialog.querySelector("#cam-said");
    if (text === this.before && spoken.textContent !== text) spoken.textContent = text;
    this.before = text;
  }

  #say(line) {
    if (this.note.textContent !== line) this.note.textContent = line;
  }
}
