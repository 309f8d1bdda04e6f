// A table of any length: only the rows in sight exist, between two empty ones that are as high as those left out.
//
// A column is { key, title, label, text, wide, cell(row) → text or node, look(row) → class, hint(row) → title, sort(row) → number }.

const LINE = 31; // pixels a row
const MOST_PIXELS = 12e6; // browsers draw no element that is much higher
const BEYOND = 12; // rows drawn above and below what is in sight

function sheet(host, label, onSort) {
  const table = element("table", { class: "data sheet" });
  const scroller = element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": label }, table);
  const head = table.createTHead();
  const body = table.createTBody();
  const [above, below] = ["above", "below"].map((name) => element("tr", { class: name, "aria-hidden": "true" }, element("td")));
  host.replaceChildren(scroller);
  let columns = [];
  let rows = [];
  let made = new Map();

  // The scroll bar's pixels stand for more rows where there are very many.
  const scale = () => Math.max(1, (rows.length * LINE) / MOST_PIXELS);
  const first = () => Math.max(0, Math.floor((scroller.scrollTop * scale()) / LINE) - BEYOND);

  function draw() {
    const from = Math.min(first(), Math.max(0, rows.length - 1));
    const to = Math.min(rows.length, from + Math.ceil((scroller.clientHeight || 600) / LINE) + 2 * BEYOND);
    // Rows that stay are kept as they are, and the focus in them.
    const kept = new Map();
    for (const [i, line] of made) i >= from && i < to ? kept.set(i, line) : line.remove();
    for (let i = from, next = above.nextSibling; i < to; i++) {
      const line = kept.get(i) || drawLine(i);
      if (line !== next) body.insertBefore(line, next);
      next = line.nextSibling;
      kept.set(i, line);
    }
    made = kept;
    above.firstChild.style.height = `${(from * LINE) / scale()}px`;
    below.firstChild.style.height = `${Math.max(0, (rows.length - to) * LINE) / scale()}px`;
  }

  function drawLine(i) {
    const row = rows[i];
    const line = element("tr", { "aria-rowindex": i + 2 });
    for (const column of columns) {
      const cell = element(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: [column.text ? "text" : "", column.look?.(row) || ""].join(" ").trim() || null, title: column.hint?.(row) });
      cell.append(column.cell(row));
      line.append(cell);
    }
    return line;
  }

  function drawHead(sort) {
    const line = element("tr", { "aria-rowindex": 1 });
    const focused = head.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    for (const column of columns) {
      const down = sort === `-${column.key}`;
      const sorted = down || sort === column.key;
      const cell = element("th", { scope: "col", class: column.text ? "text" : null, title: column.label, "aria-sort": sorted ? (down ? "descending" : "ascending") : null });
      if (column.sort) cell.append(element("button", { type: "button", "data-key": column.key, onclick: () => onSort(sorted && !down ? `-${column.key}` : column.key) }, column.title));
      else cell.append(column.title);
      line.append(cell);
    }
    head.replaceChildren(line);
    if (focused !== null) [...head.querySelectorAll("button")].find((button) => button.dataset.key === focused)?.focus();
  }

  scroller.addEventListener("scroll", draw, { passive: true });
  new ResizeObserver(draw).observe(scroller);

  // Up and down move along a column of links.
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const line = event.target.closest("tr");
    if (!step || !line) return;
    event.preventDefault();
    const i = +line.getAttribute("aria-rowindex") - 2 + step;
    if (i < 0 || i >= rows.length) return;
    const top = (i * LINE) / scale();
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    if (top + 3 * LINE > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + 3 * LINE - scroller.clientHeight;
    draw();
    made.get(i)?.querySelector("a, button")?.focus();
  });

  return {
    scroller,
    table,
    // Rows that are numbers, in the order of `sort`: a column's key, with a minus before it downwards.
    show(newColumns, newRows, sort, keepPlace = false) {
      const column = newColumns.find((other) => other.key === sort.replace(/^-/, ""));
      const known = column?.sort ? sort : "";
      columns = newColumns;
      rows = known ? ordered(newRows, column.sort, sort.startsWith("-")) : newRows;
      for (const line of made.values()) line.remove();
      made = new Map();
      table.setAttribute("aria-rowcount", rows.length + 1);
      drawHead(known);
      body.replaceChildren(above, below);
      if (!keepPlace) scroller.scrollTop = 0;
      scroller.classList.toggle("short", rows.length * LINE < 300);
      draw();
      return rows;
    },
    // Every row as text, for a file.
    get rows() {
      return rows;
    },
  };
}

// A small table as it is, for what fits on a page.
function smallTable(caption, heads, lines, attributes = {}) {
  const cells = (line, tag) => line.map((cell, i) => {
    const { text, node, look, hint } = typeof cell === "object" && cell !== null && !(cell instanceof Node) ? cell : { node: cell };
    return element(tag && i === 0 ? "th" : "td", { scope: tag && i === 0 ? "row" : null, class: look, title: hint }, node ?? text ?? "");
  });
  return element(
    "div",
    { class: "scroll" },
    element(
      "table",
      { class: "data", ...attributes },
      element("caption", { class: "unseen" }, caption),
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col", class: head.text === false ? null : "text", title: head.hint }, head.title ?? head)))),
      element("tbody", {}, ...lines.map((line) => element("tr", {}, ...cells(line, true)))),
    ),
  );
}
