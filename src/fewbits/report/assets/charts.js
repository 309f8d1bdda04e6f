"use strict";
// The pictures. Specifications come from the figures of fewbits; the page gives them rows of its table.

const READABLE = 4000; // cells; with more, the heat map has no numbers in it
const MANY = 150; // tensors; with more, the heat map begins with merged layers
const OPTIONS = {
  renderer: "svg", ast: true, actions: { export: true, source: false, compiled: false, editor: false },
  downloadFileName: "fewbits", tooltip: { theme: "custom" },
};

const views = {};

// Draw a specification into a place; of drawings that overtake each other, the last one asked for stays.
async function drawn(place, spec, rows) {
  const turn = (views[place]?.turn || 0) + 1;
  const before = views[place];
  views[place] = { turn, result: before?.result };
  const full = rows ? { ...spec, datasets: { table: rows } } : spec;
  const target = element("div");
  const result = await vegaEmbed(target, full, OPTIONS);
  if (views[place].turn !== turn) return result.finalize(), null;
  views[place].result?.finalize();
  views[place].result = result;
  $(place).replaceChildren(target);
  return result.view;
}

const visible = (row) => !state.hidden.has(row.format);
const forChart = (row) => ({ ...row, tensor: plain(row.tensor), shape: shape(row) });
const named = new Map(TENSORS.map((name) => [plain(name), name])); // by what charts show

function note(rows) {
  const missing = [...new Set(rows.filter((row) => row[state.metric] === null && !(row.flags || []).includes(`${state.metric}:inf`)).map((row) => row.format))];
  const metric = METRICS[state.metric];
  return `${state.metric}: ${metric.definition}.` + (missing.length ? ` Not drawn, being undefined: ${missing.join(", ")}.` : "");
}

// The formats shown that no other one shown beats: more accurate at as many bits, or as accurate at fewer.
function worth() {
  const metric = METRICS[state.metric];
  const good = (row) => {
    const value = row[metric.name];
    if (value === null) return (row.flags || []).includes(`${metric.name}:inf`) ? Infinity : null;
    return metric.higher ? value : -value;
  };
  const points = DATA.all.filter(visible).map((row) => ({ format: row.format, bits: row.bits, good: good(row) })).filter((p) => p.good !== null);
  const beats = (a, b) => (a.good > b.good && a.bits <= b.bits + DATA.same_bits) || (a.good >= b.good && a.bits < b.bits - DATA.same_bits);
  return points.filter((b) => !points.some((a) => beats(a, b))).map((p) => p.format);
}

async function accuracy() {
  const view = await drawn("accuracy", DATA.specs[state.metric].accuracy_bits);
  if (view) await view.signal("hidden", [...state.hidden]).signal("worth", worth()).runAsync();
  $("accuracy-note").textContent = note(DATA.all.filter(visible));
}

function heatRows() {
  const source = { tensors: ROWS, layers: DATA.layers, roles: DATA.roles }[$("rows").value];
  const words = $("heat-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  return source.filter((row) => visible(row) && words.every((word) => `${row.tensor} ${plain(row.tensor)}`.toLowerCase().includes(word)));
}

// Where the page is narrow, names take no more of it than cells do: they stay while the cells scroll.
function narrowed(part) {
  const { y } = part.encoding;
  const labelLimit = Math.min(y.axis.labelLimit, Math.round($("heat-scroll").clientWidth * 0.4));
  return { ...part, encoding: { ...part.encoding, y: { ...y, axis: { ...y.axis, labelLimit } } } };
}

async function heat() {
  const rows = heatRows();
  const spec = DATA.specs[state.metric][$("relative").value ? "heat_map_relative" : "heat_map"];
  const layer = spec.layer.filter((part) => part.name !== "values" || rows.length <= READABLE).map(narrowed);
  $("heat-note").textContent = rows.length ? "Exact cells are marked; a dash is an undefined value. Choose a row to see the tensor below." : "Nothing to show: every format or every name is filtered out.";
  const view = await drawn("heat", { ...spec, layer }, rows.map(forChart));
  if (!view) return;
  stick();
  view.addEventListener("click", (_, item) => {
    const name = named.get(item?.datum?.tensor);
    if (name !== undefined) choose(name);
  });
}

// Names of formats and tensors stay in sight while the cells scroll: the axes follow, on veils of the page's colour.
function stick() {
  const scroll = $("heat-scroll");
  const all = [...$("heat").querySelectorAll(".role-axis")];
  const axis = (name) => all.find((group) => (group.getAttribute("aria-label") || "").startsWith(`${name}-axis`));
  const [formats, tensors] = [axis("X"), axis("Y")];
  scroll.onscroll = null;
  if (!formats || !tensors) return;
  formats.parentNode.append(formats); // over the other axis
  const page = $("heat").getBoundingClientRect();
  const [above, beside] = [formats.getBBox(), tensors.getBBox()];
  const top = formats.getBoundingClientRect().top - page.top - 6;
  const left = tensors.getBoundingClientRect().left - page.left - 6;
  const veil = (x, y, width, height) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ class: "veil", x, y, width, height })) made.setAttribute(name, value);
    return made;
  };
  const under = [veil(0, above.y - 6, above.width + 400, above.height + 8), veil(beside.x - 6, beside.y - 6, beside.width + 8, beside.height + 12)];
  const corner = veil(beside.x - 6, above.y - 6, beside.width + 8, above.height + 8);
  const shown = (rect, group, where, wanted) => (wanted ? rect.parentNode || group[where](rect) : rect.remove());
  scroll.onscroll = () => {
    const [down, right] = [Math.max(0, scroll.scrollTop - top), Math.max(0, scroll.scrollLeft - left)];
    formats.style.transform = `translateY(${down}px)`;
    tensors.style.transform = `translateX(${right}px)`;
    corner.style.transform = `translateX(${right}px)`;
    shown(under[0], formats, "prepend", down);
    shown(under[1], tensors, "prepend", right);
    shown(corner, formats, "append", down || right);
  };
  scroll.onscroll();
}

async function tensor() {
  const own = ROWS.filter((row) => row.tensor === state.tensor && visible(row));
  const first = own[0];
  $("tensor-facts").textContent = first ? `${shape(first) || "one value"} · ${first.dtype} · role ${first.role}` : "";
  $("tensor-note").textContent = note(own);
  await drawn("tensor-chart", DATA.specs[state.metric].tensor_formats, [...DATA.all.filter(visible), ...own].map(forChart));
}

function choose(name) {
  state.tensor = name;
  $("tensor").value = name;
  changed("tensor");
}

for (const name of TENSORS) $("tensor").append(element("option", plain(name), { value: name }));
$("tensor").addEventListener("change", () => choose($("tensor").value));
$("rows").value = TENSORS.length > MANY ? "layers" : "tensors";
for (const id of ["rows", "relative"]) $(id).addEventListener("change", heat);
$("heat-filter").addEventListener("input", heat);

watchers.push((what) => {
  if (what === "metric") accuracy();
  if (what === "formats") {
    views.accuracy?.result?.view.signal("hidden", [...state.hidden]).signal("worth", worth()).runAsync();
    $("accuracy-note").textContent = note(DATA.all.filter(visible));
  }
  if (what !== "tensor") heat();
  tensor();
});
const ready = Promise.all([accuracy(), heat(), tensor()]).then(() => document.documentElement.setAttribute("data-ready", ""));
