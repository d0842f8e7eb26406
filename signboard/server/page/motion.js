// How far a picture has moved between two video frames, by comparing small grey copies of them.

const WIDE = 96; // pixels of the copies
const RADIUS = 7; // pixels that a copy is looked for in, around where it was last
const FAR = 16; // pixels after which another frame is compared with: what both show gets less

/** The (x, y) by which `now` lies further right and lower than `before`: grey pictures of `wide` pixels a row. */
export function shiftBetween(before, now, wide, [startX, startY] = [0, 0], radius = RADIUS) {
  const tall = before.length / wide;
  const cost = (dx, dy) => {
    const left = Math.max(0, dx);
    const right = Math.min(wide, wide + dx);
    const top = Math.max(0, dy);
    const bottom = Math.min(tall, tall + dy);
    if (right - left < wide / 3 || bottom - top < tall / 3) return Infinity;
    let sum = 0;
    for (let y = top; y < bottom; y += 2) {
      const row = y * wide;
      const other = (y - dy) * wide - dx;
      for (let x = left; x < right; x += 2) sum += Math.abs(now[row + x] - before[other + x]);
    }
    return sum / ((right - left) * (bottom - top));
  };
  const x0 = Math.round(startX);
  const y0 = Math.round(startY);
  let best = [x0, y0];
  let least = cost(x0, y0);
  for (let dy = y0 - radius; dy <= y0 + radius; dy++) {
    for (let dx = x0 - radius; dx <= x0 + radius; dx++) {
      const value = cost(dx, dy);
      if (value < least) [best, least] = [[dx, dy], value];
    }
  }
  // Between whole pixels, by the parabola through three costs.
  const between = (low, middle, high) => {
    const bend = low - 2 * middle + high;
    return Number.isFinite(bend) && bend > 1e-9 ? Math.min(0.5, Math.max(-0.5, (low - high) / (2 * bend))) : 0;
  };
  const [x, y] = best;
  return [
    x + between(cost(x - 1, y), least, cost(x + 1, y)),
    y + between(cost(x, y - 1), least, cost(x, y + 1)),
  ];
}

/** Adds up how far what a video shows has moved since the beginning. */
export class Motion {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.reset();
  }

  reset() {
    this.base = null;
    this.before = [0, 0]; // of the base
    this.last = [0, 0]; // since the base
  }

  /** Looks at the video's frame. Gives the sum as shares of the picture's width and height. */
  look(video) {
    const tall = Math.max(8, Math.round((WIDE * video.videoHeight) / video.videoWidth));
    if (this.canvas.height !== tall || this.canvas.width !== WIDE) {
      this.canvas.width = WIDE;
      this.canvas.height = tall;
      this.reset();
    }
    this.pen.drawImage(video, 0, 0, WIDE, tall);
    const { data } = this.pen.getImageData(0, 0, WIDE, tall);
    const grey = new Float32Array(WIDE * tall);
    for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i] * 0.3 + data[4 * i + 1] * 0.6 + data[4 * i + 2] * 0.1;
    if (this.base) this.last = shiftBetween(this.base, grey, WIDE, this.last);
    const x = this.before[0] + this.last[0];
    const y = this.before[1] + this.last[1];
    if (!this.base || Math.abs(this.last[0]) > FAR || Math.abs(this.last[1]) > FAR) {
      this.base = grey;
      this.before = [x, y];
      this.last = [0, 0];
    }
    return [x / WIDE, y / tall];
  }
}
