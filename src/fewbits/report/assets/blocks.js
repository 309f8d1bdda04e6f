// Blocks of one tensor: how large they are, and which ones a format hurts most.

const WIDTHS = [16, 32, 128];
const QUANTILES = [0, 1, 5, 25, 50, 75, 95, 99, 100];

function blockSizes(t, p, wide) {
  const found = WIDTHS.map((width, k) => ({ width, at: Array.from(DATA.profiles.block_amax.subarray((p * 3 + k) * 9, (p * 3 + k + 1) * 9)) })).filter((one) => one.at[8] > 0);
  if (!found.length) return null;
  const [low, high] = [Math.min(...found.flatMap((one) => one.at.filter((v) => v > 0))), Math.max(...found.map((one) => one.at[8]))];
  const height = 320;
  const rows = found.length;
  const picture = plot({ label: "Largest magnitudes of blocks; the numbers are below", width: wide, height, left: 92, x: { kind: "log", domain: [low / 1.15, high * 1.15], title: "largest magnitude of a block" }, y: { domain: [0, rows], ticks: [] } });
  found.forEach(({ width, at }, i) => {
    const middle = picture.inside.y + (picture.inside.height * (i + 0.5)) / rows;
    const x = (q) => picture.x(Math.max(at[q], low));
    const box = (from, to, half, look) => shape("rect", { class: look, x: x(from), y: middle - half, width: Math.max(1, x(to) - x(from)), height: 2 * half, rx: 2 });
    const words = QUANTILES.map((quantile, q) => `${quantile} %: ${brief(at[q])}`).join(", ");
    picture.marks.append(shape("line", { class: "whisker", x1: x(0), x2: x(8), y1: middle, y2: middle }), hinted(box(2, 6, 9, "spread"), words), hinted(box(3, 5, 17, "spread inner"), words), shape("line", { class: "middle", x1: x(4), x2: x(4), y1: middle - 20, y2: middle + 20 }));
    picture.free.append(shape("text", { class: "tick", x: 84, y: middle + 4, "text-anchor": "end" }, `blocks of ${width}`));
  });
  const table = () => smallTable("Largest magnitudes of blocks", [{ title: "blocks of" }, ...QUANTILES.map((quantile) => ({ title: `${quantile} %`, text: false }))], found.map(({ width, at }) => [String(width), ...at.map((v) => brief(v))]));
  return figure("Sizes of blocks", "What scales have to cover. Dark: the middle half of the blocks and their median; light: 5 to 95 %; line: all of them.", picture.svg, table);
}

// The blocks with the largest squared error in the chosen format: a table, and a map of where they are.
function worstBlocks(t, p) {
  const worst = DATA.profiles.worst;
  if (!worst) return [];
  const has = (f) => worst.start[p * F + f + 1] > worst.start[p * F + f];
  const some = shownFormats().filter(has);
  if (!some.length) return [];
  const wanted = some.find((f) => FORMATS[f].format === state.choice.levels);
  const byBudget = best(t, budget(), chosenMetric(), run());
  const f = wanted ?? (some.includes(byBudget) ? byBudget : some[0]);
  const blocks = [];
  for (let i = worst.start[p * F + f]; i < worst.start[p * F + f + 1]; i++) blocks.push({ row: worst.row[i], column: worst.column[i], share: worst.share[i], sqnr: worst.sqnr[i], amax: worst.amax[i], scale: worst.scale[i] });
  const heads = [{ title: "" }, { title: "row", text: false }, { title: "column", text: false }, { title: "share of the error", text: false }, { title: "SQNR, dB", text: false }, { title: "largest |x|", text: false }, { title: "scale", text: false }];
  const decibels = (value) => (Number.isNaN(value) ? "–" : value === Infinity ? "exact" : value.toFixed(2));
  const table = smallTable("Worst blocks", heads, blocks.map((block, i) => [String(i + 1), counted(block.row), counted(block.column), percent(block.share), decibels(block.sqnr), brief(block.amax), brief(block.scale)]), { id: "worst-table" });
  const share = blocks.reduce((sum, block) => sum + block.share, 0);
  return [
    element("h3", {}, "Worst blocks"),
    element("p", { class: "caption" }, `The ${many(blocks.length, "block")} of ${FORMATS[f].format} (${FORMATS[f].block || "its blocks"}) with the largest squared error: ${percent(share)} of the tensor's. First row and column of each.`),
    element("div", { class: "controls" }, select("Format", some.map((other) => [FORMATS[other].format, FORMATS[other].format]), FORMATS[f].format, (levels) => choose({ levels }))),
    element("div", { class: "beside" }, table, whereabouts(t, blocks)),
  ];
}

function whereabouts(t, blocks) {
  const sides = of("shape", t).split("×").map(Number);
  const columns = Math.max(1, sides.at(-1) || 1);
  const rows = Math.max(1, sides.slice(0, -1).reduce((product, side) => product * side, 1));
  const wide = 300;
  const high = Math.max(40, Math.min(300, (wide * rows) / columns));
  const svg = shape("svg", { class: "plot map", viewBox: `-2 -2 ${wide + 44} ${high + 24}`, width: wide + 46, height: high + 26, role: "img", "aria-label": "Where the worst blocks are; the table has their rows and columns" });
  svg.append(shape("rect", { class: "ground", x: 0, y: 0, width: wide, height: high }));
  const most = Math.max(...blocks.map((block) => block.share));
  blocks.forEach((block, i) => {
    const [x, y] = [(block.column / columns) * wide, (block.row / rows) * high];
    svg.append(hinted(shape("circle", { class: "spot", cx: x, cy: y, r: 3 + 5 * Math.sqrt(block.share / most) }), `${i + 1}: row ${block.row}, column ${block.column}, ${percent(block.share)} of the error`));
  });
  svg.append(shape("text", { class: "tick", x: wide, y: high + 16, "text-anchor": "end" }, `${counted(columns)} columns`), shape("text", { class: "tick", x: 0, y: high + 16 }, `${counted(rows)} rows`));
  return svg;
}
