// Matplotlib's markers by its own letters, so that a branch has the same sign here as in the figures.
function polygon(corners, radius, turn = 0, inner = null) {
  const points = [];
  const steps = inner ? 2 * corners : corners;
  for (let place = 0; place < steps; place++) {
    const reach = inner && place % 2 ? inner : radius;
    const angle = -Math.PI / 2 + turn + (2 * Math.PI * place) / steps;
    points.push(`${(reach * Math.cos(angle)).toFixed(2)},${(reach * Math.sin(angle)).toFixed(2)}`);
  }
  return `M${points.join("L")}Z`;
}

const MARKERS = {
  o: "M-3.6,0a3.6,3.6 0 1,0 7.2,0a3.6,3.6 0 1,0 -7.2,0Z",
  s: "M-3.3,-3.3H3.3V3.3H-3.3Z",
  "^": polygon(3, 4.6),
  v: polygon(3, 4.6, Math.PI),
  "<": polygon(3, 4.6, -Math.PI / 2),
  ">": polygon(3, 4.6, Math.PI / 2),
  D: polygon(4, 4.6),
  d: "M0,-4.8L2.9,0L0,4.8L-2.9,0Z",
  P: "M-1.4,-4.2H1.4V-1.4H4.2V1.4H1.4V4.2H-1.4V1.4H-4.2V-1.4H-1.4Z",
  X: "M0,-1.9L2.2,-4.2L4.2,-2.2L1.9,0L4.2,2.2L2.2,4.2L0,1.9L-2.2,4.2L-4.2,2.2L-1.9,0L-4.2,-2.2L-2.2,-4.2Z",
  h: polygon(6, 4.2),
  p: polygon(5, 4.2),
  "*": polygon(5, 5, 0, 2.1),
};

const markerPath = (letter) => MARKERS[letter] || MARKERS.o;
