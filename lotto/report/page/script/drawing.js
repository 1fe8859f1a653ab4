// A line chart as SVG, from a description:
//   lines: [{label, colour, marker, dash, points: [{x, y, low, high}]}], in display units
//   x: {label, log, reversed, ticks, text}, y: {log, floor, arrows}, rules: [{y, label}], diagonal, mark (an x that is looked at)
const MARGIN = { top: 12, right: 14, bottom: 44 };
const LABEL_ROOM = 46;
const LETTER = 7;

function frameOf(chart, width) {
  const height = Math.round(Math.min(420, Math.max(270, width * 0.58)));
  const points = chart.lines.flatMap((line) => line.points);
  const [low, high] = extent(points.map((point) => point.x));
  const log = chart.x.log && low > 0;
  const domainX = log ? [low / (high / low) ** 0.03, high * (high / low) ** 0.03] : [low - (high - low) * 0.03, high + (high - low) * 0.03];
  const logY = chart.y.log && points.some((point) => point.y > 0);
  const domainY = logY ? positiveHeights(points) : heights(chart, points);
  const { ticks, step } = logY ? { ticks: logTicks(...domainY) } : niceTicks(...domainY, Math.max(3, Math.floor(height / 60)));
  const texts = ticks.map((tick) => tickText(tick, step || tick));
  const left = 12 + LETTER * Math.max(...texts.map((text) => text.length));
  const range = [left + 6, width - MARGIN.right];
  const x = (log ? logarithmic : linear)(domainX, chart.x.reversed ? [range[1], range[0]] : range);
  const y = (logY ? logarithmic : linear)(domainY, [height - MARGIN.bottom, MARGIN.top]);
  return { width, height, left, x, y, log, domainX, domainY, ticks: ticks.map((tick, place) => [tick, texts[place]]) };
}

function heights(chart, points) {
  const every = points.flatMap((point) => [point.y, point.low, point.high]);
  every.push(...(chart.rules || []).map((rule) => rule.y));
  let [low, high] = extent(every);
  if (chart.y.floor != null) low = Math.max(low, chart.y.floor);
  const room = (high - low) * 0.06;
  // Counts, losses and costs do not fall below nought because of the room around them.
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

function positiveHeights(points) {
  const [low, high] = extent(points.flatMap((point) => [point.y, point.low, point.high]).filter((value) => value > 0));
  return [low / (high / low) ** 0.06, high * (high / low) ** 0.06];
}

function drawChart(chart, width) {
  const frame = frameOf(chart, width);
  const root = svg("svg", { role: "img", "aria-label": chart.alternative, width, height: frame.height, viewBox: `0 0 ${width} ${frame.height}` });
  const clip = fresh("clip");
  const inner = { x: frame.left, y: MARGIN.top - 6, width: width - frame.left - 2, height: frame.height - MARGIN.bottom - MARGIN.top + 12 };
  root.append(svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", inner))));
  root.append(axes(chart, frame));
  const inside = svg("g", { "clip-path": `url(#${clip})` });
  root.append(inside);
  if (chart.diagonal) {
    const [low, high] = [Math.max(frame.domainX[0], frame.domainY[0] / 100), Math.min(frame.domainX[1], frame.domainY[1] / 100)];
    inside.append(svg("line", { class: "rule", x1: frame.x(low), y1: frame.y(100 * low), x2: frame.x(high), y2: frame.y(100 * high) }));
  }
  for (const rule of chart.rules || []) inside.append(ruleOf(rule, frame));
  if (chart.mark != null) {
    inside.append(svg("line", { class: "looked-at", x1: frame.x(chart.mark), x2: frame.x(chart.mark), y1: MARGIN.top, y2: frame.height - MARGIN.bottom }));
  }
  for (const line of chart.lines) inside.append(bandOf(line, frame));
  // The first line is what the chart is about: it lies over the others.
  for (const line of [...chart.lines].reverse()) inside.append(strokeOf(line, frame));
  if (chart.y.arrows) for (const line of chart.lines) root.append(belowOf(line, frame));
  return { root, frame };
}

function axes(chart, frame) {
  const group = svg("g", { class: "axes", "aria-hidden": "true" });
  const foot = frame.height - MARGIN.bottom;
  for (const [tick, text] of frame.ticks) {
    group.append(svg("line", { class: "grid", x1: frame.left, x2: frame.width - 2, y1: frame.y(tick), y2: frame.y(tick) }));
    group.append(svg("text", { x: frame.left - 6, y: frame.y(tick) + 4, "text-anchor": "end" }, text));
  }
  const ticks = (chart.x.ticks || own(chart, frame)).map((tick) => [frame.x(tick), tick]).sort((a, b) => a[0] - b[0]);
  const step = chart.x.ticks ? null : frame.log ? null : niceTicks(...frame.domainX, 6).step;
  const text = chart.x.text || ((tick) => tickText(tick, step || tick));
  const named = apart(ticks.map(([place]) => place));
  ticks.forEach(([place, tick], index) => {
    group.append(svg("line", { class: "tick", x1: place, x2: place, y1: foot, y2: foot + (named.has(index) ? 6 : 3) }));
    if (named.has(index)) group.append(svg("text", { x: place, y: foot + 18, "text-anchor": "middle" }, text(tick)));
  });
  group.append(svg("line", { class: "tick", x1: frame.left, x2: frame.width - 2, y1: foot, y2: foot }));
  group.append(svg("text", { class: "title", x: (frame.left + frame.width) / 2, y: frame.height - 8, "text-anchor": "middle" }, chart.x.label));
  return group;
}

function own(chart, frame) {
  const [low, high] = frame.domainX;
  return frame.log ? logTicks(low, high) : niceTicks(low, high, Math.max(2, Math.floor(frame.width / 90))).ticks;
}

// Which ticks, from left to right, have room for a label: the first, the last, and between them all that fit.
function apart(places) {
  const named = new Set([0, places.length - 1]);
  let last = places[0];
  for (let index = 1; index < places.length - 1; index++) {
    if (places[index] - last >= LABEL_ROOM && places[places.length - 1] - places[index] >= LABEL_ROOM) {
      named.add(index);
      last = places[index];
    }
  }
  return named;
}

function ruleOf(rule, frame) {
  const y = frame.y(rule.y);
  return svg("g", {},
    svg("line", { class: "rule", x1: frame.left, x2: frame.width - 2, y1: y, y2: y }),
    svg("text", { class: "rule-name", x: frame.width - 6, y: y - 4, "text-anchor": "end" }, rule.label));
}

function series(line, name) {
  const group = svg("g", { class: `series ${name}`, "data-line": line.id });
  group.style.setProperty("--c", line.colour);
  return group;
}

function bandOf(line, frame) {
  const group = series(line, "band");
  const known = line.points.filter((point) => point.low != null && point.high != null);
  if (known.length > 1) {
    const edge = (point, side) => `${frame.x(point.x).toFixed(1)},${frame.y(point[side]).toFixed(1)}`;
    const there = known.map((point) => edge(point, "high"));
    const back = [...known].reverse().map((point) => edge(point, "low"));
    group.append(svg("path", { class: "area", d: `M${[...there, ...back].join("L")}Z` }));
  }
  return group;
}

function strokeOf(line, frame) {
  const group = series(line, "stroke");
  const places = line.points.map((point) => [frame.x(point.x), frame.y(point.y)]);
  group.append(svg("path", { class: "line", d: `M${places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`, "stroke-dasharray": line.dash }));
  if (line.marker && places.length <= 40) {
    for (const [x, y] of places) group.append(svg("path", { class: "marker", d: markerPath(line.marker), transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }));
  }
  return group;
}

// An arrow head at the foot of the axis for every mean that lies below it.
function belowOf(line, frame) {
  const group = series(line, "below");
  for (const point of line.points.filter((one) => one.y < frame.domainY[0])) {
    group.append(svg("path", { class: "marker", d: "M-4,-7H4L0,0Z", transform: `translate(${frame.x(point.x).toFixed(1)} ${frame.height - MARGIN.bottom - 1})` }));
  }
  return group;
}
