// Curves along an axis of their own: all branches at one level, or all levels of one branch.
const LEVEL_COLOURS = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#9fbf2b"];
const FIRST_LEVELS = 6;

function profileFigure(sets, name) {
  let set = sets[0];
  let view = "";
  const choice = { log: false, logY: true, whole: false };
  const chosen = new Set();
  const everyLine = DATA.lines.filter((line) => sets.some((one) => line.id in one.lines));
  const levels = levelsOf(sets.flatMap((one) => Object.values(one.lines)));
  const slider = levelSlider(() => levels);
  const pick = setPicker(sets, () => renew());
  const views = [["", "lines at one level"], ...everyLine.map((line) => [line.id, `levels of ${lineName(line)}`])];
  const look = selectOf("Show", levels.length > 1 ? views : views.slice(0, 1), (value) => {
    view = value;
    renew();
  });
  const box = (text, name) => checkboxOf(text, choice[name], (on) => {
    choice[name] = on;
    renew();
  });
  const [log, logY, whole] = [box("Logarithmic iterations", "log"), box("Logarithmic loss", "logY"), box("All values", "whole")];
  const isCurve = () => set.x === "iteration";
  const isLoss = () => isCurve() && set.unit === "nats";

  function describe() {
    const lines = view ? ofLevels() : ofLines();
    const place = (point) => `${set.x} ${grouped(point.x, point.x % 1 ? 2 : 0)}`;
    const read = (point) => readRange(set, point);
    const title = view ? `${set.label}, levels of ${lineName(LINES.get(view))}` : `${set.label} at ${levelText(slider.level())}`;
    return { title, alternative: alternative(title, lines, place, read), lines, x: { label: set.x, log: choice.log }, y: { log: isLoss() && choice.logY, floor: isCurve() && !isLoss() && !choice.whole ? lateFloor(lines) : null }, diagonal: set.diagonal, place, read };
  }

  function ofLines() {
    const known = everyLine.filter((line) => line.id in set.lines && isShown(line));
    return known.map((line) => ({ id: line.id, label: lineName(line), ...lookOf(line), points: along(set, line.id, slider.level(), choice.log) }));
  }

  function ofLevels() {
    const own = Object.keys(set.lines[view] || {}).map(Number).filter((level) => chosen.has(level));
    return own.map((level) => ({ id: String(level), label: levelText(level), colour: levelColour(level, levels), marker: null, dash: "", points: along(set, view, level, choice.log) }));
  }

  const places = Math.min(FIRST_LEVELS, levels.length);
  for (let place = 0; place < places; place++) chosen.add(levels[Math.round((place * (levels.length - 1)) / Math.max(places - 1, 1))]);
  const levelLegend = legendOfLevels(levels, chosen, () => renew());
  const lineLegend = legend(everyLine);
  const title = html("h3", { class: "y-title" });
  const plot = html("div", { class: "plot-place" });
  const figure = html("div", {}, html("div", { class: "controls" }, ...[...pick.elements, look.element, log.element, logY.element, whole.element].filter(Boolean)), slider.element, title, lineLegend, levelLegend.element, plot);
  figure.dataset.name = name;
  const chart = chartIn(plot, describe);
  const values = valuesOf(chart.chart);
  figure.append(values.element);
  slider.element.hidden = levels.length < 2;
  function renew() {
    set = pick.set();
    title.textContent = pick.title();
    log.element.hidden = !isCurve();
    logY.element.hidden = !isLoss();
    whole.element.hidden = !isCurve() || isLoss();
    slider.element.hidden = Boolean(view) || levels.length < 2;
    lineLegend.hidden = Boolean(view);
    levelLegend.element.hidden = !view;
    levelLegend.show();
    chart.draw();
    values.fill();
  }
  renew();
  return figure;
}

function along(set, id, level, log) {
  const found = (set.lines[id] || {})[level];
  if (!found) return [];
  const scaled = (values, place) => (values && values[place] != null ? values[place] * set.factor : null);
  return found.x
    .map((x, place) => ({ x, y: scaled(found.mean, place), low: scaled(found.low, place), high: scaled(found.high, place), n: found.n }))
    .filter((point) => point.y != null && (!log || point.x > 0));
}

// The first steps rise from chance and would squeeze the differences that matter: the axis starts at what the second half has.
function lateFloor(lines) {
  const late = lines.flatMap((line) => line.points.slice(Math.floor(line.points.length / 2)));
  const [low, high] = extent(late.flatMap((point) => [point.y, point.low]));
  return low - (high - low);
}

function readRange(set, point) {
  const bare = { ...set, unit: "" };
  if (point.low == null) return `${valueText(set, point.y)} (n = ${point.n})`;
  return `${valueText(set, point.y)} (${valueText(bare, point.low)} to ${valueText(bare, point.high)}, n = ${point.n})`;
}

function levelColour(level, levels) {
  const share = levels.indexOf(level) / Math.max(levels.length - 1, 1);
  return LEVEL_COLOURS[Math.round(share * (LEVEL_COLOURS.length - 1))];
}

function legendOfLevels(levels, chosen, onPick) {
  const buttons = levels.map((level) => {
    const dot = html("span", { class: "dot series" });
    dot.style.setProperty("--c", levelColour(level, levels));
    const density = DATA.levels[level];
    const button = html("button", { type: "button", "data-level": level }, dot, density == null ? `level ${level}` : `${percentOf(density)}%`);
    button.addEventListener("click", () => {
      toggle(chosen, level);
      onPick();
    });
    return { button, level };
  });
  const element = html("div", { class: "legend" }, html("div", { role: "group", "aria-label": "Levels" }, ...buttons.map((entry) => entry.button)));
  const show = () => buttons.forEach(({ button, level }) => button.setAttribute("aria-pressed", String(chosen.has(level))));
  return { element, show };
}
