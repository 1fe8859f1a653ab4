// Numbers as texts, the same as in the report's tables.
const MINUS = "\u2212";

function percentOf(density) {
  const percent = 100 * density;
  if (percent >= 99.95) return "100";
  return percent >= 1 ? percent.toFixed(1) : String(+percent.toPrecision(2));
}

function grouped(value, decimals) {
  const text = value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return text.replace("-", MINUS);
}

// Four significant digits, in the scientific form only where nothing else fits.
function plain(value) {
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 12 || size < -4) return value.toExponential(2).replace(/-/g, MINUS);
  return grouped(value, Math.max(0, Math.min(6, 3 - size)));
}

function valueText(set, value) {
  if (value == null) return "\u2013";
  const number = set.decimals == null ? plain(value) : grouped(value, set.decimals);
  return set.unit === "%" ? `${number}%` : set.unit ? `${number} ${set.unit}` : number;
}

// Ticks at round numbers, `count` of them or a few less.
function niceTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((found) => found >= rough * 0.999);
  const ticks = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place++) ticks.push(place * step || 0); // never the negative nought
  return { ticks, step };
}

// Powers of ten, with 2 and 5 between them where the axis is short.
function logTicks(low, high) {
  const short = high / low < 2000;
  const ticks = [];
  for (let size = Math.floor(Math.log10(low)); size <= Math.ceil(Math.log10(high)); size++) {
    for (const factor of short ? [1, 2, 5] : [1]) {
      const tick = factor * 10 ** size;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

// A label on an axis: as many decimals as the ticks differ by, thousands as k.
function tickText(value, step) {
  if (Math.abs(value) >= 1e12) return value.toExponential(0);
  for (const [size, prefix] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (step >= size / 10 && Math.abs(value) >= size) return `${+(value / size).toPrecision(4)}${prefix}`.replace("-", MINUS);
  }
  const decimals = Math.max(0, Math.min(8, Math.ceil(-Math.log10(step) - 1e-9)));
  const needed = Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6 ? decimals + 1 : decimals;
  return grouped(value, needed);
}
