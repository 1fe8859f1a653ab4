// Native form elements with a label each.
function labelled(text, control, kind = "") {
  return html("label", { class: `control ${kind}` }, html("span", {}, text), control);
}

// Options are [value, text]; nothing is made where there is no choice.
function selectOf(text, options, onPick) {
  const select = html("select", {}, ...options.map(([value, name]) => html("option", { value }, name)));
  select.addEventListener("change", () => onPick(select.value));
  return { select, element: options.length > 1 ? labelled(text, select) : null };
}

function checkboxOf(text, checked, onPick) {
  const box = html("input", { type: "checkbox", checked });
  box.addEventListener("change", () => onPick(box.checked));
  return { box, element: labelled(text, box, "check") };
}

// The page's level, as a slider over the levels that a figure has now. All sliders show the same level where they can.
function levelSlider(found) {
  let levels = [];
  const slider = html("input", { type: "range", min: 0, max: 0, step: 1 });
  const text = html("output");
  const play = html("button", { type: "button", class: "play", "aria-label": "Play through the levels" }, "Play");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  };
  const show = () => {
    levels = found();
    slider.max = Math.max(levels.length - 1, 0);
    const place = nearestPlace(levels, state.level);
    slider.value = place;
    text.textContent = levelText(levels[place]);
    slider.setAttribute("aria-valuetext", text.textContent);
  };
  slider.addEventListener("input", () => {
    stop();
    setLevel(levels[+slider.value]);
  });
  play.addEventListener("click", () => {
    if (timer) return stop();
    play.textContent = "Stop";
    if (+slider.value >= levels.length - 1) setLevel(levels[0]);
    timer = setInterval(() => {
      if (+slider.value >= levels.length - 1) return stop();
      setLevel(levels[+slider.value + 1]);
    }, 500);
  });
  onChange(show);
  show();
  const element = html("div", { class: "levels" }, labelled("Level", slider, "slide"), text, play);
  return { slider, element, level: () => levels[+slider.value], show };
}

// Which set is shown: by its measure, and where a measure is one of layers, by the layer.
function setPicker(sets, onPick) {
  const baseOf = (set) => set.base || set.id;
  let set = sets[0];
  const measures = [...new Map(sets.map((one) => [baseOf(one), one.label]))];
  const layers = html("select");
  const layer = labelled("Layer", layers);
  const own = () => sets.filter((one) => baseOf(one) === baseOf(set));
  const showLayers = () => {
    const found = own();
    layer.hidden = found.length < 2;
    layers.replaceChildren(...found.map((one) => html("option", { value: one.id }, one.layer || "whole network")));
    layers.value = set.id;
  };
  const pick = selectOf("Measure", measures, (base) => {
    const found = sets.filter((one) => baseOf(one) === base);
    set = found.find((one) => one.layer === set.layer) || found[0];
    showLayers();
    onPick();
  });
  layers.addEventListener("change", () => {
    set = sets.find((one) => one.id === layers.value);
    onPick();
  });
  showLayers();
  const title = () => `${set.label}${set.layer ? `, ${set.layer}` : ""}${set.unit ? ` (${set.unit})` : ""}`;
  const elements = sets.some((one) => one.layer) ? [pick.element, layer] : [pick.element];
  return { elements, set: () => set, title };
}

// All levels in some mappings whose names are levels.
function levelsOf(mappings) {
  return [...new Set(mappings.flatMap((mapping) => Object.keys(mapping).map(Number)))].sort((a, b) => a - b);
}

function nearestPlace(levels, wanted) {
  let best = 0;
  levels.forEach((level, place) => {
    if (Math.abs(level - wanted) < Math.abs(levels[best] - wanted)) best = place;
  });
  return best;
}
