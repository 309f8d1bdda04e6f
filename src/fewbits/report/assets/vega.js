// Vega draws accuracy against bits, from the figure of the command of the same name. Its script waits as text until it is needed.

let embed = null;

function vega() {
  if (!embed) {
    const script = document.createElement("script");
    script.textContent = $("libraries").textContent;
    document.head.append(script);
    embed = window.vegaEmbed;
  }
  return embed;
}

const OPTIONS = {
  renderer: "svg", ast: true, actions: { export: true, source: false, compiled: false, editor: false },
  downloadFileName: "fewbits", tooltip: { theme: "custom" }, logLevel: 1,
};
