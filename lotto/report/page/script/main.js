// Every figure takes the place of what stands there without a script.
const FIGURES = {
  accuracy: () => densityFigure(DATA.accuracy, "accuracy"),
  early_stop: () => densityFigure(DATA.early_stop, "early_stop"),
  costs: () => densityFigure(DATA.costs, "costs"),
  curves: () => profileFigure(DATA.curves, "curves"),
  layers: () => layersFigure(DATA.layers),
  masks: () => maskFigure(DATA.masks),
  barriers: () => densityFigure(DATA.barriers, "barriers"),
  paths: () => profileFigure(DATA.paths, "paths"),
  probes: () => densityFigure(DATA.probes, "probes"),
  profiles: () => profileFigure(DATA.profiles, "profiles"),
  origins: () => originsFigure(DATA.origins),
  colours: () => {
    const { element } = selectOf("Colours tell apart", [["run", "runs"], ["branch", "branches"]], (value) => change((now) => { now.colours = value; }));
    return html("div", { class: "controls" }, element);
  },
};

for (const place of document.querySelectorAll("[data-figure]")) {
  try {
    place.replaceChildren(FIGURES[place.dataset.figure]());
  } catch (reason) {
    reportError(reason); // the others are drawn, and what stood here stays
  }
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied.");
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // where a page may not write there, it is ready to be copied by hand
    }
  });
}

startTheme();
document.documentElement.dataset.ready = "true";
