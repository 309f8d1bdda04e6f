// The filter: words that a tensor or its format has, `layer:3 role:q_proj dtype:bfloat16 format:mxfp4`, `-word` for what it must not have.

const KEYS = ["layer", "role", "dtype", "layout", "format"];
const TOKEN = /(-?)(?:(layer|role|dtype|layout|format):)?(?:"([^"]*)"|(\S+))/gi;

function tokens(text) {
  return [...text.matchAll(TOKEN)].map(([, minus, key, quoted, word]) => ({ not: minus === "-", key: key?.toLowerCase(), text: (quoted ?? word).toLowerCase() }));
}

// What is in sight: flags of tensors and of formats, and for every tensor the bits of the words it has.
const view = { tensors: null, formats: null, count: 0, words: null, ofFormat: null, all: 0 };

function look(text, chosen) {
  const found = tokens(text);
  const words = found.filter((token) => !token.key && !token.not).slice(0, 30).map((token) => token.text);
  const without = found.filter((token) => !token.key && token.not).map((token) => token.text);
  view.all = (1 << words.length) - 1;
  view.tensors = new Uint8Array(T).fill(1);
  view.formats = Uint8Array.from(FORMATS, (format) => (chosen === null || chosen.has(format.format) ? 1 : 0));
  for (const key of KEYS) {
    const wanted = found.filter((token) => token.key === key);
    if (wanted.length) narrow(key, wanted);
  }
  const formatTexts = FORMATS.map((format) => `${format.format} ${format.spec}`.toLowerCase());
  const has = (texts) => Uint32Array.from(texts, (text) => words.reduce((bits, word, i) => (text.includes(word) ? bits | (1 << i) : bits), 0));
  view.ofFormat = has(formatTexts);
  view.words = words.length ? has(TENSORS.lower) : new Uint32Array(T);
  const patterns = [...new Set(view.ofFormat.filter((_, f) => view.formats[f]))];
  view.count = 0;
  for (let t = 0; t < T; t++) {
    if (view.tensors[t] && words.length) view.tensors[t] = patterns.some((bits) => (bits | view.words[t]) === view.all) ? 1 : 0;
    if (view.tensors[t] && without.some((word) => TENSORS.lower[t].includes(word))) view.tensors[t] = 0;
    view.count += view.tensors[t];
  }
  // A word that only formats have chooses formats, everywhere.
  view.formats = view.formats.map((on, f) => (on && (view.count === 0 || reachable(f)) ? 1 : 0));
}

function reachable(f) {
  if (view.all === 0) return true;
  for (let t = 0; t < T; t++) if (view.tensors[t] && (view.words[t] | view.ofFormat[f]) === view.all) return true;
  return false;
}

const inSight = (t, f) => view.tensors[t] === 1 && view.formats[f] === 1 && (view.words[t] | view.ofFormat[f]) === view.all;

// Keep what has one of the wanted values; `-key:value` takes away.
function narrow(key, wanted) {
  const values = key === "format" ? FORMATS.map((format) => format.format) : TENSORS[key].values;
  const fits = (token) => (value) => matches(key, token.text, value.toLowerCase(), values);
  const plus = wanted.filter((token) => !token.not).map(fits);
  const minus = wanted.filter((token) => token.not).map(fits);
  const kept = values.map((value) => (plus.length === 0 || plus.some((fit) => fit(value))) && !minus.some((fit) => fit(value)));
  if (key === "format") view.formats = view.formats.map((on, f) => (on && kept[f] ? 1 : 0));
  else for (let t = 0; t < T; t++) if (!kept[TENSORS[key].at[t]]) view.tensors[t] = 0;
}

// A value that is the text; where no value is, one that contains it. Layers have ranges: `layer:3-7`.
function matches(key, text, value, values) {
  const range = key === "layer" && text.match(/^(\d+)-(\d+)$/);
  if (range) return value !== "" && +value >= +range[1] && +value <= +range[2];
  return values.some((other) => other.toLowerCase() === text) || key === "layer" ? value === text : value.includes(text);
}

// The filter with one key set to a value, or without the key: what the menus write.
function withKey(text, key, value) {
  const others = text.replace(new RegExp(`(^|\\s)${key}:(?:"[^"]*"|\\S+)`, "gi"), "$1").replace(/\s+/g, " ").trim();
  if (value === "") return others;
  const written = /[\s"]/.test(value) ? `"${value.replaceAll('"', "")}"` : value;
  return `${others} ${key}:${written}`.trim();
}

// The value a key has in the filter, when it has exactly one.
function keyOf(text, key) {
  const found = tokens(text).filter((token) => token.key === key);
  return found.length === 1 && !found[0].not ? found[0].text : "";
}
