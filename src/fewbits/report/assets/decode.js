// The payload: base64 of gzip of a JSON head and arrays. An array becomes a typed array when it is first looked at.

const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array };

async function unpacked(text) {
  const binary = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([binary]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return revived(head, buffer, 4 + length);
}

function revived(node, buffer, start) {
  if (Array.isArray(node)) {
    // Texts and numbers need no look, and there may be many.
    return node.length && typeof node[0] === "object" ? node.map((child) => revived(child, buffer, start)) : node;
  }
  if (node === null || typeof node !== "object") return node;
  if ("$" in node) return array(node, buffer, start);
  for (const [key, child] of Object.entries(node)) {
    if (child !== null && typeof child === "object" && "$" in child) later(node, key, () => array(child, buffer, start));
    else node[key] = revived(child, buffer, start);
  }
  return node;
}

// A property that is made when it is first read.
function later(owner, key, make) {
  Object.defineProperty(owner, key, {
    configurable: true,
    enumerable: true,
    get() {
      const value = make();
      Object.defineProperty(owner, key, { value, enumerable: true });
      return value;
    },
  });
}

function array({ $: type, at, n }, buffer, start) {
  if (type !== "f32") return new TYPES[type](buffer, start + at, n);
  // Floats lie byte by byte: all first bytes, then all second bytes, …
  const parts = new Uint8Array(buffer, start + at, 4 * n);
  const words = new Uint32Array(n);
  for (let i = 0; i < n; i++) words[i] = parts[i] | (parts[n + i] << 8) | (parts[2 * n + i] << 16) | (parts[3 * n + i] << 24);
  return new Float32Array(words.buffer);
}
