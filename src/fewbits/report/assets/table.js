"use strict";
// The table of measurements: filter, sort, page by page, CSV. And sorting of the ranking, which is plain HTML.

const PAGE = 250;
const TEXT = new Set(["model", "tensor", "role", "dtype", "format", "spec", "encoder", "evidence", "flags", "shape"]);
const FEW = ["tensor", "shape", "dtype", "format", "bits", "sqnr_db", "pcc", "nmse", "mae", "atol", "max_rel", "zeroed", "saturated", "flags"];
const natural = new Intl.Collator("en", { numeric: true }).compare;

const table = { sort: null, down: false, pages: 1, rows: [] };

function columns() {
  return $("columns").checked ? COLUMNS : FEW.filter((name) => COLUMNS.includes(name));
}

function text(row, name) {
  if (name === "shape") return shape(row);
  if (name === "flags") return (row.flags || []).join(", ");
  const value = row[name];
  if (METRICS[name]) return written(value, METRICS[name].digits);
  if (name === "bits") return String(+value.toFixed(4));
  if (name === "seconds") return written(value, ".4f");
  if (name.endsWith("_se")) return value === null ? "–" : value.toExponential(1);
  return value === null || value === undefined ? "–" : plain(String(value));
}

// The colour class of a value, where the metric has classes.
function grade(name, value) {
  const m = METRICS[name];
  if (!m || m.good === null || value === null) return "";
  const at = (bound) => (m.higher ? value >= bound : value <= bound);
  return at(m.good) ? "good" : at(m.fair) ? "fair" : "bad";
}

// Undefined values come last whichever way the order runs; an exact one counts as the best.
function compared(name, down) {
  const sign = down ? -1 : 1;
  if (TEXT.has(name)) return (a, b) => sign * natural(text(a, name), text(b, name));
  const value = (row) => row[name] ?? ((row.flags || []).includes(`${name}:inf`) ? Infinity : null);
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  };
}

function cell(row, name) {
  const td = element(name === "tensor" ? "th" : "td", text(row, name));
  if (name === "tensor") {
    td.scope = "row";
    td.title = td.textContent; // long ones are cut
  }
  if (TEXT.has(name)) td.className = "text";
  else {
    td.className = grade(name, row[name]);
    if (row[name] === null && METRICS[name]) td.title = reason(row, name);
  }
  return td;
}

function head() {
  const line = element("tr");
  for (const name of columns()) {
    const th = element("th", undefined, { scope: "col" });
    if (TEXT.has(name)) th.className = "text";
    if (METRICS[name]) th.title = METRICS[name].definition;
    if (table.sort === name) th.setAttribute("aria-sort", table.down ? "descending" : "ascending");
    const button = element("button", name, { type: "button" });
    button.addEventListener("click", () => {
      table.down = table.sort === name ? !table.down : false;
      table.sort = name;
      refresh();
      [...$("measurements").tHead.querySelectorAll("button")].find((b) => b.textContent === name)?.focus();
    });
    th.append(button);
    line.append(th);
  }
  $("measurements").tHead.replaceChildren(line);
}

function body() {
  const names = columns();
  const some = table.rows.slice(0, table.pages * PAGE);
  $("measurements").tBodies[0].replaceChildren(
    ...some.map((row) => {
      const line = element("tr");
      line.append(...names.map((name) => cell(row, name)));
      return line;
    }),
  );
  $("more").hidden = some.length === table.rows.length;
  $("more").textContent = `Show more (${table.rows.length - some.length} left)`;
  $("shown").textContent = `${table.rows.length.toLocaleString("en")} of ${ROWS.length.toLocaleString("en")} rows`;
}

function refresh() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (row) => {
    const all = `${row.tensor} ${plain(row.tensor)} ${row.role} ${row.format} ${row.spec} ${row.dtype} ${shape(row)} ${(row.flags || []).join(" ")}`.toLowerCase();
    return words.every((word) => all.includes(word));
  };
  table.rows = ROWS.filter((row) => visible(row) && matches(row));
  if (table.sort) table.rows.sort(compared(table.sort, table.down));
  table.pages = 1;
  head();
  body();
}

function csv() {
  const quoted = (value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const raw = (row, name) => (name === "shape" ? (row.shape || []).join("x") : name === "flags" ? (row.flags || []).join(";") : String(row[name] ?? ""));
  const lines = [COLUMNS, ...table.rows.map((row) => COLUMNS.map((name) => quoted(raw(row, name))))];
  const link = element("a", undefined, { download: "measurements.csv" });
  link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",") + "\n").join("")], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function sortable(ranking) {
  const heads = [...ranking.tHead.rows[0].cells];
  heads.forEach((th, i) => {
    th.firstElementChild.addEventListener("click", () => {
      const down = th.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[i].dataset.value;
      const words = th.classList.contains("text");
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (words) return (down ? -1 : 1) * natural(x, y);
        return x === "" || y === "" ? (x === "") - (y === "") : (down ? -1 : 1) * (Number(x) === Number(y) ? 0 : Number(x) - Number(y));
      };
      ranking.tBodies[0].append(...[...ranking.tBodies[0].rows].sort(order));
    });
  });
}

$("filter").addEventListener("input", refresh);
$("columns").addEventListener("change", refresh);
$("more").addEventListener("click", () => (table.pages++, body()));
$("csv").addEventListener("click", csv);
watchers.push((what) => what === "formats" && refresh());
sortable($("ranking"));
refresh();
