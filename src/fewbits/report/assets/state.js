// What is shown, and its address: everything a reader chose is in the fragment, `#/heat?metric=pcc&formats=nf4,mxfp4`.

const DEFAULTS = {
  filter: "", metric: "", run: "0", other: "1", budget: "4.5", // everywhere
  sort: "", columns: "", // tables
  grid: "", shade: "value", one: "", // heat map
  levels: "", curves: "", axis: "linear", // one tensor
};

// `chosen`: names of the formats that are shown, null for all.
const state = { view: "overview", tensor: 0, choice: { ...DEFAULTS }, chosen: null };

const run = () => +state.choice.run;
const budget = () => +state.choice.budget;
const chosenMetric = () => METRICS.get(state.choice.metric);

// Change what is shown. The address follows, and going back leaves the view, not the last letter of the filter.
function choose(changes) {
  Object.assign(state.choice, changes);
  history.replaceState(null, "", address());
  refresh();
}

function chooseFormats(names) {
  state.chosen = names.size === F ? null : names;
  choose({});
}

// ---- addresses

const encoded = (text) => encodeURIComponent(text.toWellFormed?.() ?? text);

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Several names as one text, commas in names encoded.
const list = (names) => names.map(encoded).join(",");

// The address of a view; what is not said stays as it is.
function address({ view: name = state.view, tensor = state.tensor, ...changes } = {}) {
  const choice = { ...state.choice, ...changes };
  const usual = { ...DEFAULTS, metric: DATA.metrics[0].name };
  const parts = Object.keys(DEFAULTS).filter((key) => choice[key] !== usual[key]).map((key) => `${key}=${encoded(choice[key])}`);
  if (state.chosen !== null) parts.push(`formats=${list([...state.chosen]) || "none"}`);
  const path = name === "overview" ? "" : name === "tensor" ? `tensor/${encoded(TENSORS.name[tensor])}` : name;
  return `#/${path}${parts.length ? `?${parts.join("&")}` : ""}`;
}

const RULES = {
  metric: (text) => METRICS.has(text),
  run: (text) => /^\d+$/.test(text) && +text < RUNS.length,
  other: (text) => /^\d+$/.test(text) && +text < RUNS.length,
  budget: (text) => +text > 0 && +text <= 64,
};

// Take the state from the address in the bar. Anything may stand there: what is not known is left out.
function readAddress() {
  const [, path, query = ""] = location.hash.match(/^#\/?([^?]*)\??(.*)$/s) || [null, "", ""];
  const slash = path.indexOf("/");
  const name = slash < 0 ? path : path.slice(0, slash);
  state.view = Object.hasOwn(VIEWS, name) ? name : "overview";
  if (state.view === "tensor") {
    const t = tensorNamed(decoded(path.slice(slash + 1)));
    t === undefined ? (state.view = "tensors") : (state.tensor = t);
  }
  state.choice = { ...DEFAULTS, metric: DATA.metrics[0].name };
  state.chosen = null;
  for (const part of query.split("&")) {
    const at = part.indexOf("=");
    const [key, text] = [part.slice(0, at), part.slice(at + 1)];
    if (key === "formats") state.chosen = new Set(text.split(",").map(decoded).filter((format) => FORMATS.some((one) => one.format === format)));
    else if (Object.hasOwn(DEFAULTS, key) && (RULES[key]?.(decoded(text)) ?? true)) state.choice[key] = decoded(text);
  }
  if (state.view === "compare" && RUNS.length < 2) state.view = "overview";
}

// By the name in the address: halves of characters, which no address can hold, are not told apart.
function tensorNamed(name) {
  TENSORS.places ??= new Map(TENSORS.name.map((one, t) => [decoded(encoded(one)), t]));
  return TENSORS.places.get(name);
}
