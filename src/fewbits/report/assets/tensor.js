// The page of one tensor: what it is, what each format makes of it, and why.

function tensorView() {
  const t = state.tensor;
  const metric = chosenMetric();
  $("tensor-name").textContent = TENSORS.shown[t].length > 300 ? cut(TENSORS.shown[t], 300) : TENSORS.shown[t];
  $("tensor-facts").replaceChildren(...facts(t).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, element("bdi", {}, value)))));
  neighbours(t);
  $("tensor-answer").replaceChildren(...answer(t, metric));
  const pictures = $("tensor-pictures");
  const wide = pictures.clientWidth > 900 ? Math.floor((pictures.clientWidth - 40) / 2) : room(pictures);
  keepFocus($("tensor"), () => {
    const p = profileOf(t);
    $("tensor-compare").replaceChildren(comparison(t, metric));
    pictures.replaceChildren(...[errorAgainstBits(t, metric, wide), ...(p < 0 ? [element("p", { class: "note" }, "This run has no profile of this tensor: no histogram, transfer curve or worst blocks. A scan without --no-profile makes them.")] : [histogram(t, p, wide), transfer(t, p, wide), blockSizes(t, p, wide)])].filter(Boolean));
    $("tensor-worst").replaceChildren(...(p < 0 ? [] : worstBlocks(t, p)));
  });
}

const profileOf = (t) => {
  const profiles = DATA.profiles;
  if (!profiles) return -1;
  if (!profiles.at) profiles.at = new Map(Array.from(profiles.tensor, (tensor, p) => [tensor, p]));
  return profiles.at.get(t) ?? -1;
};

function facts(t) {
  const p = profileOf(t);
  return [
    ["shape", of("shape", t) || "one value"], ["weights", counted(TENSORS.weights[t])], ["stored as", of("dtype", t)], ["layout", of("layout", t)],
    ["layer", of("layer", t)], ["role", plain(of("role", t) || " ").replace("(no name)", "")],
    ["largest |x|", p < 0 ? "" : brief(DATA.profiles.amax[p])], ["profile looked at", p < 0 ? "" : `${+(100 * DATA.profiles.looked_at[p]).toPrecision(3)} % of the values`],
  ].filter(([, value]) => value !== "");
}

// Previous and next in the order of the list, or of the tensors in sight.
function neighbours(t) {
  const order = listed.order?.includes(t) ? listed.order : indices(T, (other) => view.tensors[other]);
  const at = order.indexOf(t);
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    const other = at < 0 ? undefined : order[at + step];
    const link = $(id);
    link.hidden = other === undefined;
    if (other === undefined) continue;
    link.href = address({ tensor: other });
    link.title = cut(TENSORS.shown[other], 200);
  }
  $("tensor-place").textContent = at < 0 ? "not among the tensors in sight" : `${counted(at + 1)} of ${counted(order.length)}`;
}

function answer(t, metric) {
  const f = best(t, budget(), metric, run());
  if (f < 0) return [`No format that is shown takes at most ${brief(budget())} bits a weight here.`];
  const cell = t * F + f;
  const value = RUNS[run()].metrics[metric.name][cell];
  const away = drawable(metric, value) ? level(metric, value) - median(metric, run())[f] : NaN;
  const found = [`Up to ${brief(budget())} bits a weight, `, element("strong", {}, FORMATS[f].format), ` keeps the most: ${metric.name} ${said(metric, value)}${metric.unit === "dB" ? " dB" : ""} at ${brief(RUNS[run()].bits[cell])} bits, ${size(bytes(t, RUNS[run()].bits[cell]))}`];
  if (Number.isFinite(away)) {
    const better = goodIsUp(metric) ? away > 0 : away < 0;
    const unit = metric.axis === "linear" && metric.unit !== "dB" ? Math.abs(away).toFixed(4) : `${Math.abs(away).toFixed(1)} dB`;
    found.push(Math.abs(away) < 0.05 ? "; as the median of all tensors." : `; ${unit} ${better ? "better" : "worse"} than the median of all tensors.`);
  } else found.push(".");
  return found;
}

const COMPARED = ["sqnr_db", "pcc", "nmse", "mae", "atol", "max_rel", "zeroed", "saturated"];

// Every format that is shown on this tensor, by bits; the best at its bits are marked.
function comparison(t, metric) {
  const { metrics, bits } = RUNS[run()];
  const names = [metric.name, ...COMPARED.filter((name) => name !== metric.name && METRICS.has(name))];
  const some = shownFormats().filter((f) => measured(t * F + f, run())).map((f) => ({ f, bits: bits[t * F + f], good: goodness(metric, metrics[metric.name][t * F + f]) }));
  const worth = front(some);
  some.sort((a, b) => a.bits - b.bits || b.good - a.good);
  const usual = median(metric, run());
  const lines = some.map((one) => {
    const cell = t * F + one.f;
    const value = metrics[metric.name][cell];
    const away = drawable(metric, value) ? level(metric, value) - usual[one.f] : NaN;
    return [
      { node: worth.has(one) ? element("strong", {}, FORMATS[one.f].format) : FORMATS[one.f].format, look: "text" },
      brief(one.bits), size(bytes(t, one.bits)),
      ...names.map((name) => ({ text: said(METRICS.get(name), metrics[name][cell]), look: grade(METRICS.get(name), metrics[name][cell]), hint: Number.isNaN(metrics[name][cell]) ? reason(cell, run()) : null })),
      Number.isNaN(away) ? "–" : signed(away, metric.axis === "linear" && metric.unit !== "dB" ? 4 : 2),
    ];
  });
  const heads = [{ title: "format" }, { title: "bits", text: false }, { title: "size", text: false }, ...names.map((name) => ({ title: name, text: false, hint: METRICS.get(name).definition })), { title: "against median", text: false, hint: "How far this tensor is from the median of the format over all tensors, in decibels" }];
  const table = smallTable("Formats on this tensor", heads, lines, { id: "comparison" });
  return element("div", {}, table, element("p", { class: "caption" }, "Bold formats are worth their bits here: no other one shown has as few bits and less error."));
}

function errorAgainstBits(t, metric, wide) {
  const { metrics, bits } = RUNS[run()];
  const values = metrics[metric.name];
  const own = shownFormats().map((f) => ({ f, bits: bits[t * F + f], value: values[t * F + f], all: everywhere(f, metric, run()).value })).filter((one) => !Number.isNaN(one.bits));
  for (const one of own) one.good = goodness(metric, one.value);
  const worth = front(own);
  const y = metricAxis(metric, own.flatMap((one) => [one.value, one.all]));
  const [low, high] = [Math.min(...own.map((one) => one.bits), 4), Math.max(...own.map((one) => one.bits), 5)];
  const picture = plot({ label: `${metric.name} against bits for this tensor; the table beside it has the numbers`, width: wide, height: 320, x: { kind: high > 12 ? "bits" : "linear", domain: [Math.max(0, low - 0.3), high * 1.06], title: "bits a weight, scales and offsets included", format: String }, y });
  const best = goodIsUp(metric) !== Boolean(y.flip) ? y.domain[1] : y.domain[0];
  const place = (one) => picture.y(isExact(metric, one.value) ? best : one.value);
  const drawn = own.filter((one) => drawable(metric, one.value) || isExact(metric, one.value));
  const line = [...worth].filter((one) => drawn.includes(one)).sort((a, b) => a.bits - b.bits);
  const path = line.map((one, i) => (i ? `H${picture.x(one.bits)}V${place(one)}` : `M${picture.x(one.bits)},${place(one)}`)).join("");
  picture.marks.append(shape("path", { class: "front-line", d: path }));
  const taken = [];
  for (const one of drawn) {
    const at = picture.x(one.bits);
    if (drawable(metric, one.all)) picture.marks.append(hinted(shape("line", { class: "everywhere", x1: at - 6, x2: at + 6, y1: picture.y(one.all), y2: picture.y(one.all) }), `${FORMATS[one.f].format}, all tensors merged: ${said(metric, one.all)}`));
  }
  for (const one of drawn.sort((a, b) => worth.has(b) - worth.has(a))) {
    const [cx, cy] = [picture.x(one.bits), place(one)];
    const words = `${FORMATS[one.f].format}: ${said(metric, one.value)}, ${brief(one.bits)} bits`;
    const mark = isExact(metric, one.value) ? shape("path", { d: `M${cx},${cy - 1}l5,9h-10z`, class: worth.has(one) ? "point worth" : "point" }) : shape("circle", { cx, cy, r: worth.has(one) ? 5 : 4, class: worth.has(one) ? "point worth" : "point" });
    picture.free.append(hinted(mark, words));
    label(picture, taken, cx, cy, FORMATS[one.f].format, worth.has(one));
  }
  const missing = own.filter((one) => !drawn.includes(one)).map((one) => FORMATS[one.f].format);
  const text = `Points: this tensor; blue ones are the best at their bits. Ticks: all tensors merged.${missing.length ? ` Not drawn, being undefined: ${missing.join(", ")}.` : ""}`;
  const table = () => smallTable("Error against bits", [{ title: "format" }, { title: "bits", text: false }, { title: "this tensor", text: false }, { title: "all tensors", text: false }], own.map((one) => [{ node: FORMATS[one.f].format, look: "text" }, brief(one.bits), said(metric, one.value), said(metric, one.all)]));
  return figure("Error against bits", text, picture.svg, table);
}

// A name beside a point, where there is room; those that come first choose first.
function label(picture, taken, cx, cy, words, strong) {
  const width = words.length * 6.4 + 4;
  const { x, y, width: w, height: h } = picture.inside;
  const places = [[cx - 8, cy, "end"], [cx + 8, cy, "start"], [cx, cy - 12, "middle"], [cx, cy + 13, "middle"]];
  taken.push([cx - 5, cy - 5, cx + 5, cy + 5]);
  for (const [lx, ly, anchor] of places) {
    const from = anchor === "end" ? lx - width : anchor === "start" ? lx : lx - width / 2;
    const box = [from, ly - 7, from + width, ly + 7];
    if (box[0] < x || box[2] > x + w + 14 || box[1] < y - 10 || box[3] > y + h) continue;
    if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
    taken.push(box);
    picture.free.append(shape("text", { class: strong ? "label strong" : "label", x: lx, y: ly + 4, "text-anchor": anchor }, words));
    return;
  }
}
