// What all figures of the page have in common: the data, the level that is looked at, and which lines are shown.
const DATA = JSON.parse(document.getElementById("data").textContent);

const state = {
  level: DATA.level,
  hidden: { branch: new Set(), run: new Set() },
  colours: DATA.runs.length > 1 ? "run" : "branch",
};

const listeners = new Set();
const onChange = (listener) => listeners.add(listener);

function change(alter) {
  alter(state);
  for (const listener of listeners) listener();
}

const setLevel = (level) => change((now) => { now.level = level; });

const LINES = new Map(DATA.lines.map((line) => [line.id, line]));
const isShown = (line) => !state.hidden.branch.has(line.branch) && !state.hidden.run.has(line.run);

const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

// A run has its colour where runs are compared, and its dashes where colours tell branches apart.
function lookOf(line) {
  const place = DATA.runs.findIndex((run) => run.name === line.run);
  if (place < 0 || DATA.runs.length < 2) return { colour: line.colour, marker: line.marker, dash: "" };
  if (state.colours === "branch") {
    return { colour: line.colour, marker: line.marker, dash: DASHES[place % DASHES.length] };
  }
  const dash = line.branch === "ticket" ? "" : "4 3";
  return { colour: DATA.runs[place].colour, marker: line.marker, dash };
}

const lineName = (line) => (DATA.runs.length > 1 ? `${line.run}, ${line.branch}` : line.branch);

// A level in words; where runs are compared their densities may differ.
function levelText(level) {
  const density = DATA.levels[level];
  return density == null ? `level ${level}` : `level ${level}, ${percentOf(density)}% of weights`;
}

const say = (text) => { document.getElementById("said").textContent = text; };
