// A chart in its place: drawn to the width there is, read by pointer and keyboard.
const CLOSE = 7;

function chartIn(place, describe) {
  const host = html("div", { class: "plot", tabindex: 0, role: "group" });
  const note = html("div", { class: "reading", hidden: true });
  place.append(host);
  let chart = null;
  let drawn = null;
  let spots = [];

  function onRead(spot, aloud) {
    host.querySelector(".cursor")?.remove();
    note.hidden = !spot;
    if (!spot) return;
    drawn.root.append(svg("circle", { class: "cursor", cx: spot.px, cy: Math.min(spot.py, drawn.frame.height - MARGIN.bottom), r: 7 }));
    note.replaceChildren(...lines(spot));
    const side = spot.px > drawn.frame.width / 2;
    note.style.left = side ? "auto" : `${spot.px + 16}px`;
    note.style.right = side ? `${drawn.frame.width - spot.px + 16}px` : "auto";
    if (aloud) say(`${spot.line.label}, ${chart.place(spot.point)}: ${chart.read(spot.point)}`);
  }

  // What all lines say at this place, the one that is read in bold.
  function lines(spot) {
    const there = chart.lines.map((line) => spots.filter((one) => one.line === line).reduce((best, one) => (!best || Math.abs(one.px - spot.px) < Math.abs(best.px - spot.px) ? one : best), null));
    const close = there.filter((one) => one && Math.abs(one.px - spot.px) <= CLOSE);
    if (!close.includes(spot)) close.push(spot);
    return [
      html("p", { class: "where" }, chart.place(spot.point)),
      ...close.slice(0, 12).map((one) => {
        const swatch = html("span", { class: "dot series" });
        swatch.style.setProperty("--c", one.line.colour);
        return html("p", { class: one.line === spot.line ? "here" : "" }, swatch, `${one.line.label} `, html("span", { class: "number" }, chart.read(one.point)));
      }),
    ];
  }

  const renew = reader(host, onRead, (spot) => { if (spot.point.level != null) setLevel(spot.point.level); });

  function draw() {
    chart = describe();
    const width = Math.floor(place.clientWidth);
    if (!width) return;
    const shown = chart.lines.filter((line) => line.points.length);
    host.setAttribute("aria-label", `Chart: ${chart.title}. ${chart.alternative} Arrow keys read the points.`);
    if (!shown.length) {
      drawn = null;
      spots = [];
      renew(spots);
      host.replaceChildren(html("p", { class: "nothing" }, "Nothing is switched on."));
      return;
    }
    drawn = drawChart({ ...chart, lines: shown }, width);
    spots = shown.flatMap((line) => line.points.map((point) => ({ line, point, px: drawn.frame.x(point.x), py: drawn.frame.y(point.y) })));
    host.replaceChildren(drawn.root, note);
    const at = renew(spots);
    if (at && document.activeElement === host) onRead(at, false);
    else note.hidden = true;
  }

  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  }).observe(place);
  onChange(draw);
  draw();
  return { draw, chart: () => chart };
}

// Where every line starts and ends, for those who cannot see it.
function alternative(title, lines, place, read) {
  const courses = lines.filter((line) => line.points.length).map((line) => {
    const [first, last] = [line.points[0], line.points[line.points.length - 1]];
    return `${line.label} from ${read(first)} at ${place(first)} to ${read(last)} at ${place(last)}`;
  });
  return `${title}: ${courses.join("; ") || "no line is switched on"}.`;
}
