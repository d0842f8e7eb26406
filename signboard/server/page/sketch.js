// A map without a map: where photos were taken and which way the camera looked, drawn to scale.

import { draw, make } from "./text.js";

const SIZE = [360, 240];
const MARGIN = 34;
const METRES = 111_320; // of one degree of latitude

/** The photos that have a position: [{number, name, gps}]. */
export function located(photos) {
  return photos
    .map((photo, index) => ({ index, name: photo.name, gps: photo.row?.metadata?.gps }))
    .filter((place) => place.gps);
}

/** The place on openstreetmap.org. Nothing is loaded from there unless the link is followed. */
export function link({ latitude, longitude }) {
  const at = `${latitude.toFixed(6)}/${longitude.toFixed(6)}`;
  return `https://www.openstreetmap.org/?mlat=${latitude.toFixed(6)}&mlon=${longitude.toFixed(6)}#map=18/${at}`;
}

/** Draws the places into `box` and lists them with links in `list`. `choose(index)` shows a photo. */
export function sketch(box, list, places, current, choose) {
  const svg = draw("svg", { viewBox: `0 0 ${SIZE.join(" ")}`, role: "img", "aria-label": `Sketch of ${places.length} places` });
  const middle = places.reduce((sum, { gps }) => sum + gps.latitude, 0) / places.length;
  // Metres east and north of the first place; on a few kilometres the earth is flat enough.
  const first = places[0].gps;
  const flat = places.map(({ gps }) => {
    let east = gps.longitude - first.longitude;
    if (east > 180) east -= 360;
    if (east < -180) east += 360;
    return [east * METRES * Math.cos((middle * Math.PI) / 180), (gps.latitude - first.latitude) * METRES];
  });
  const xs = flat.map((point) => point[0]);
  const ys = flat.map((point) => point[1]);
  const spread = [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
  const room = SIZE.map((side) => side - 2 * MARGIN);
  const scale = Math.min(room[0] / Math.max(spread[0], 20), room[1] / Math.max(spread[1], 20));
  const at = flat.map(([x, y]) => [
    SIZE[0] / 2 + (x - (Math.max(...xs) + Math.min(...xs)) / 2) * scale,
    SIZE[1] / 2 - (y - (Math.max(...ys) + Math.min(...ys)) / 2) * scale,
  ]);
  svg.append(draw("path", { class: "grid", d: grid() }), ...north(), ...bar(scale));
  if (at.length > 1) svg.append(draw("polyline", { class: "way", points: at.map((point) => point.join(",")).join(" ") }));
  places.forEach(({ gps, index }, number) => {
    const [x, y] = at[number];
    if (Number.isFinite(gps.bearing)) {
      svg.append(draw("path", { class: "look", d: "M0 0L-11 -26A28 28 0 0 1 11 -26Z", transform: `translate(${x} ${y}) rotate(${gps.bearing})` }));
    }
    svg.append(
      draw("circle", { class: index === current ? "place here" : "place", cx: x, cy: y, r: 9 }),
      draw("text", { class: "number", x, y: y + 4, "text-anchor": "middle" }, String(index + 1)),
    );
  });
  box.replaceChildren(svg);
  list.replaceChildren(
    ...places.map(({ gps, index, name }) =>
      make("li", {},
        make("button", { type: "button", className: "place-name", onclick: () => choose(index) }, `${index + 1}. ${name}`),
        make("a", { href: link(gps), target: "_blank", rel: "noopener noreferrer", className: "place-link" },
          `${gps.latitude.toFixed(5)}, ${gps.longitude.toFixed(5)}`, make("span", { className: "unseen" }, " on openstreetmap.org, in a new tab")),
      ),
    ),
  );
}

function grid() {
  let path = "";
  for (let x = 40; x < SIZE[0]; x += 40) path += `M${x} 0V${SIZE[1]}`;
  for (let y = 40; y < SIZE[1]; y += 40) path += `M0 ${y}H${SIZE[0]}`;
  return path;
}

function north() {
  const x = SIZE[0] - 20;
  return [draw("path", { class: "north", d: `M${x} 12l5 14l-5 -4l-5 4Z` }), draw("text", { class: "legend", x, y: 40, "text-anchor": "middle" }, "N")];
}

/** A bar of a round number of metres. */
function bar(scale) {
  const most = 90 / scale;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = [5, 2, 1].map((n) => n * power).find((n) => n <= most) || power;
  const wide = metres * scale;
  const y = SIZE[1] - 12;
  return [
    draw("path", { class: "bar", d: `M14 ${y - 5}V${y}H${14 + wide}V${y - 5}` }),
    draw("text", { class: "legend", x: 14 + wide + 6, y }, metres >= 1000 ? `${metres / 1000} km` : `${metres} m`),
  ];
}
