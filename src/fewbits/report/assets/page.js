"use strict";
// Data, state and the toolbar. What the page shows depends on `state` alone; `changed` redraws what looks at it.

const DATA = JSON.parse(document.getElementById("data").textContent);
const METRICS = Object.fromEntries(DATA.metrics.map((m) => [m.name, m]));
const $ = (id) => document.getElementById(id);

// Rows of the table, made of its columns: texts are stored once each, as `values` and the place `at` each row.
const ROWS = (() => {
  const names = Object.keys(DATA.table);
  const first = DATA.table[names[0]];
  const length = (Array.isArray(first) ? first : first.at).length;
  const rows = new Array(length);
  for (let i = 0; i < length; i++) {
    const row = {};
    for (const name of names) {
      const column = DATA.table[name];
      row[name] = Array.isArray(column) ? column[i] : column.values[column.at[i]];
    }
    rows[i] = row;
  }
  return rows;
})();
const COLUMNS = Object.keys(DATA.table);
const TENSORS = [...new Set(ROWS.map((row) => row.tensor))];

const state = { metric: DATA.metrics[0].name, hidden: new Set(), tensor: TENSORS[0] };
const watchers = [];
const changed = (what) => watchers.forEach((watch) => watch(what));

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A number as Python's `.3e`, `.5f` or `.2f` would write it; an en dash for null.
function written(value, digits) {
  if (value === null || value === undefined) return "–";
  if (digits.endsWith("f")) return value.toFixed(parseInt(digits.slice(1)));
  const [mantissa, exponent] = value.toExponential(parseInt(digits.slice(1))).split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

// What a null of a metric stands for, from the row's flags.
function reason(row, name) {
  const flag = (row.flags || []).find((f) => f.startsWith(`${name}:`));
  if (!flag) return (row.flags || []).join(", ") || "not measured";
  const kind = flag.slice(name.length + 1);
  return kind === "inf" ? "infinite: the reconstruction is exact" : kind === "undefined" ? "undefined for this tensor" : flag;
}

// A name as it can be read: characters that are invisible or turn the text around (and the ‹ of these marks) by their codes.
function plain(name) {
  const mark = (c) => `‹U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`;
  return name.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}‹]/gu, mark);
}

function shape(row) {
  return (row.shape || []).join("×");
}

(function toolbar() {
  for (const m of DATA.metrics) {
    $("metric").append(element("option", m.unit ? `${m.name} [${m.unit}]` : m.name, { value: m.name, title: m.definition }));
  }
  $("metric").addEventListener("change", () => {
    state.metric = $("metric").value;
    changed("metric");
  });
  for (const f of DATA.formats) {
    const button = element("button", f.format, { type: "button", "aria-pressed": "true", title: `${f.spec} · ${+f.bits.toFixed(4)} bits` });
    button.addEventListener("click", () => {
      state.hidden.has(f.format) ? state.hidden.delete(f.format) : state.hidden.add(f.format);
      show();
    });
    $("formats").append(button);
  }
  const show = () => {
    DATA.formats.forEach((f, i) => $("formats").children[i].setAttribute("aria-pressed", String(!state.hidden.has(f.format))));
    changed("formats");
  };
  const choices = { all: () => false, none: () => true, front: (f) => !f.front };
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      state.hidden = new Set(DATA.formats.filter(choices[button.dataset.show]).map((f) => f.format));
      show();
    });
  }
  $("toolbar").addEventListener("submit", (event) => event.preventDefault());
})();
