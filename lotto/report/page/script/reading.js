// Reading values off a chart: the point nearest to the pointer, or the one that the arrow keys have reached.
function reader(host, onRead, onPick) {
  let spots = [];
  let at = null;

  function nearest(x, y) {
    let best = null;
    let least = Infinity;
    for (const spot of spots) {
      // Along the horizontal axis first: a line is followed from level to level.
      const distance = 4 * Math.abs(spot.px - x) + Math.abs(spot.py - y);
      if (distance < least) [best, least] = [spot, distance];
    }
    return best;
  }

  function go(spot, aloud) {
    if (!spot) return;
    at = spot;
    onRead(at, aloud);
  }

  const onLine = (line) => spots.filter((spot) => spot.line === line).sort((a, b) => a.px - b.px);

  function along(step) {
    const own = onLine(at.line);
    const place = own.indexOf(at);
    go(own[Math.max(0, Math.min(own.length - 1, place + step))], true);
  }

  function across(step) {
    const lines = [...new Set(spots.map((spot) => spot.line))];
    const line = lines[(lines.indexOf(at.line) + step + lines.length) % lines.length];
    const own = onLine(line);
    go(own.reduce((best, spot) => (Math.abs(spot.px - at.px) < Math.abs(best.px - at.px) ? spot : best), own[0]), true);
  }

  const keys = {
    ArrowRight: () => along(1),
    ArrowLeft: () => along(-1),
    ArrowDown: () => across(1),
    ArrowUp: () => across(-1),
    Home: () => along(-Infinity),
    End: () => along(Infinity),
    Enter: () => onPick(at),
    " ": () => onPick(at),
  };

  host.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return onRead(null);
    if (!(event.key in keys) || !spots.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (at) keys[event.key]();
    else go(onLine(spots[0].line)[0], true);
  });
  const follow = (event) => {
    const box = host.getBoundingClientRect();
    go(nearest(event.clientX - box.left, event.clientY - box.top), false);
  };
  host.addEventListener("pointermove", follow);
  host.addEventListener("pointerdown", follow);
  host.addEventListener("pointerleave", () => { if (document.activeElement !== host) onRead(null); });
  host.addEventListener("click", () => { if (at) onPick(at); });
  host.addEventListener("blur", () => onRead(null));

  // The chart was drawn anew: stay at the same point if it is still there.
  return (found) => {
    spots = found;
    at = at && spots.find((spot) => spot.line.id === at.line.id && spot.point.x === at.point.x);
    return at;
  };
}
