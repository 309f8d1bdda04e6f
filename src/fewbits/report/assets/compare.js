// Two runs side by side: the same tensors, by name, in the same formats, by spec.

const compared = { sheet: null };

function compare() {
  const metric = chosenMetric();
  const [a, b] = [run(), +state.choice.other === run() ? (run() + 1) % RUNS.length : +state.choice.other];
  const names = RUNS.map((one, r) => [String(r), cut(plain(one.name), 40)]);
  keepFocus($("compare-controls"), () =>
    $("compare-controls").replaceChildren(
      select("First run", names, String(a), (r) => choose({ run: r, other: String(b === +r ? a : b) })),
      select("Second run", names, String(b), (r) => choose({ other: r, run: String(a === +r ? b : a) })),
    ),
  );
  const [left, right] = [a, b].map((r) => RUNS[r].metrics[metric.name]);
  const both = (cell) => measured(cell, a) && measured(cell, b);
  const rows = indices(T * F, (cell) => inSight(tensorOf(cell), formatOf(cell)) && both(cell));
  summary(metric, a, b, rows);
  $("compare-picture").replaceChildren(beforeAndAfter(metric, a, b));
  // Positive: the second run is better.
  const change = (cell) => {
    if (!drawable(metric, left[cell]) || !drawable(metric, right[cell])) return left[cell] === right[cell] ? 0 : NaN;
    return (goodIsUp(metric) ? 1 : -1) * (level(metric, right[cell]) - level(metric, left[cell]));
  };
  const unit = metric.unit === "dB" || metric.axis !== "linear" ? "dB" : "";
  const value = (key, r, values) => ({ key, title: cut(plain(RUNS[r].name), 24), label: `${metric.name} in ${plain(RUNS[r].name)}`, cell: (cell) => said(metric, values[cell]), sort: (cell) => shown(metric, values[cell]) });
  const columns = [
    { key: "tensor", title: "tensor", label: "tensor", text: true, head: true, cell: (cell) => tensorLink(tensorOf(cell)), sort: tensorOf, hint: (cell) => cut(TENSORS.shown[tensorOf(cell)], 400) },
    { key: "format", title: "format", label: "format", text: true, cell: (cell) => FORMATS[formatOf(cell)].format, hint: (cell) => FORMATS[formatOf(cell)].spec, sort: formatOf },
    { key: "bits", title: "bits", label: "bits a weight", cell: (cell) => brief(RUNS[b].bits[cell]), sort: (cell) => RUNS[b].bits[cell] },
    value("first", a, left),
    value("second", b, right),
    { key: "change", title: unit ? `better by, ${unit}` : "better by", label: "How much better the second run is", look: (cell) => (change(cell) > 0 ? "good" : change(cell) < 0 ? "bad" : null), cell: (cell) => (Number.isNaN(change(cell)) ? "–" : change(cell) === 0 ? "same" : signed(change(cell), unit ? 3 : 5)), sort: change },
    { key: "size", title: "size of the change", label: "The difference without its sign", cell: (cell) => (Number.isNaN(change(cell)) ? "–" : brief(Math.abs(change(cell)), 3)), sort: (cell) => Math.abs(change(cell)) },
  ];
  compared.sheet ??= sheet($("compare-table"), "Both runs", (sort) => choose({ sort }));
  const known = columns.some((column) => column.key === state.choice.sort.replace(/^-/, ""));
  compared.sheet.show(columns, rows, known ? state.choice.sort : "-size");
}

function summary(metric, a, b, rows) {
  const count = { same: 0, better: 0, worse: 0, other: 0 };
  const [left, right] = [a, b].map((r) => RUNS[r].metrics[metric.name]);
  for (const cell of rows) {
    const [x, y] = [goodness(metric, left[cell]), goodness(metric, right[cell])];
    count[x === y || (Number.isNaN(x) && Number.isNaN(y)) ? "same" : y > x ? "better" : y < x ? "worse" : "other"]++;
  }
  const only = (r, s) => {
    let found = 0;
    for (let cell = 0; cell < T * F; cell++) if (inSight(tensorOf(cell), formatOf(cell)) && measured(cell, r) && !measured(cell, s)) found++;
    return found;
  };
  const [first, second] = [a, b].map((r) => cut(plain(RUNS[r].name), 40));
  $("compare-summary").replaceChildren(
    element("strong", {}, `${many(rows.length, "measurement")} in both: `),
    `${metric.name} is the same in ${counted(count.same)}, better in the second in ${counted(count.better)}, worse in ${counted(count.worse)}${count.other ? `, defined in one alone in ${counted(count.other)}` : ""}. Only in ${first}: ${counted(only(a, b))}; only in ${second}: ${counted(only(b, a))}.`,
  );
}

// All tensors merged: each format in both runs.
function beforeAndAfter(metric, a, b) {
  const own = FORMATS.map((format, f) => ({ format, first: everywhere(f, metric, a), second: everywhere(f, metric, b) })).filter((_, f) => view.formats[f]);
  const values = own.flatMap((one) => [one.first.value, one.second.value]);
  const bits = own.flatMap((one) => [one.first.bits, one.second.bits]).filter((value) => !Number.isNaN(value));
  if (!values.some((value) => drawable(metric, value))) return element("p", { class: "note" }, "No format in sight has a value to draw.");
  const [low, high] = [Math.min(4, ...bits), Math.max(5, ...bits)];
  const picture = plot({ label: "All tensors merged, each format in both runs; the numbers are below", width: room($("compare-picture"), 1000), height: 340, x: { kind: high > 12 ? "bits" : "linear", domain: [Math.max(0, low - 0.3), high * 1.06], title: "bits a weight, scales and offsets included", format: String }, y: metricAxis(metric, values) });
  const taken = [];
  for (const { format, first, second } of own) {
    const ends = [first, second].map((one) => (drawable(metric, one.value) ? [picture.x(one.bits), picture.y(one.value)] : null));
    if (ends[0] && ends[1]) picture.marks.append(shape("line", { class: "whisker", x1: ends[0][0], y1: ends[0][1], x2: ends[1][0], y2: ends[1][1] }));
    if (ends[0]) picture.free.append(hinted(shape("circle", { class: "point", cx: ends[0][0], cy: ends[0][1], r: 6 }), `${format.format}, first: ${said(metric, first.value)}`));
    if (ends[1]) picture.free.append(hinted(shape("rect", { class: "point worth", x: ends[1][0] - 4, y: ends[1][1] - 4, width: 8, height: 8 }), `${format.format}, second: ${said(metric, second.value)}`));
    const at = ends[1] || ends[0];
    if (at) label(picture, taken, at[0], at[1], format.format, false);
  }
  const table = () => smallTable("Both runs, all tensors merged", [{ title: "format" }, { title: "bits", text: false }, { title: "first", text: false }, { title: "second", text: false }], own.map(({ format, first, second }) => [{ node: format.format, look: "text" }, brief(Number.isNaN(second.bits) ? first.bits : second.bits), said(metric, first.value), said(metric, second.value)]));
  return figure("All tensors merged", "Rings: the first run. Blue squares: the second; a square inside its ring is the same value. Formats of only one run have one mark; exact ones have none.", picture.svg, table);
}
