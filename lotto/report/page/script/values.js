// The numbers of a chart as a table, made when it is opened and kept up to date while it is open.
function valuesOf(current) {
  const box = html("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Data of the chart" });
  const details = html("details", { class: "values" }, html("summary", {}, "Data as a table"), box);
  const fill = () => {
    if (!details.open) return;
    const chart = current();
    const places = new Map();
    for (const line of chart.lines) {
      for (const point of line.points) {
        const name = chart.place(point);
        if (!places.has(name)) places.set(name, new Map());
        places.get(name).set(line.id, chart.read(point));
      }
    }
    const header = html("tr", {}, ...[chart.x.label, ...chart.lines.map((line) => line.label)].map((name) => html("th", { scope: "col" }, name)));
    const rows = [...places].map(([name, found]) => html("tr", {}, html("th", { scope: "row" }, name), ...chart.lines.map((line) => html("td", {}, found.get(line.id) || ""))));
    box.replaceChildren(html("table", {}, html("thead", {}, header), html("tbody", {}, ...rows)));
  };
  details.addEventListener("toggle", fill);
  onChange(fill);
  return { element: details, fill };
}
