// Where one number comes from: choose a line, a level and a replicate.
function originsFigure(stores) {
  const rows = stores.flatMap((store) => store.rows.map((row) => ({ ...row, data: store.data[row.data], versions: store.versions[row.versions] })));
  const lines = DATA.lines.filter((line) => rows.some((row) => row.line === line.id));
  let line = lines[0];
  let which = 0;
  const slider = levelSlider(() => [...new Set(rows.filter((row) => row.line === line.id).map((row) => row.level))].sort((a, b) => a - b));
  const pick = selectOf("Of", lines.map((one) => [one.id, lineName(one)]), (id) => {
    line = LINES.get(id);
    show();
  });
  const replicate = html("select");
  replicate.addEventListener("change", () => {
    which = replicate.selectedIndex;
    show();
  });
  const card = html("dl", { class: "origin" });
  const name = (row) => `${row.replicate}${row.sample ? `, draw ${row.sample}` : ""}`;

  function show() {
    slider.show();
    const found = rows.filter((row) => row.line === line.id && row.level === slider.level());
    which = Math.max(0, Math.min(which, found.length - 1));
    replicate.replaceChildren(...found.map((row, place) => html("option", { value: place }, name(row))));
    replicate.selectedIndex = which;
    card.replaceChildren();
    for (const [term, text] of facts(found[which])) card.append(html("dt", {}, term), html("dd", {}, text));
  }

  function* facts(row) {
    yield ["Test accuracy", valueText({ unit: "%", decimals: 2 }, 100 * row.accuracy)];
    yield ["Key", row.key];
    if (row.kind == null) return yield ["Record", "not in the store any more"];
    yield ["Record", `${row.key.slice(0, 2)}/${row.key}/stage.json in the store`];
    yield ["Seed and replicate", `${row.seed} and ${name(row)}`];
    yield ["Trained from", `${row.start[1] || "start"} ${row.start[0]}`];
    yield ["Steps", `${grouped(row.steps[0], 0)} to ${grouped(row.steps[1], 0)}`];
    yield ["Engine", `${row.engine} on ${row.device}, ${row.stack} network${row.stack > 1 ? "s" : ""} in the fit`];
    yield ["Fit", `${plain(row.seconds)} s, published ${row.finished}${row.cached ? "; read from the store by this run" : ""}`];
    yield ["Data", row.data];
    yield ["Versions", row.versions];
  }

  onChange(show);
  show();
  return html("div", {}, html("div", { class: "controls" }, ...[pick.element, labelled("Replicate", replicate)].filter(Boolean)), slider.element, card);
}
