// Measures against density: which measure, which band, a logarithmic or a linear axis.
function densityFigure(sets, name) {
  const figure = html("div");
  let set = sets[0];
  const lines = DATA.lines.filter((line) => sets.some((one) => line.id in one.lines));
  // The bands of many lines hide each other.
  const choice = { log: true, band: lines.length > 4 ? "none" : "range", whole: false };
  const pick = setPicker(sets, () => renew());
  const band = selectOf("Band", [["range", "lowest to highest"], ["sd", "\u00b1 one standard deviation"], ["none", "none"]], (value) => {
    choice.band = value;
    renew();
  });
  band.select.value = choice.band;
  const log = checkboxOf("Logarithmic axis", true, (on) => {
    choice.log = on;
    renew();
  });
  const whole = checkboxOf("All values", false, (on) => {
    choice.whole = on;
    renew();
  });

  function describe() {
    const known = DATA.lines.filter((line) => line.id in set.lines && isShown(line));
    const lines = known.map((line) => ({ id: line.id, label: lineName(line), ...lookOf(line), points: pointsOf(set, line.id, set.differs ? "range" : choice.band) }));
    const floor = set.floor == null ? null : set.floor * set.factor;
    const cut = floor != null && lines.some((line) => line.points.some((point) => point.y < floor));
    whole.element.hidden = !cut;
    if (band.element) band.element.hidden = Boolean(set.differs);
    const place = (point) => `level ${point.level}, ${percentOf(point.x)}% of weights`;
    const read = (point) => readPoint(set, point);
    return {
      title: `${pick.title()} against weights remaining`,
      alternative: alternative(`${pick.title()} against percent of weights remaining`, lines, place, read),
      lines,
      x: { label: "weights remaining (%)", log: choice.log, reversed: true, text: percentOf, ticks: ticksOf(lines) },
      y: { floor: choice.whole ? null : floor, arrows: true },
      rules: denseRule(set, lines),
      mark: DATA.levels[state.level],
      place,
      read,
    };
  }

  const title = html("h3", { class: "y-title" });
  const plot = html("div", { class: "plot-place" });
  figure.append(html("div", { class: "controls" }, ...[...pick.elements, band.element, log.element, whole.element].filter(Boolean)), title, legend(lines), plot);
  const chart = chartIn(plot, describe);
  const values = valuesOf(chart.chart);
  figure.append(values.element);
  function renew() {
    set = pick.set();
    title.textContent = pick.title();
    chart.draw();
    values.fill();
  }
  renew();
  figure.dataset.name = name;
  return figure;
}

function pointsOf(set, id, band) {
  return set.lines[id].map(([level, density, mean, low, high, sd, n, p]) => {
    const scaled = (value) => (value == null ? null : value * set.factor);
    const edges = band === "range" ? [low, high] : band === "sd" && sd != null ? [mean - sd, mean + sd] : [null, null];
    return { level, x: density, y: scaled(mean), low: n > 1 ? scaled(edges[0]) : null, high: n > 1 ? scaled(edges[1]) : null, sd: scaled(sd), least: scaled(low), most: scaled(high), n, p };
  });
}

function readPoint(set, point) {
  if (point.n < 2) return `${valueText(set, point.y)} (n = ${point.n})`;
  const bare = { ...set, unit: "" };
  if (set.differs) return `${valueText(set, point.y)} (95% interval ${valueText(bare, point.least)} to ${valueText(bare, point.most)}, n = ${point.n}, p ${point.p})`;
  return `${valueText(set, point.y)} \u00b1 ${valueText(bare, point.sd)} (${valueText(bare, point.least)} to ${valueText(bare, point.most)}, n = ${point.n})`;
}

function ticksOf(lines) {
  return [...new Set(lines.flatMap((line) => line.points.map((point) => point.x)))];
}

// What the dense network has, across the whole width; where runs are compared each has its own.
function denseRule(set, lines) {
  if (set.differs) return [{ y: 0, label: "no difference" }];
  if (DATA.runs.length > 1) return [];
  const dense = lines.flatMap((line) => line.points).find((point) => point.level === 0);
  return dense ? [{ y: dense.y, label: "dense" }] : [];
}
