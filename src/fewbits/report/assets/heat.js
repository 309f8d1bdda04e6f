// The heat map: a canvas that draws only what is in sight, the same cells as a table, and a cell that the keyboard moves.

const GRIDS = { tensors: "tensors × formats", layers: "layers × formats", roles: "roles × formats", "layer-role": "layers × roles" };
const CELL = 22; // pixels, the height of a row
const HEADROOM = 92; // for the names of columns

const map = { grid: null, shade: null, at: { row: 0, column: 0 }, table: null };

// A grid: rows and columns with names, what stands in a cell, and where a click leads.
const grids = {
  tensors() {
    const rows = indices(T, (t) => view.tensors[t]);
    const columns = shownFormats();
    const values = RUNS[run()].metrics[state.choice.metric];
    return {
      rows: rows.length, columns: columns.length,
      rowName: (i) => TENSORS.shown[rows[i]], columnName: (j) => FORMATS[columns[j]].format,
      value: (i, j) => values[rows[i] * F + columns[j]], format: (_, j) => columns[j],
      missing: (i, j) => !measured(rows[i] * F + columns[j], run()),
      facts: (i, j) => [["shape", of("shape", rows[i])], ["bits", brief(RUNS[run()].bits[rows[i] * F + columns[j]])], ["notes", flags(rows[i] * F + columns[j], run()).join(", ")]],
      place: (i) => ({ view: "tensor", tensor: rows[i] }), leads: "its page",
    };
  },
  layers: () => mergedGrid("layers", "layer", (name) => (name.match(/\d+(?!.*\d)/) || [""])[0]),
  roles: () => mergedGrid("roles", "role", (name) => name),
  "layer-role"() {
    const f = oneFormat();
    const values = RUNS[run()].metrics[state.choice.metric];
    const metric = chosenMetric();
    const names = (key) => [...new Set(Array.from(indices(T, (t) => view.tensors[t]), (t) => TENSORS[key].at[t]))].sort((a, b) => natural(TENSORS[key].values[a], TENSORS[key].values[b]));
    const [layers, roles] = [names("layer"), names("role")];
    const [rowOf, columnOf] = [layers, roles].map((list) => new Map(list.map((value, i) => [value, i])));
    // The worst tensor stands for its cell: experts of a layer, say.
    const worst = new Int32Array(layers.length * roles.length).fill(-1);
    const count = new Uint32Array(layers.length * roles.length);
    for (let t = 0; t < T; t++) {
      if (!view.tensors[t]) continue;
      const at = rowOf.get(TENSORS.layer.at[t]) * roles.length + columnOf.get(TENSORS.role.at[t]);
      count[at]++;
      const [now, before] = [values[t * F + f], worst[at] < 0 ? NaN : values[worst[at] * F + f]];
      if (worst[at] < 0 || Number.isNaN(before) || goodness(metric, now) < goodness(metric, before)) worst[at] = t;
    }
    const tensor = (i, j) => worst[i * roles.length + j];
    return {
      rows: layers.length, columns: roles.length,
      rowName: (i) => (TENSORS.layer.values[layers[i]] === "" ? "no layer" : `layer ${plain(TENSORS.layer.values[layers[i]])}`), columnName: (j) => plain(TENSORS.role.values[roles[j]]),
      value: (i, j) => (tensor(i, j) < 0 ? NaN : values[tensor(i, j) * F + f]), format: () => f,
      missing: (i, j) => tensor(i, j) < 0 || !measured(tensor(i, j) * F + f, run()),
      facts: (i, j) => [["format", FORMATS[f].format], ["tensor", tensor(i, j) < 0 ? "" : TENSORS.shown[tensor(i, j)]], ["shows", count[i * roles.length + j] > 1 ? `the worst of ${many(count[i * roles.length + j], "tensor")}` : ""]],
      place: (i, j) => (tensor(i, j) < 0 ? null : { view: "tensor", tensor: tensor(i, j) }), leads: "the tensor's page",
    };
  },
};

// Tensors merged: rows that still have a tensor in sight.
function mergedGrid(group, key, valueOf) {
  const merged = RUNS[run()].groups[group];
  const seen = view.count === T ? null : new Set(Array.from(indices(T, (t) => view.tensors[t]), GROUP_OF[group]));
  const rows = indices(merged.name.length, (i) => seen === null || seen.has(merged.name[i]));
  const columns = shownFormats();
  const values = merged.metrics[state.choice.metric];
  const at = (i, j) => rows[i] * F + columns[j];
  const name = (i) => merged.name[rows[i]];
  return {
    rows: rows.length, columns: columns.length,
    rowName: (i) => plain(name(i)), columnName: (j) => FORMATS[columns[j]].format,
    value: (i, j) => values[at(i, j)], format: (_, j) => columns[j],
    missing: (i, j) => Number.isNaN(merged.bits[at(i, j)]),
    facts: (i, j) => [["shows", "all its tensors, merged"], ["bits", brief(merged.bits[at(i, j)])]],
    place: (i) => ({ view: "heat", grid: "tensors", filter: TENSORS[key].values.includes(valueOf(name(i))) ? withKey(state.choice.filter, key, valueOf(name(i))) : name(i) }), leads: "its tensors",
  };
}

// What a tensor's merged rows are called: a layer by the beginning of the names up to its number, other tensors by their role.
const GROUP_OF = {
  layers: (t) => TENSORS.name[t].match(/^(?:[^.]*\.)*?\d{1,9}(?=\.|$)/)?.[0] ?? of("role", t),
  roles: (t) => of("role", t),
};

function indices(n, wanted) {
  const found = new Uint32Array(n);
  let count = 0;
  for (let i = 0; i < n; i++) if (wanted(i)) found[count++] = i;
  return found.subarray(0, count);
}

const shownFormats = () => [...view.formats.keys()].filter((f) => view.formats[f]);

function oneFormat() {
  const wanted = FORMATS.findIndex((format) => format.format === state.choice.one);
  if (wanted >= 0) return wanted;
  // The best of all within the budget: the one the answer names.
  const fits = points(METRICS.get(DATA.metrics[0].name)).filter((point) => point.bits <= budget() + SAME_BITS && !Number.isNaN(point.value));
  const good = (point) => goodness(METRICS.get(DATA.metrics[0].name), point.value);
  return fits.sort((a, b) => good(b) - good(a))[0]?.f ?? shownFormats()[0] ?? 0;
}

const gridName = () => (state.choice.grid in GRIDS ? state.choice.grid : T > 150 && new Set(TENSORS.layer.at).size > 1 ? "layer-role" : "tensors");

function heat() {
  const name = gridName();
  const metric = chosenMetric();
  map.grid = grids[name]();
  map.shade = shades(metric, state.choice.shade === "difference", run(), name === "layer-role" ? FORMATS.map((_, f) => f === oneFormat()) : view.formats);
  map.at = { row: Math.min(map.at.row, Math.max(0, map.grid.rows - 1)), column: Math.min(map.at.column, Math.max(0, map.grid.columns - 1)) };
  keepFocus($("heat-controls"), () =>
    $("heat-controls").replaceChildren(
      switcher("Cells", Object.entries(GRIDS), name, (grid) => choose({ grid })),
      switcher("Colour", [["value", "value"], ["difference", "difference from the format's median"]], state.choice.shade, (shade) => choose({ shade })),
      ...(name === "layer-role" ? [select("Format", shownFormats().map((f) => [FORMATS[f].format, FORMATS[f].format]), FORMATS[oneFormat()].format, (one) => choose({ one }))] : []),
    ),
  );
  $("heat-legend").replaceChildren(legend(metric, map.shade));
  const empty = map.grid.rows === 0 || map.grid.columns === 0;
  $("heat-note").textContent = empty
    ? "Nothing to show: every format or every name is filtered out."
    : `${many(map.grid.rows, "row")} × ${many(map.grid.columns, "column")}. A click or Enter leads to ${map.grid.leads}; arrows move. Grey cells are exact (marked), undefined (a dash) or not measured (empty).`;
  $("heat-scroll").hidden = empty;
  $("heat-scroll").scrollTop = 0;
  layOut();
  point();
  if ($("heat-numbers").open) heatTable();
}

// Sizes: names on the left, cells as wide as there is room.
function layOut() {
  const scroll = $("heat-scroll");
  const width = scroll.clientWidth;
  if (!width || !map.grid) return;
  const { rows, columns } = map.grid;
  const context = $("heat-canvas").getContext("2d");
  context.font = canvasFont(12);
  let longest = 60;
  for (let i = 0; i < rows; i += Math.max(1, Math.floor(rows / 300))) longest = Math.max(longest, context.measureText(cut(map.grid.rowName(i), 60)).width);
  map.names = Math.ceil(Math.min(longest + 14, width * 0.42, 380));
  map.cell = Math.max(20, Math.min(72, Math.floor((width - map.names - 2) / Math.max(1, columns))));
  map.wide = map.names + map.cell * columns + 1;
  map.high = HEADROOM + CELL * rows + 1;
  $("heat-space").style.width = `${map.wide}px`;
  $("heat-space").style.height = `${Math.min(map.high, MOST_PIXELS)}px`;
  scroll.style.height = `${Math.min(map.high + 2, Math.max(320, innerHeight * 0.74))}px`;
  scroll.setAttribute("aria-rowcount", rows);
  scroll.setAttribute("aria-colcount", columns);
  drawHeat();
}

const canvasFont = (pixels, weight = 400) => `${weight} ${pixels}px ${getComputedStyle(document.body).fontFamily}`;

function drawHeat() {
  const scroll = $("heat-scroll");
  const canvas = $("heat-canvas");
  const { grid, shade, names, cell } = map;
  const [width, height] = [scroll.clientWidth, scroll.clientHeight];
  if (!grid || !width || !height) return;
  const ratio = Math.max(1, devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [paper, ink, muted, line, accent] = ["--paper", "--ink", "--muted", "--empty", "--accent"].map(colour);
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.direction = "ltr";
  c.fillStyle = paper;
  c.fillRect(0, 0, width, height);
  const [left, top] = [scroll.scrollLeft, scroll.scrollTop];
  const [firstRow, lastRow] = [Math.floor(top / CELL), Math.min(grid.rows, Math.ceil((top + height - HEADROOM) / CELL))];
  const [firstColumn, lastColumn] = [Math.floor(left / cell), Math.min(grid.columns, Math.ceil((left + width - names) / cell))];
  const [x, y] = [(j) => names + j * cell - left, (i) => HEADROOM + i * CELL - top];
  const numbers = cell >= (chosenMetric().axis === "linear" || shade.relative ? 34 : 50);
  c.save();
  c.beginPath();
  c.rect(names, HEADROOM, width, height);
  c.clip();
  c.textAlign = "center";
  c.textBaseline = "middle";
  c.font = canvasFont(10.5);
  for (let i = firstRow; i < lastRow; i++) {
    for (let j = firstColumn; j < lastColumn; j++) {
      const missing = grid.missing(i, j);
      const value = grid.value(i, j);
      const look = missing ? null : shade.look(value, grid.format(i, j));
      if (missing) continue;
      c.fillStyle = look ? look.css : line;
      c.fillRect(x(j), y(i), cell - 1, CELL - 1);
      if (numbers || !look) {
        c.fillStyle = look ? look.ink : muted;
        c.fillText(shade.says(value, grid.format(i, j)), x(j) + (cell - 1) / 2, y(i) + CELL / 2);
      }
    }
  }
  c.restore();
  // Names of rows.
  c.save();
  c.beginPath();
  c.rect(0, HEADROOM, names, height);
  c.clip();
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.font = canvasFont(12);
  for (let i = firstRow; i < lastRow; i++) {
    c.fillStyle = i === map.at.row && document.activeElement === scroll ? accent : ink;
    c.fillText(fitted(c, grid.rowName(i), names - 14), 4, y(i) + CELL / 2);
  }
  c.restore();
  // Names of columns, turned.
  c.save();
  c.beginPath();
  c.rect(names - 6, 0, width, HEADROOM);
  c.clip();
  c.fillStyle = ink;
  c.font = canvasFont(11.5);
  c.textBaseline = "middle";
  for (let j = Math.max(0, firstColumn - 3); j < lastColumn; j++) {
    c.save();
    c.translate(x(j) + cell / 2 - 2, HEADROOM - 6);
    c.rotate(-Math.PI / 4);
    c.fillText(fitted(c, grid.columnName(j), 112), 0, 0);
    c.restore();
  }
  c.restore();
  if (document.activeElement === scroll) {
    c.save();
    c.beginPath();
    c.rect(names - 2, HEADROOM - 2, width, height);
    c.clip();
    c.strokeStyle = ink;
    c.lineWidth = 2;
    c.strokeRect(x(map.at.column) - 0.5, y(map.at.row) - 0.5, cell, CELL);
    c.restore();
  }
}

// A text that is no wider than it may be; names have their end, which tells them apart.
function fitted(c, text, width) {
  const whole = text.length > 200 ? cut(text, 200) : text;
  if (c.measureText(whole).width <= width) return whole;
  let [low, high] = [1, whole.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    c.measureText(`…${whole.slice(-middle)}`).width <= width ? (low = middle) : (high = middle - 1);
  }
  return `…${whole.slice(-low)}`;
}

function cellAt(event) {
  const box = $("heat-scroll").getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  if (px < map.names || py < HEADROOM) return py >= HEADROOM && px < map.names ? rowAt(py, 0) : null;
  return rowAt(py, Math.floor((px - map.names + $("heat-scroll").scrollLeft) / map.cell));
}

function rowAt(py, column) {
  const row = Math.floor((py - HEADROOM + $("heat-scroll").scrollTop) / CELL);
  return row < map.grid.rows && column < map.grid.columns ? { row, column } : null;
}

function cellText({ row, column }) {
  const { grid } = map;
  const metric = chosenMetric();
  const value = grid.missing(row, column) ? "not measured" : `${said(metric, grid.value(row, column))}${metric.unit && drawable(metric, grid.value(row, column)) ? ` ${metric.unit}` : ""}`;
  const middle = median(metric, run())[grid.format(row, column)];
  const away = level(metric, grid.value(row, column)) - middle;
  const facts = [[metric.name, value], ...grid.facts(row, column)];
  if (Number.isFinite(away)) facts.push(["against the format's median", `${away < 0 ? "−" : "+"}${Math.abs(away).toFixed(metric.axis === "linear" && metric.unit !== "dB" ? 4 : 2)}${metric.unit === "dB" || metric.axis !== "linear" ? " dB" : ""}`]);
  return { heading: `${grid.rowName(row)} · ${grid.columnName(column)}`, facts: facts.filter(([, text]) => text) };
}

// What the keyboard is on, in words.
function point() {
  if (!map.grid?.rows || !map.grid?.columns) return;
  const { heading, facts } = cellText(map.at);
  $("heat-cell").textContent = `${cut(heading, 160)}: ${facts.map(([name, text]) => `${name} ${cut(text, 120)}`).join(", ")}`;
  $("heat-cell").setAttribute("aria-colindex", map.at.column + 1);
  $("heat-row").setAttribute("aria-rowindex", map.at.row + 1);
}

function follow(place) {
  if (!place) return;
  const { view: name, tensor, ...changes } = place;
  location.hash = address({ view: name, ...(tensor === undefined ? {} : { tensor }), ...changes }).slice(1);
}

function heatTable() {
  const { grid } = map;
  const metric = chosenMetric();
  map.table ??= sheet($("heat-table"), "The heat map as a table", () => {});
  const columns = [
    { key: "name", title: "", label: "name", text: true, head: true, cell: (i) => (grid.place(i, 0)?.view === "tensor" && gridName() === "tensors" ? tensorLink(grid.place(i, 0).tensor) : grid.rowName(i)) },
    ...Array.from({ length: grid.columns }, (_, j) => ({ key: String(j), title: grid.columnName(j), label: grid.columnName(j), cell: (i) => (grid.missing(i, j) ? "" : said(metric, grid.value(i, j))) })),
  ];
  map.table.show(columns, Uint32Array.from({ length: grid.rows }, (_, i) => i), "");
}

function startHeat() {
  const scroll = $("heat-scroll");
  const tip = $("tip");
  scroll.addEventListener("scroll", drawHeat, { passive: true });
  scroll.addEventListener("focus", drawHeat);
  scroll.addEventListener("blur", drawHeat);
  scroll.addEventListener("click", (event) => {
    const at = cellAt(event);
    if (at) follow(map.grid.place(at.row, at.column));
  });
  scroll.addEventListener("pointermove", (event) => {
    const at = cellAt(event);
    scroll.style.cursor = at ? "pointer" : "default";
    at ? showTip(event, cellText(at)) : (tip.hidden = true);
  });
  scroll.addEventListener("pointerleave", () => (tip.hidden = true));
  scroll.addEventListener("keydown", (event) => {
    const { row, column } = map.at;
    const page = Math.max(1, Math.floor((scroll.clientHeight - HEADROOM) / CELL) - 1);
    const moves = { ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], PageUp: [row - page, column], PageDown: [row + page, column], Home: [event.ctrlKey ? 0 : row, 0], End: [event.ctrlKey ? map.grid.rows - 1 : row, map.grid.columns - 1] };
    if (event.key === "Enter") return follow(map.grid.place(row, column));
    const to = moves[event.key];
    if (!to) return;
    event.preventDefault();
    map.at = { row: Math.max(0, Math.min(map.grid.rows - 1, to[0])), column: Math.max(0, Math.min(map.grid.columns - 1, to[1])) };
    const [x, y] = [map.at.column * map.cell, map.at.row * CELL];
    const [wide, high] = [scroll.clientWidth - map.names, scroll.clientHeight - HEADROOM];
    scroll.scrollTop = Math.min(Math.max(scroll.scrollTop, y + CELL + 4 - high), y);
    scroll.scrollLeft = Math.min(Math.max(scroll.scrollLeft, x + map.cell + 4 - wide), x);
    point();
    drawHeat();
  });
  $("heat-numbers").addEventListener("toggle", () => $("heat-numbers").open && heatTable());
  new ResizeObserver(settled(() => state.view === "heat" && layOut(), 30)).observe($("heat-frame"));
}

// A note beside the pointer.
function showTip(event, { heading, facts }) {
  const tip = $("tip");
  tip.replaceChildren(element("strong", {}, cut(heading, 200)), element("dl", {}, ...facts.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, cut(text, 160))])));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
}
