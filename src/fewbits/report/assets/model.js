// What the payload holds, under short names, and what can be said of a measurement.
//
// A measurement is a cell: tensor × F + format. What is stored is the metric, but 1 − value where the axis is `nines`;
// NaN is undefined, +∞ exact.

let DATA, T, F, TENSORS, FORMATS, METRICS, RUNS, SAME_BITS;

function receive(data) {
  DATA = data;
  SAME_BITS = data.same_bits;
  FORMATS = data.formats;
  F = FORMATS.length;
  METRICS = new Map(data.metrics.map((metric) => [metric.name, metric]));
  TENSORS = data.tensors;
  T = TENSORS.name.length;
  TENSORS.shown = TENSORS.name.map(plain);
  TENSORS.lower = TENSORS.name.map((name, t) => (name === TENSORS.shown[t] ? name : `${name} ${TENSORS.shown[t]}`).toLowerCase());
  RUNS = data.runs.map(({ name, model, tensors, groups, accuracy_bits }) => ({ name, model, ...tensors, groups, accuracy_bits }));
  [HEAT, DIFFERENCE] = [steps(data.colors.heat), steps(data.colors.difference)];
}

// What is known of a tensor: its layer, role, dtype, layout, shape.
const of = (key, t) => TENSORS[key].values[TENSORS[key].at[t]];
const bytes = (t, bits) => (bits * TENSORS.weights[t]) / 8;

const measured = (cell, r) => !Number.isNaN(RUNS[r].bits[cell]);

// What a record notes beside its numbers.
function flags(cell, r) {
  const noted = RUNS[r].flags;
  noted.places ??= new Map(Array.from(noted.cells, (place, i) => [place, i]));
  const i = noted.places.get(cell);
  return i === undefined ? [] : noted.values[noted.at[i]].split("\n");
}

// Why there is no number.
const reason = (cell, r) => (measured(cell, r) ? ["undefined for this tensor", ...flags(cell, r)].join(", ") : "not measured");

// ---- values

const shown = (metric, stored) => (metric.axis === "nines" ? 1 - stored : stored);
const isExact = (metric, stored) => (metric.axis === "linear" ? metric.higher && stored === Infinity : stored === 0);
const drawable = (metric, stored) => Number.isFinite(stored) && (metric.axis === "linear" || stored > 0);
const said = (metric, stored) => (Number.isNaN(stored) ? "–" : stored === Infinity ? "exact" : written(shown(metric, stored), metric.digits));

// The place on the metric's scale, in decibels where ratios matter, so that differences can be compared.
const level = (metric, stored) => (metric.axis === "linear" ? stored : 10 * Math.log10(stored));
const goodIsUp = (metric) => metric.axis === "linear" && metric.higher;
const direction = (metric) => `${metric.higher ? "higher" : "lower"} is better`;

// A number that is larger where the value is better.
const goodness = (metric, stored) => (goodIsUp(metric) ? stored : -stored);

// The colour class of a value, where the metric has classes.
function grade(metric, stored) {
  if (metric.good === null || Number.isNaN(stored)) return null;
  const value = shown(metric, stored);
  const at = (bound) => (metric.higher ? value >= bound : value <= bound);
  return at(metric.good) ? "good" : at(metric.fair) ? "fair" : "bad";
}

// ---- over many

// The level of the middle tensor in each format.
function median(metric, r) {
  const known = (RUNS[r].medians ??= new Map());
  if (!known.has(metric.name)) {
    const values = RUNS[r].metrics[metric.name];
    const levels = new Float64Array(T);
    known.set(metric.name, Float64Array.from(FORMATS, (_, f) => {
      let n = 0;
      for (let t = 0; t < T; t++) if (drawable(metric, values[t * F + f])) levels[n++] = level(metric, values[t * F + f]);
      const sorted = levels.subarray(0, n).sort();
      return n ? (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2 : NaN;
    }));
  }
  return known.get(metric.name);
}

// A format over all tensors, merged.
const everywhere = (f, metric, r) => ({ bits: RUNS[r].groups.all.bits[f], value: RUNS[r].groups.all.metrics[metric.name][f] });

// Points { bits, good } that none beats: better at as many bits, or as good at fewer.
function front(points) {
  const some = points.filter((point) => !Number.isNaN(point.good));
  const beats = (a, b) => (a.good > b.good && a.bits <= b.bits + SAME_BITS) || (a.good >= b.good && a.bits < b.bits - SAME_BITS);
  return new Set(some.filter((b) => !some.some((a) => beats(a, b))));
}

// The format in sight with the least error of a tensor within a budget of bits; −1 where none fits.
function best(t, most, metric, r) {
  const { bits, metrics } = RUNS[r];
  const values = metrics[metric.name];
  let found = -1;
  for (let f = 0; f < F; f++) {
    const cell = t * F + f;
    if (!view.formats[f] || !(bits[cell] <= most + SAME_BITS) || Number.isNaN(values[cell])) continue;
    const [good, before] = [goodness(metric, values[cell]), found < 0 ? -Infinity : goodness(metric, values[t * F + found])];
    if (found < 0 || good > before || (good === before && bits[cell] < bits[t * F + found])) found = f;
  }
  return found;
}
