// Small pictures in SVG: scales, axes, marks. Colours are the page's, so that themes and print need no drawing again.

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Scales: a number's place between 0 and 1, and the numbers worth a tick. Bits are bent, as 16 and 32 would take most of the width.
const BEND = 4;
const KINDS = {
  linear: { at: (v) => v, ticks: evenly },
  log: { at: Math.log10, ticks: decades },
  bits: { at: (v) => Math.log(1 + v / BEND), ticks: (low, high) => [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32].filter((b) => b >= low && b <= high) },
};

function evenly(low, high, most = 6) {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((s) => s * power >= raw) || 10);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

function decades(low, high, most = 7) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const digits = last - first <= 2 ? [1, 2, 5] : last - first <= 3 ? [1, 3] : [1];
  const step = digits.length > 1 ? 1 : Math.max(1, Math.ceil((last - first) / most));
  const found = [];
  for (let e = first; e <= last; e += step) for (const digit of digits) found.push(+`${digit}e${e}`);
  return found.filter((v) => v >= low * 0.999 && v <= high * 1.001);
}

function scale({ kind = "linear", domain, flip = false }, from, to) {
  const { at, ticks } = KINDS[kind];
  const [low, high] = domain;
  const [a, b] = [at(low), at(high)];
  const place = (v) => {
    const share = b === a ? 0.5 : (at(v) - a) / (b - a);
    return from + (to - from) * (flip ? 1 - share : share);
  };
  place.ticks = ticks(low, high);
  return place;
}

// A picture with two axes. `x` and `y`: { kind, domain, title, format, flip, ticks }. Marks go into `marks`, which is cut at the edges, or `free`.
function plot({ label, width, height, x, y, left = 58 }) {
  const [top, right, bottom] = [12, 16, 44];
  const svg = shape("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  const px = scale(x, left, width - right);
  const py = scale(y, height - bottom, top);
  const id = `cut-${(plot.count = (plot.count || 0) + 1)}`;
  const inside = { x: left, y: top, width: width - left - right, height: height - top - bottom };
  svg.append(shape("clipPath", { id }, shape("rect", inside)));
  const axes = shape("g", { class: "axes", "aria-hidden": "true" });
  const text = (attributes, words) => shape("text", attributes, words);
  let lastEnd = -Infinity;
  for (const v of x.ticks || px.ticks) {
    const words = (x.format || brief)(v);
    const half = words.length * 3.4;
    if (px(v) - half < lastEnd + 6) continue; // labels do not touch
    lastEnd = px(v) + half;
    axes.append(shape("line", { class: "grid", x1: px(v), x2: px(v), y1: top, y2: height - bottom }), text({ x: px(v), y: height - bottom + 16, "text-anchor": "middle" }, words));
  }
  for (const v of y.ticks || py.ticks) {
    axes.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: py(v), y2: py(v) }), text({ x: left - 7, y: py(v) + 4, "text-anchor": "end" }, (y.format || brief)(v)));
  }
  axes.append(text({ class: "title", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.title || ""));
  axes.append(text({ class: "title", transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.title || ""));
  const marks = shape("g", { class: "marks", "clip-path": `url(#${id})` });
  const free = shape("g", { class: "free" });
  svg.append(axes, marks, free);
  return { svg, x: px, y: py, marks, free, inside };
}

// What a mark says when it is pointed at.
const hinted = (mark, text) => (mark.append(shape("title", {}, text)), mark);

const series = (i) => `var(--s${i % 7})`;

// A picture with its heading, what is drawn and how, and the same numbers as a table.
function figure(title, text, drawing, alternative) {
  const parts = [element("h3", {}, title), element("p", { class: "caption" }, text), drawing];
  if (alternative) {
    const details = element("details", { class: "numbers" }, element("summary", {}, "The numbers"));
    details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(alternative()));
    parts.push(details);
  }
  return element("figure", {}, ...parts);
}

// The width a picture may have in a place.
const room = (host, most = 1200) => Math.max(260, Math.min(most, Math.floor(host.clientWidth)));

// The vertical axis of a metric for some of its stored values.
function metricAxis(metric, values) {
  const found = values.filter((value) => drawable(metric, value));
  const title = `${metric.name}${metric.unit ? `, ${metric.unit}` : ""} (${direction(metric)})`;
  if (metric.axis === "linear") {
    const [low, high] = [Math.min(0, ...found), Math.max(...(found.length ? found : [1]))];
    const margin = 0.06 * (high - low || 1);
    return { kind: "linear", domain: [low < 0 ? low - margin : low, high + margin], title };
  }
  const [low, high] = found.length ? [Math.min(...found), Math.max(...found)] : [0.1, 1];
  const margin = Math.max(1.15, (high / low) ** 0.06);
  const nines = metric.axis === "nines";
  return { kind: "log", domain: [low / margin, high * margin], title, flip: nines, format: nines ? (v) => String(+(1 - v).toPrecision(10)) : (v) => brief(v, 3) };
}
