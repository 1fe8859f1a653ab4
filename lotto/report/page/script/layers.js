// How dense every layer is: bars at one level, or a line for each layer over the levels.
function layersFigure(networks) {
  const lines = DATA.lines.filter((line) => networks.some((network) => line.id in network.kept));
  let line = lines[0];
  let view = "bars";
  const ofLine = () => networks.find((network) => line.id in network.kept);
  const slider = levelSlider(() => levelsOf([ofLine().kept[line.id]]));
  const pick = selectOf("Of", lines.map((one) => [one.id, lineName(one)]), (id) => {
    line = LINES.get(id);
    show();
  });
  const look = selectOf("Show", [["bars", "each layer at one level"], ["lines", "each layer over the levels"]], (value) => {
    view = value;
    show();
  });
  const bars = html("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Density of each layer" });
  const plot = html("div", { class: "plot-place" });
  const names = html("ul", { class: "names" });
  const title = html("h3", { class: "y-title" });
  const figure = html("div", {}, html("div", { class: "controls" }, ...[pick.element, look.element].filter(Boolean)), slider.element, title, bars, names, plot);

  function fillBars() {
    const network = ofLine();
    const kept = network.kept[line.id][slider.level()];
    const total = network.totals.reduce((sum, count) => sum + count, 0);
    const all = kept.reduce((sum, count) => sum + count, 0);
    const rows = [...network.names.map((name, place) => [name, kept[place], network.totals[place]]), ["all layers", all, total]];
    const header = html("tr", {}, ...["layer", "beside the densest", "density", "kept", "of"].map((name) => html("th", { scope: "col" }, name)));
    const densest = Math.max(...rows.map(([, count, all]) => count / all));
    bars.replaceChildren(html("table", { class: "bars" }, html("thead", {}, header), html("tbody", {}, ...rows.map((row) => barRow(...row, densest)))));
  }

  // The densest layer fills its track, so that layers can be told apart where all are sparse.
  function barRow(name, count, total, densest) {
    const share = count / total;
    const bar = html("span", { class: "bar series", "aria-hidden": "true" });
    bar.style.setProperty("--c", lookOf(line).colour);
    bar.style.width = `${(100 * share) / (densest || 1)}%`;
    const cells = [html("td", { class: "track" }, bar), html("td", {}, `${percentOf(share)}%`), html("td", {}, grouped(count, 0)), html("td", {}, grouped(total, 0))];
    return html("tr", {}, html("th", { scope: "row" }, name), ...cells);
  }

  function describe() {
    const network = ofLine();
    const found = Object.entries(network.kept[line.id]).map(([level, kept]) => [Number(level), kept]).sort((a, b) => a[0] - b[0]);
    const total = network.totals.reduce((sum, count) => sum + count, 0);
    const drawn = network.names.map((name, place) => ({
      id: name,
      label: name,
      colour: levelColour(place, network.names.map((_, index) => index)),
      marker: null,
      dash: place % 2 ? "6 3" : "",
      points: found.map(([level, kept]) => ({ level, x: kept.reduce((sum, count) => sum + count, 0) / total, y: (100 * kept[place]) / network.totals[place] })),
    }));
    const place = (point) => `level ${point.level}, ${percentOf(point.x)}% of weights`;
    const read = (point) => `${percentOf(point.y / 100)}%`;
    const name = `Density of each layer of ${lineName(line)}`;
    return { title: name, alternative: alternative(name, drawn, place, read), lines: drawn, x: { label: "weights remaining in all (%)", log: true, reversed: true, text: percentOf, ticks: ticksOf(drawn) }, y: {}, mark: DATA.levels[state.level], place, read };
  }

  const chart = chartIn(plot, describe);
  const values = valuesOf(chart.chart);
  figure.append(values.element);
  function show() {
    slider.show();
    title.textContent = "Density of the layer (%)";
    bars.hidden = slider.element.hidden = view !== "bars";
    plot.hidden = names.hidden = values.element.hidden = view === "bars";
    fillBars();
    chart.draw();
    names.replaceChildren(...chart.chart().lines.map(nameOf));
    values.fill();
  }
  function nameOf(drawn) {
    const dot = html("span", { class: "dot series" });
    dot.style.setProperty("--c", drawn.colour);
    return html("li", {}, dot, drawn.label);
  }

  onChange(fillBars);
  show();
  return figure;
}
