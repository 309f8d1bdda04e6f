// Orders: numbers of rows sorted by a key each. Undefined keys come last whichever way the order runs; equal ones keep theirs.

const PLACES = 2 ** 21; // rows that fit beside a 32-bit key in a float64

// A float as an unsigned number of the same order.
const bitsOf = new DataView(new ArrayBuffer(4));
function rising(value) {
  bitsOf.setFloat32(0, value === 0 ? 0 : value);
  const bits = bitsOf.getUint32(0);
  return bits >>> 31 ? ~bits >>> 0 : (bits | 0x80000000) >>> 0;
}

// Sorted by native order of packed numbers: no function is called for each comparison.
function ordered(rows, key, down) {
  if (rows.length > PLACES) return slowly(rows, key, down);
  const packed = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const value = key(rows[i]);
    const number = Number.isNaN(value) ? 0xffffffff : down ? 0xfffffffe - Math.min(rising(value), 0xfffffffe) : rising(value);
    packed[i] = number * PLACES + i;
  }
  packed.sort();
  const found = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) found[i] = rows[packed[i] % PLACES];
  return found;
}

function slowly(rows, key, down) {
  const sign = down ? -1 : 1;
  return rows.slice().sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
    return sign * (x - y) || a - b;
  });
}

// The place of each text in natural order: what texts are sorted by.
function ranks(texts) {
  const order = [...texts.keys()].sort((a, b) => natural(texts[a], texts[b]));
  const found = new Uint32Array(texts.length);
  let rank = 0;
  order.forEach((at, i) => {
    if (i && texts[at] !== texts[order[i - 1]]) rank = i;
    found[at] = rank;
  });
  return found;
}
