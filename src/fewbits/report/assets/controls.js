// The bar of filters: a text that is the filter, menus that write into it, the metric, and the formats that are shown.

const MENUS = { layer: "Layer", role: "Role", dtype: "Stored as" };

function controls() {
  for (const metric of DATA.metrics) $("metric").append(element("option", { value: metric.name }, metric.unit ? `${metric.name} [${metric.unit}]` : metric.name));
  $("metric").addEventListener("change", () => choose({ metric: $("metric").value }));
  $("filter").addEventListener("input", () => choose({ filter: $("filter").value }));
  for (const [key, title] of Object.entries(MENUS)) {
    const select = $(key);
    const values = [...new Set(TENSORS[key].values)].filter(Boolean).sort(natural);
    select.append(element("option", { value: "" }, `${title}: all`), ...values.map((value) => element("option", { value: value.toLowerCase() }, cut(plain(value), 40))));
    select.closest("label").hidden = values.length < 2;
    select.addEventListener("change", () => choose({ filter: withKey(state.choice.filter, key, select.value) }));
  }
  if (RUNS.length > 1) {
    DATA.runs.forEach((one, r) => $("run").append(element("option", { value: r }, cut(plain(one.name), 40))));
    $("run").addEventListener("change", () => choose({ run: $("run").value }));
    $("run").closest("label").hidden = false;
  }
  FORMATS.forEach((format, f) => {
    const box = element("input", { type: "checkbox", value: f });
    box.addEventListener("change", () => {
      const names = new Set(state.chosen ?? FORMATS.map((other) => other.format));
      box.checked ? names.add(format.format) : names.delete(format.format);
      chooseFormats(names);
    });
    $("formats").append(element("label", { class: "chip", title: `${format.spec} · ${brief(format.bits)} bits` }, box, element("span", {}, format.format)));
  });
  const wanted = { all: () => true, front: (format) => format.front, none: () => false };
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => chooseFormats(new Set(FORMATS.filter(wanted[button.dataset.show]).map((format) => format.format))));
  }
  $("clear").addEventListener("click", () => {
    state.chosen = null;
    choose({ filter: "" });
    $("filter").focus();
  });
  $("bar").addEventListener("submit", (event) => event.preventDefault());
  $("copy").addEventListener("click", () => copy(location.href, $("copy")));
  $("print").addEventListener("click", () => print());
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      $("filter").focus();
    }
  });
}

// Show the state in the bar.
function showControls() {
  const { filter, metric } = state.choice;
  if ($("filter").value !== filter) $("filter").value = filter;
  $("metric").value = metric;
  $("run").value = state.choice.run;
  for (const key of Object.keys(MENUS)) {
    $(key).value = keyOf(filter, key);
    if ($(key).selectedIndex < 0) $(key).value = "";
  }
  for (const box of $("formats").querySelectorAll("input")) box.checked = state.chosen === null || state.chosen.has(FORMATS[box.value].format);
  const shownFormats = view.formats.reduce((sum, on) => sum + on, 0);
  $("count").textContent = `${view.count === T ? many(T, "tensor") : `${counted(view.count)} of ${many(T, "tensor")}`}, ${shownFormats === F ? many(F, "format") : `${shownFormats} of ${many(F, "format")}`}`;
  $("clear").hidden = filter === "" && state.chosen === null;
  $("meaning").textContent = METRICS.get(metric).definition;
  for (const link of document.querySelectorAll("#tabs a")) {
    const name = link.dataset.view;
    link.setAttribute("href", address({ view: name }));
    const current = name === state.view || (name === "tensors" && state.view === "tensor");
    current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
}

// Buttons of which one is on: radio buttons in a row.
function switcher(label, options, value, onChoose) {
  const name = `switch-${(switcher.count = (switcher.count || 0) + 1)}`;
  return element(
    "fieldset",
    { class: "switch" },
    element("legend", {}, label),
    ...options.map(([key, title]) => {
      const input = element("input", { type: "radio", name, value: key, onchange: () => onChoose(key) });
      input.checked = key === value;
      return element("label", {}, input, element("span", {}, title));
    }),
  );
}

function select(label, options, value, onChoose) {
  const made = element("select", { onchange: () => onChoose(made.value) }, ...options.map(([key, title]) => element("option", { value: key }, title)));
  made.value = value;
  return element("label", {}, label, made);
}

const budgetControl = () => {
  const input = element("input", { type: "number", min: "0.5", max: "32", step: "0.25", value: state.choice.budget, class: "short-number", onchange: () => +input.value > 0 && choose({ budget: input.value }) });
  return element("label", {}, "Budget", input, "bits a weight");
};

const tensorLink = (t, most = 46) => element("a", { href: address({ view: "tensor", tensor: t }) }, element("bdi", {}, cut(TENSORS.shown[t], most)));

// The controls of a view are made again only when what they show changes; the focus stays on the same one.
function keepFocus(host, work) {
  const focusable = () => [...host.querySelectorAll("button, input, select, a, [tabindex]")];
  const at = host.contains(document.activeElement) ? focusable().indexOf(document.activeElement) : -1;
  work();
  if (at >= 0) focusable()[at]?.focus({ preventScroll: true });
}
