// Buttons that switch branches, and where several are compared runs, on and off: in all figures at once.
function legend(lines) {
  const element = html("div", { class: "legend" });
  const keys = DATA.runs.length > 1 ? ["run", "branch"] : ["branch"];
  const entries = keys.flatMap((key) => [...new Set(lines.map((line) => line[key]))].map((name) => ({ key, name })));
  const buttons = entries.map(({ key, name }) => {
    const line = lines.find((one) => one[key] === name);
    const swatch = html("span", { class: "swatch" });
    const button = html("button", { type: "button", "data-key": key, "data-name": name }, swatch, name);
    button.addEventListener("click", () => change((now) => toggle(now.hidden[key], name)));
    return { button, swatch, key, name, line };
  });
  for (const key of keys) {
    const group = html("div", { role: "group", "aria-label": key === "run" ? "Runs" : "Branches" });
    group.append(...buttons.filter((entry) => entry.key === key).map((entry) => entry.button));
    element.append(group);
  }
  const show = () => {
    for (const { button, swatch, key, name, line } of buttons) {
      button.setAttribute("aria-pressed", String(!state.hidden[key].has(name)));
      swatch.replaceChildren(sample(line, key));
    }
  };
  onChange(show);
  show();
  return element;
}

function toggle(set, name) {
  if (!set.delete(name)) set.add(name);
}

// A piece of the line: what of its look the button's name decides, the rest grey.
function sample(line, key) {
  const look = lookOf(line);
  const decides = DATA.runs.length < 2 || key === state.colours;
  const marker = key === "branch" ? svg("path", { class: "marker", d: markerPath(look.marker), transform: "translate(14 7)" }) : null;
  const stroke = svg("line", { class: "line", x1: 0, x2: 28, y1: 7, y2: 7, "stroke-dasharray": DATA.runs.length > 1 && !decides ? look.dash : "" });
  const picture = svg("svg", { width: 28, height: 14, "aria-hidden": "true", class: "series" }, stroke, marker);
  picture.style.setProperty("--c", decides ? look.colour : "#888888");
  return picture;
}
