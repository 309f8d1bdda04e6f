// Every measurement: one row for each tensor and format.

const FEW = ["sqnr_db", "pcc", "nmse", "mae", "atol", "max_rel", "zeroed", "saturated"];
const measurementsTable = { sheet: null, rank: null };

const tensorOf = (cell) => Math.floor(cell / F);
const formatOf = (cell) => cell % F;

function measurements() {
  const all = state.choice.columns === "all";
  measurementsTable.sheet ??= sheet($("measurements"), "Measurements", (sort) => choose({ sort }));
  const rows = indices(T * F, (cell) => inSight(tensorOf(cell), formatOf(cell)) && measured(cell, run()));
  const found = measurementsTable.sheet.show(columnsOf(all), rows, state.choice.sort);
  $("measurements-count").textContent = many(found.length, "measurement");
  keepFocus($("measurements-controls"), () => {
    const box = element("input", { type: "checkbox", id: "columns", onchange: () => choose({ columns: box.checked ? "all" : "" }) });
    box.checked = all;
    $("measurements-controls").replaceChildren(element("label", { class: "check" }, box, "all columns"), element("button", { type: "button", id: "csv", onclick: csv }, "Save as CSV"));
  });
}

function columnsOf(all) {
  const { metrics, bits, seconds, errors } = RUNS[run()];
  const rank = (measurementsTable.rank ??= Object.fromEntries(["layer", "role", "shape", "dtype", "layout"].map((key) => [key, ranks(TENSORS[key].values)])));
  const formatRank = ranks(FORMATS.map((format) => format.format));
  const text = (key, title) => ({ key, title, label: title, text: true, cell: (cell) => cut(plain(of(key, tensorOf(cell)) || " "), 40).replace("(no name)", ""), sort: (cell) => rank[key][TENSORS[key].at[tensorOf(cell)]] });
  const number = (key, title, values, write, label = title) => ({ key, title, label, cell: (cell) => write(values[cell]), sort: (cell) => values[cell] });
  const metric = (one) => ({
    key: one.name, title: one.name, label: one.definition,
    cell: (cell) => said(one, metrics[one.name][cell]),
    sort: (cell) => shown(one, metrics[one.name][cell]),
    look: (cell) => grade(one, metrics[one.name][cell]),
    hint: (cell) => (Number.isNaN(metrics[one.name][cell]) ? reason(cell, run()) : null),
  });
  const wanted = DATA.metrics.filter((one) => all || FEW.includes(one.name) || one.name === state.choice.metric);
  return [
    { key: "tensor", title: "tensor", label: "tensor", text: true, head: true, cell: (cell) => tensorLink(tensorOf(cell)), sort: tensorOf, hint: (cell) => cut(TENSORS.shown[tensorOf(cell)], 400) },
    ...(all ? [text("layer", "layer"), text("role", "role")] : []),
    text("shape", "shape"),
    text("dtype", "stored as"),
    ...(all ? [text("layout", "layout")] : []),
    { key: "format", title: "format", label: "format", text: true, cell: (cell) => FORMATS[formatOf(cell)].format, hint: (cell) => FORMATS[formatOf(cell)].spec, sort: (cell) => formatRank[formatOf(cell)] },
    number("bits", "bits", bits, (value) => brief(value), "bits a weight"),
    ...wanted.flatMap((one) => [metric(one), ...(errors[one.name] ? [number(`${one.name}_se`, `${one.name} ±`, errors[one.name], (value) => brief(value, 2), `standard error of ${one.name}`)] : [])]),
    ...(all ? [number("seconds", "seconds", seconds, (value) => brief(value, 3))] : []),
    { key: "flags", title: "notes", label: "notes", text: true, cell: (cell) => cut(plain(flags(cell, run()).join(", ") || " "), 60).replace("(no name)", "") },
  ];
}

// What is in sight, all columns, numbers as they are.
function csv() {
  const { metrics, bits, seconds, errors } = RUNS[run()];
  const quoted = (value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const number = (value) => (Number.isNaN(value) ? "" : value === Infinity ? "inf" : String(+value.toPrecision(6)));
  const facts = ["layer", "role", "shape", "dtype", "layout"];
  const names = DATA.metrics.map((metric) => metric.name);
  const errorNames = Object.keys(errors);
  const head = ["tensor", ...facts, "format", "spec", "bits", ...names, ...errorNames.map((name) => `${name}_se`), "seconds", "flags"];
  const lines = Array.from(measurementsTable.sheet.rows, (cell) => {
    const [t, format] = [tensorOf(cell), FORMATS[formatOf(cell)]];
    return [
      ...[TENSORS.name[t], ...facts.map((key) => of(key, t)), format.format, format.spec].map(quoted),
      number(bits[cell]), ...names.map((name) => number(shown(METRICS.get(name), metrics[name][cell]))), ...errorNames.map((name) => number(errors[name][cell])),
      number(seconds[cell]), quoted(flags(cell, run()).join(";")),
    ].join(",");
  });
  save("measurements.csv", "text/csv", [`${[head.join(","), ...lines].join("\n")}\n`]);
}
