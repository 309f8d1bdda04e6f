// The values of a tensor and the levels of a format; what each value becomes.

const SIDE = 80; // bins of a sign; each is a factor 2^(1/4) wide, up to the largest magnitude
const BINS = 2 * SIDE + 3;

// Formats whose levels can be laid over the tensor: they are listed, and the blocks' scales are known.
function levelled(p) {
  return shownFormats().filter((f) => scaleOf(p, f) > 0 && FORMATS[f].levels?.length > 1);
}

// A format without blocks has no scale: its levels are as they are.
const scaleOf = (p, f, quantile = 1) => (FORMATS[f].spec.includes("@") ? DATA.profiles.scales[(p * F + f) * 3 + quantile] : 1);

function chosenLevels(p) {
  const some = levelled(p);
  const wanted = some.find((f) => FORMATS[f].format === state.choice.levels);
  return wanted ?? some.find((f) => FORMATS[f].front && FORMATS[f].levels.length <= 33) ?? some.find((f) => FORMATS[f].levels.length <= 33) ?? some[0] ?? -1;
}

// Counts of many tensors are kept in few digits.
const held = (count) => `${DATA.profiles.rounded ? "about " : ""}${many(count, "value")}`;

// Bins as { from, to, count }, in order of value.
function bins(p) {
  const amax = DATA.profiles.amax[p];
  const counts = DATA.profiles.histogram.subarray(p * BINS, (p + 1) * BINS);
  const edge = (k) => amax * 2 ** (-k / 4); // k steps below the largest
  const least = edge(SIDE);
  return Array.from(counts, (count, i) => {
    if (i < SIDE) return { from: -edge(i), to: -edge(i + 1), count };
    if (i === SIDE) return { from: -least, to: 0, count };
    if (i === SIDE + 1) return { from: 0, to: 0, count };
    if (i === SIDE + 2) return { from: 0, to: least, count };
    const k = BINS - 1 - i;
    return { from: edge(k + 1), to: edge(k), count };
  });
}

function histogram(t, p, wide) {
  const amax = DATA.profiles.amax[p];
  const all = bins(p);
  const total = all.reduce((sum, bin) => sum + bin.count, 0);
  if (!(amax > 0) || !total) return element("p", { class: "note" }, "This tensor has no values that are not zero.");
  const f = chosenLevels(p);
  const logarithmic = state.choice.axis === "log";
  const picture = logarithmic ? byMagnitude(all, total, amax, wide) : byValue(all, total, amax, wide);
  let text = "Values of the tensor.";
  if (f >= 0) {
    const [low, middle, high] = [0, 1, 2].map((quantile) => scaleOf(p, f, quantile));
    const levels = FORMATS[f].levels;
    const dense = levels.length > 40;
    for (const one of levels) {
      const at = picture.place(one * middle);
      if (at === null) continue;
      const bottom = picture.inside.y + picture.inside.height;
      picture.marks.append(hinted(shape("line", { class: dense ? "level dense" : "level", x1: at, x2: at, y1: dense ? bottom - 12 : picture.inside.y, y2: bottom }), `level ${brief(one)} × scale ${brief(middle)} = ${brief(one * middle)}`));
    }
    for (const end of [levels[0], levels.at(-1)]) {
      const at = picture.place(end * middle);
      if (at !== null && Math.abs(end * middle) < amax) picture.marks.append(hinted(shape("line", { class: "clip", x1: at, x2: at, y1: picture.inside.y, y2: picture.inside.y + picture.inside.height }), `a block of this scale clips at ${brief(end * middle)}`));
    }
    text = `Blue lines: the ${levels.length} levels of ${FORMATS[f].format} at the median scale of its blocks, ${brief(middle)} (all blocks: ${brief(low)} to ${brief(high)}). Dashed: where such a block ends.`;
  }
  const controls = element(
    "div",
    { class: "controls" },
    ...(f >= 0 ? [select("Levels of", levelled(p).map((other) => [FORMATS[other].format, FORMATS[other].format]), FORMATS[f].format, (levels) => choose({ levels }))] : []),
    switcher("Axis", [["linear", "value"], ["log", "magnitude (log)"]], logarithmic ? "log" : "linear", (axis) => choose({ axis })),
  );
  if (f < 0) text += " No format shown has levels that can be drawn here.";
  const table = () => smallTable("Values in bins", [{ title: "from", text: false }, { title: "to", text: false }, { title: "values", text: false }], all.filter((bin) => bin.count).map((bin) => [brief(bin.from), brief(bin.to), held(bin.count)]));
  return figure("Values and levels", text, element("div", {}, controls, picture.svg), table);
}

// On an even axis: bins have different widths, so heights are shares for each hundredth of the largest magnitude.
function byValue(all, total, amax, wide) {
  const zeros = all[SIDE + 1].count;
  const density = (bin) => ((bin.count / total) * (amax / 100)) / (bin.to - bin.from);
  // The innermost bins are far thinner than a pixel: they are drawn as one, zeros with them.
  const inner = amax / 256;
  const seen = all.filter((bin) => Math.max(Math.abs(bin.from), Math.abs(bin.to)) > inner * 1.001 && bin.count);
  const middle = all.filter((bin) => Math.max(Math.abs(bin.from), Math.abs(bin.to)) <= inner * 1.001).reduce((sum, bin) => sum + bin.count, 0);
  const drawn = [...seen.map((bin) => ({ ...bin, height: density(bin) })), { from: -inner, to: inner, count: middle, height: ((middle / total) * (amax / 100)) / (2 * inner) }].filter((bin) => bin.height > 0);
  const heights = drawn.map((bin) => bin.height);
  const least = Math.max(Math.min(...heights) / 2, Math.max(...heights) / 1e7);
  const picture = plot({ label: "Histogram of the values; the numbers are below it", width: wide, height: 320, left: 76, x: { domain: [-amax * 1.03, amax * 1.03], title: `value${zeros ? ` (${percent(zeros / total)} are zero)` : ""}` }, y: { kind: "log", domain: [least, Math.max(...heights) * 1.5], title: "share of values in 1 % of the width", format: percent } });
  for (const bin of drawn) bar(picture, picture.x(bin.from), picture.x(bin.to), picture.y(Math.max(bin.height, least)), `${brief(bin.from)} to ${brief(bin.to)}: ${held(bin.count)}`);
  return { ...picture, place: (v) => (Math.abs(v) > amax * 1.03 ? null : picture.x(v)) };
}

// By magnitude: negative values on the left, every bin as wide as the others.
function byMagnitude(all, total, amax, wide) {
  const used = all.map((bin, i) => (bin.count && i !== SIDE + 1 ? (i < SIDE + 1 ? i : BINS - 1 - i) : -1)).filter((k) => k >= 0);
  const depth = Math.min(SIDE, Math.max(16, ...used.filter((k) => k < SIDE)) + 1); // steps below the largest
  const gap = 2;
  const at = (v) => (v === 0 ? 0 : Math.sign(v) * (Math.max(0, depth + 4 * Math.log2(Math.abs(v) / amax)) + gap));
  const shares = all.map((bin) => bin.count / total).filter(Boolean);
  const least = Math.min(...shares) / 2;
  const ticks = [];
  for (let k = 0; k <= depth; k += depth > 40 ? 16 : 8) for (const sign of [-1, 1]) ticks.push(sign * amax * 2 ** (-k / 4));
  const picture = plot({ label: "Histogram of the magnitudes; the numbers are below it", width: wide, height: 320, left: 76, x: { domain: [-depth - gap - 1, depth + gap + 1], title: "value, magnitudes on a logarithmic axis", ticks: [], }, y: { kind: "log", domain: [least, Math.max(...shares) * 1.5], title: "share of values in a bin", format: percent } });
  let end = -Infinity;
  for (const v of ticks.sort((a, b) => a - b)) {
    const x = picture.x(at(v));
    const words = brief(v, 2);
    const half = words.length * 3.4;
    if (x - half < end + 6) continue;
    end = x + half;
    picture.free.append(shape("text", { class: "tick", x, y: 320 - 28, "text-anchor": "middle" }, words));
  }
  all.forEach((bin, i) => {
    if (!bin.count) return;
    const words = `${brief(bin.from)} to ${brief(bin.to)}: ${held(bin.count)}`;
    if (bin.from === bin.to || i === SIDE || i === SIDE + 2) return bar(picture, picture.x(i === SIDE ? -gap : i === SIDE + 2 ? gap * 0.4 : -gap * 0.4), picture.x(i === SIDE ? -gap * 0.4 : i === SIDE + 2 ? gap : gap * 0.4), picture.y(bin.count / total), words);
    bar(picture, picture.x(at(bin.from)), picture.x(at(bin.to)), picture.y(bin.count / total), words);
  });
  return { ...picture, place: (v) => (Math.abs(v) > amax * 1.03 ? null : picture.x(at(v))) };
}

function bar(picture, from, to, top, words) {
  const bottom = picture.inside.y + picture.inside.height;
  picture.marks.append(hinted(shape("rect", { class: "bar", x: from, y: top, width: Math.max(0.75, to - from), height: Math.max(0, bottom - top) }), words));
}

function percent(share) {
  const value = 100 * share;
  return value >= 1e-3 ? `${+value.toPrecision(3)} %` : `${value.toExponential(0).replace("-", "−")} %`;
}

const CURVES = 4; // lines that can still be told apart

function transfer(t, p, wide) {
  const some = levelled(p);
  if (!some.length) return null;
  const amax = DATA.profiles.amax[p];
  if (!(amax > 0)) return null;
  const asked = state.choice.curves.split(",").map(decoded);
  const wanted = some.filter((f) => asked.includes(FORMATS[f].format));
  const first = chosenLevels(p);
  const shownCurves = state.choice.curves !== "" ? wanted : [first, ...some.filter((f) => f !== first && FORMATS[f].levels.length <= 33)].slice(0, 3);
  // As far as the levels go, and a little of what clips.
  const far = Math.min(amax, 1.4 * Math.max(...shownCurves.map((f) => scaleOf(p, f) * Math.max(-FORMATS[f].levels[0], FORMATS[f].levels.at(-1))))) || amax;
  const picture = plot({ label: "Reconstruction against value; how each format rounds", width: wide, height: 320, x: { domain: [-far, far], title: `value${far < amax ? ` (the tensor goes to ${brief(amax, 3)})` : ""}` }, y: { domain: [-far * 1.05, far * 1.05], title: "reconstruction" } });
  picture.marks.append(shape("line", { class: "ideal", x1: picture.x(-far), x2: picture.x(far), y1: picture.y(-far), y2: picture.y(far) }));
  const scales = [];
  shownCurves.forEach((f, i) => {
    const scale = scaleOf(p, f);
    scales.push(`${FORMATS[f].format} ${brief(scale)}`);
    const levels = FORMATS[f].levels.map((one) => one * scale);
    const d = levels.map((y, k) => {
      const until = Math.max(-far, Math.min(far, k + 1 < levels.length ? (y + levels[k + 1]) / 2 : far));
      return `${k ? `V${picture.y(y)}` : `M${picture.x(-far)},${picture.y(y)}`}H${picture.x(until)}`;
    }).join("");
    picture.marks.append(hinted(shape("path", { class: "curve", d, style: `stroke: ${series(i)}` }), FORMATS[f].format));
  });
  const chips = element("div", { class: "chips legend-chips", role: "group", "aria-label": "Curves" }, ...some.map((f) => {
    const on = shownCurves.indexOf(f);
    const box = element("input", { type: "checkbox", value: f, onchange: () => choose({ curves: list(FORMATS.filter((_, g) => (g === f ? box.checked : shownCurves.includes(g))).map((format) => format.format).slice(-CURVES)) || "none" }) });
    box.checked = on >= 0;
    const chip = element("label", { class: "chip" }, box, element("span", {}, FORMATS[f].format));
    if (on >= 0) chip.style.setProperty("--chip", series(on));
    return chip;
  }));
  const text = `Each value alone, at the median scale of the format's blocks (${scales.join(", ") || "no curve chosen"}). In the tensor every block has its own scale: a large value has a larger one.`;
  const table = () => smallTable("Levels at the median scale", [{ title: "format" }, { title: "scale", text: false }, { title: "levels × scale" }], shownCurves.map((f) => [{ node: FORMATS[f].format, look: "text" }, brief(scaleOf(p, f)), { node: FORMATS[f].levels.map((one) => brief(one * scaleOf(p, f))).join("  "), look: "text wrap" }]));
  return figure("Transfer curve", text, element("div", {}, chips, picture.svg), table);
}
