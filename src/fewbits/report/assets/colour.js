// Colours of values: the scales of the project's figures as 256 steps, and the words that are read on each.

const STEPS = 256;
let HEAT, DIFFERENCE;

const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

function steps(colours) {
  const stops = colours.map(parts);
  return Array.from({ length: STEPS }, (_, i) => {
    const at = (i / (STEPS - 1)) * (stops.length - 1);
    const left = Math.min(stops.length - 2, Math.floor(at));
    const rgb = stops[left].map((v, k) => Math.round(v + (stops[left + 1][k] - v) * (at - left)));
    return { css: `rgb(${rgb})`, ink: luminance(rgb) < 0.179 ? "#ffffff" : "#000000" };
  });
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const SPREAD = 6; // decibels either side of the median; differences beyond have the colour of the end

// How values of a metric are coloured: { look(cell's stored value, format) → step or null, low, high, … }. Null: exact or undefined.
// The ends of the scale leave out the outermost values: formats that lose all or nothing would take the colours from the others.
function shades(metric, relative, run, formats) {
  const middle = relative ? median(metric, run) : null;
  const sign = metric.higher && metric.axis !== "nines" ? 1 : -1;
  let [low, high] = relative ? [-SPREAD, SPREAD] : ends(metric, run, formats);
  const table = relative ? DIFFERENCE : HEAT;
  const number = (value, f) => level(metric, value) - (relative ? middle[f] : 0);
  const look = (value, f) => {
    if (!drawable(metric, value)) return null;
    const share = (number(value, f) - low) / (high - low || 1);
    return table[Math.round(Math.max(0, Math.min(1, sign > 0 ? share : 1 - share)) * (STEPS - 1))];
  };
  const says = (value, f) => {
    if (!drawable(metric, value)) return isExact(metric, value) ? (metric.higher ? "exact" : "0") : "–";
    if (relative) return Math.abs(number(value, f)) < 0.05 ? "0.0" : `${number(value, f) < 0 ? "−" : "+"}${Math.abs(number(value, f)).toFixed(1)}`;
    return written(shown(metric, value), { ".2f": ".1f", ".6f": ".4f" }[metric.digits] || ".1e");
  };
  return { look, says, low, high, table, sign, relative };
}

function ends(metric, run, formats) {
  const values = RUNS[run].metrics[metric.name];
  const step = Math.max(1, Math.floor((T * F) / 40000));
  const found = [];
  for (let i = 0; i < T * F; i += step) if (formats[i % F] && drawable(metric, values[i])) found.push(level(metric, values[i]));
  if (found.length < 2) return [0, 1];
  const sorted = Float64Array.from(found).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return at(0.99) > at(0.01) ? [at(0.01), at(0.99)] : [sorted[0] - 0.5, sorted.at(-1) + 0.5];
}

// The scale as a picture: worst on the left.
function legend(metric, shade) {
  const labels = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = shade.sign > 0 ? shade.low + share * (shade.high - shade.low) : shade.high - share * (shade.high - shade.low);
    if (shade.relative) return at === 0 ? "0" : `${at > 0 ? "+" : "−"}${Math.abs(at)}`;
    if (metric.axis === "linear") return brief(at, 3);
    return metric.axis === "nines" ? String(+(1 - 10 ** (at / 10)).toPrecision(5)) : brief(10 ** (at / 10), 2);
  });
  const stops = [0, 0.17, 0.33, 0.5, 0.67, 0.83, 1].map((share) => `${shade.table[Math.round(share * (STEPS - 1))].css} ${share * 100}%`);
  const bar = element("div", { class: "ramp" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const title = shade.relative ? `difference from the format's median, dB` : `${metric.name}${metric.unit ? `, ${metric.unit}` : ""}`;
  return element("div", { class: "legend", role: "img", "aria-label": `Colours: ${title}, worse (${labels[0]}) to better (${labels[4]})` }, element("span", { class: "legend-title" }, title), element("span", {}, "worse"), element("div", {}, bar, element("div", { class: "ramp-labels" }, ...labels.map((label) => element("span", {}, label)))), element("span", {}, "better"));
}
