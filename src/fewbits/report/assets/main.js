// The start: unpack, take the state from the address, draw the view.

const VIEWS = { overview, heat, tensors: tensorsView, tensor: tensorView, table: measurements, compare, provenance() {} };

function refresh() {
  look(state.choice.filter, state.chosen);
  for (const section of document.querySelectorAll("[data-of]")) section.hidden = !section.dataset.of.split(" ").includes(state.view);
  $("tip").hidden = true;
  showControls();
  VIEWS[state.view]();
}

function follows() {
  const before = `${state.view} ${state.tensor}`;
  readAddress();
  refresh();
  if (`${state.view} ${state.tensor}` === before) return;
  // A new page: from its top, and read from its heading.
  scrollTo(0, Math.min(scrollY, $("bar").offsetTop));
  document.querySelector(`[data-of~="${state.view}"] h2`)?.focus({ preventScroll: true });
}

const ready = unpacked($("payload").textContent).then((data) => {
  receive(data);
  $("payload").remove();
  controls();
  sortable($("ranking"));
  startHeat();
  readAddress();
  document.documentElement.classList.add("scripted");
  refresh();
  addEventListener("hashchange", follows);
  addEventListener("resize", settled(() => state.view !== "heat" && refresh(), 150));
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
});
