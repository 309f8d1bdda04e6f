// The list of tensors: what each is, its best format within the budget, and all its formats as a strip of colours.

const listed = { sheet: null };

function tensorsView() {
  const metric = chosenMetric();
  const values = RUNS[run()].metrics[metric.name];
  const bits = RUNS[run()].bits;
  const winner = new Int16Array(T).fill(-1);
  const rows = indices(T, (t) => view.tensors[t]);
  for (const t of rows) winner[t] = best(t, budget(), metric, run());
  const usual = median(metric, run());
  const gap = (t) => (winner[t] < 0 || !drawable(metric, values[t * F + winner[t]]) ? NaN : level(metric, values[t * F + winner[t]]) - usual[winner[t]]);
  const shade = shades(metric, true, run(), view.formats);
  const formats = shownFormats();
  const rank = Object.fromEntries(["role", "dtype", "shape", "layer"].map((key) => [key, ranks(TENSORS[key].values)]));
  const text = (key, title) => ({ key, title, label: title, text: true, cell: (t) => cut(plain(of(key, t) || " "), 40).replace("(no name)", ""), sort: (t) => rank[key][TENSORS[key].at[t]] });
  const columns = [
    { key: "tensor", title: "tensor", label: "tensor", text: true, head: true, cell: (t) => tensorLink(t), sort: (t) => t, hint: (t) => cut(TENSORS.shown[t], 400) },
    { key: "best", title: `best ≤ ${brief(budget())} bits`, label: "The format with the least error within the budget", text: true, look: () => "strong", cell: (t) => (winner[t] < 0 ? "–" : FORMATS[winner[t]].format), sort: (t) => (winner[t] < 0 ? NaN : winner[t]) },
    { key: "value", title: metric.name, label: metric.definition, cell: (t) => (winner[t] < 0 ? "–" : said(metric, values[t * F + winner[t]])), sort: (t) => (winner[t] < 0 ? NaN : shown(metric, values[t * F + winner[t]])) },
    { key: "gap", title: metric.unit === "dB" || metric.axis !== "linear" ? "against median, dB" : "against median", label: "How far this tensor is from the median of that format", cell: (t) => (Number.isNaN(gap(t)) ? "–" : signed(gap(t), metric.axis === "linear" && metric.unit !== "dB" ? 4 : 2)), sort: gap },
    { key: "size", title: "size", label: "Bytes in that format", cell: (t) => (winner[t] < 0 ? "–" : size(bytes(t, bits[t * F + winner[t]]))), sort: (t) => (winner[t] < 0 ? NaN : bytes(t, bits[t * F + winner[t]])) },
    { key: "strip", title: "formats by bits", label: "Every format: the difference from its median, red is worse, blue is better", text: true, cell: (t) => strip(t, formats, values, shade) },
    { key: "weights", title: "weights", label: "weights", cell: (t) => counted(TENSORS.weights[t]), sort: (t) => TENSORS.weights[t] },
    text("shape", "shape"),
    text("dtype", "stored as"),
    text("layer", "layer"),
    text("role", "role"),
  ];
  keepFocus($("tensors-controls"), () => $("tensors-controls").replaceChildren(budgetControl()));
  listed.sheet ??= sheet($("tensors-table"), "Tensors", (sort) => choose({ sort }));
  listed.sheet.show(columns, rows, state.choice.sort);
  listed.order = listed.sheet.rows;
  $("tensors-note").textContent = rows.length ? "" : "No tensor has what the filter asks for.";
}

const signed = (value, digits = 2) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

function strip(t, formats, values, shade) {
  const made = element("span", { class: "strip", "aria-hidden": "true" });
  for (const f of formats) {
    const look = shade.look(values[t * F + f], f);
    const cell = element("i");
    if (look) cell.style.background = look.css;
    made.append(cell);
  }
  return made;
}
