// Text: elements, numbers and names as they can be read. Names become text nodes and attributes, never HTML.

const $ = (id) => document.getElementById(id);

// An element with attributes and children; texts are children too. Empty attributes (null, false) are left out.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// A name as it can be read: characters that are invisible or turn the text around (and the ‹ of these marks) by their codes.
function plain(name) {
  const mark = (c) => `‹U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`;
  return name.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}‹]/gu, mark) || "(no name)";
}

// A long name with its middle left out.
function cut(text, most = 80) {
  return text.length <= most ? text : `${text.slice(0, Math.ceil(most * 0.6))}…${text.slice(-Math.floor(most * 0.4) + 1)}`;
}

// A number as Python's `.3e`, `.6f` or `.2f` would write it.
function written(value, digits) {
  if (digits.endsWith("f")) return value.toFixed(parseInt(digits.slice(1)));
  const [mantissa, exponent] = value.toExponential(parseInt(digits.slice(1))).split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

// A number in four digits, for facts and labels.
function brief(value, digits = 4) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e6 ? value.toExponential(Math.max(0, digits - 2)).replace("e+", "e").replace("-", "−").replace("e-", "e−") : String(+value.toPrecision(digits)).replace("-", "−");
}

const counted = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
const many = (value, word) => `${counted(value)} ${word}${value === 1 ? "" : "s"}`;

// Bytes as a reader says them.
function size(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 999.5) return `${unit === "B" ? Math.round(bytes) : +bytes.toPrecision(3)} ${unit}`;
    bytes /= 1000;
  }
  return `${+bytes.toPrecision(3)} TB`;
}

const natural = new Intl.Collator("en", { numeric: true }).compare;

// Later, once, when calls have stopped coming.
function settled(work, wait = 80) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

// A file for the reader to keep.
function save(name, type, parts) {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob(parts, { type })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function copy(text, button) {
  const before = button.dataset.label || (button.dataset.label = button.textContent);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page from disk may not have the clipboard; a selected text field does.
    const field = element("textarea", { class: "unseen" });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = before), 1500);
}
