// The overview: what the answer rests on. Accuracy against bits for all tensors, and which format is best for how many of them.

const drawing = { turn: 0, key: "", view: null, done: null };

function overview() {
  const metric = chosenMetric();
  $("accuracy-note").textContent = undrawn(metric);
  shares();
  hardest();
  // The picture comes after everything that can be read at once.
  drawing.done = new Promise((resolve) => setTimeout(() => resolve(accuracy(metric)), 20));
}

function points(metric) {
  return FORMATS.map((format, f) => ({ f, format: format.format, ...everywhere(f, metric, run()) })).filter((point) => view.formats[point.f] && !Number.isNaN(point.bits));
}

function undrawn(metric) {
  const missing = points(metric).filter((point) => Number.isNaN(point.value)).map((point) => point.format);
  return `${metric.name}: ${metric.definition}.${missing.length ? ` Not drawn, being undefined: ${missing.join(", ")}.` : ""}`;
}

async function accuracy(metric) {
  if (state.view !== "overview") return;
  const spec = RUNS[run()].accuracy_bits[metric.name];
  const key = `${metric.name} ${run()}`;
  const turn = ++drawing.turn;
  if (drawing.key !== key) {
    const target = element("div");
    const result = await vega()(target, spec, OPTIONS);
    if (drawing.turn !== turn) return result.finalize();
    drawing.view?.finalize();
    [drawing.view, drawing.key] = [result.view, key];
    $("accuracy").replaceChildren(target);
  }
  const some = points(metric).map((point) => ({ ...point, good: goodness(metric, point.value) }));
  const worth = [...front(some)].map((point) => point.format);
  const hidden = FORMATS.filter((_, f) => !view.formats[f]).map((format) => format.format);
  await drawing.view.signal("hidden", hidden).signal("worth", worth).runAsync();
}

// For every tensor in sight the best format that fits the budget; how many tensors and weights each format has.
function shares() {
  const metric = chosenMetric();
  const count = new Uint32Array(F + 1);
  const weights = new Float64Array(F + 1);
  let bits = 0;
  let all = 0;
  for (let t = 0; t < T; t++) {
    if (!view.tensors[t]) continue;
    const f = best(t, budget(), metric, run());
    count[f < 0 ? F : f]++;
    weights[f < 0 ? F : f] += TENSORS.weights[t];
    if (f >= 0) {
      bits += RUNS[run()].bits[t * F + f] * TENSORS.weights[t];
      all += TENSORS.weights[t];
    }
  }
  const order = [...count.keys()].filter((f) => count[f]).sort((a, b) => (a === F) - (b === F) || weights[b] - weights[a] || count[b] - count[a]);
  const total = weights.reduce((sum, w) => sum + w, 0) || 1;
  const lines = order.map((f) => {
    const bar = element("div", { class: "share", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${(100 * weights[f]) / total}%`);
    const name = f === F ? "none fits" : FORMATS[f].format;
    return [{ node: name, look: f === F ? "text quiet" : "text" }, f === F ? "" : brief(FORMATS[f].bits), counted(count[f]), `${((100 * weights[f]) / total).toFixed(1)} %`, { node: bar, look: "bar-cell" }];
  });
  keepFocus($("shares"), () =>
    $("shares").replaceChildren(
      element("div", { class: "controls" }, budgetControl()),
      all ? element("p", { class: "lead" }, "Each tensor in its best format: ", element("strong", {}, `${brief(bits / all)} bits a weight, ${size(bits / 8)}`), all < total ? " for the tensors that have one." : ".") : element("p", { class: "lead" }, "No tensor in sight has a format within this budget."),
      smallTable("Best format of each tensor within the budget", [{ title: "best format" }, { title: "bits", text: false }, { title: "tensors", text: false }, { title: "weights", text: false }, { title: "" }], lines, { id: "shares-table" }),
    ),
  );
}

// The tensors that are worst in their best format.
function hardest() {
  const metric = chosenMetric();
  const values = RUNS[run()].metrics[metric.name];
  const found = [];
  for (let t = 0; t < T; t++) {
    if (!view.tensors[t]) continue;
    const f = best(t, budget(), metric, run());
    if (f < 0 || !Number.isFinite(values[t * F + f])) continue;
    const good = goodness(metric, values[t * F + f]);
    if (found.length < 8 || good < found.at(-1).good) {
      found.push({ t, f, good });
      found.sort((a, b) => a.good - b.good);
      found.length = Math.min(found.length, 8);
    }
  }
  const lines = found.map(({ t, f }) => [{ node: tensorLink(t, 60), look: "text name" }, { node: FORMATS[f].format, look: "text" }, said(metric, values[t * F + f]), counted(TENSORS.weights[t])]);
  $("hardest").replaceChildren(smallTable("Tensors with the largest error in their best format", [{ title: "tensor" }, { title: "best format" }, { title: metric.name, text: false }, { title: "weights", text: false }], lines, { id: "hardest-table" }));
}

// The ranking is plain HTML that is right without scripts; its heads sort it.
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, i) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.disabled = false;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[i].dataset.value;
      const words = head.classList.contains("text");
      const sign = down ? -1 : 1;
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (words) return sign * natural(x, y);
        return x === "" || y === "" ? (x === "") - (y === "") : sign * (Number(x) === Number(y) ? 0 : Number(x) - Number(y));
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
    });
  });
}
