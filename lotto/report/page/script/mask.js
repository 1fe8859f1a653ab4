// The mask of the first layer as the picture that it is: pixels of the input, or filters.
function maskFigure(networks) {
  let network = networks[0];
  const choice = { branch: "", replicate: "", fixed: false };
  const figure = html("div", { class: "mask" });
  const canvas = html("canvas", { class: "picture", role: "img", tabindex: 0 });
  const units = html("div", { class: "units" });
  const text = html("p", { class: "caption" });
  const reading = html("output", { class: "pixel" });
  const scale = html("p", { class: "scale" });
  const controls = html("div", { class: "controls" });
  const fixed = checkboxOf("Same scale at every level", false, (on) => {
    choice.fixed = on;
    show();
  });
  const frames = () => network.frames[choice.branch]?.[choice.replicate] || {};
  const slider = levelSlider(() => levelsOf([frames()]));
  let cursor = null;

  function choose() {
    const branches = Object.keys(network.frames);
    if (!branches.includes(choice.branch)) choice.branch = branches[0];
    const replicates = Object.keys(network.frames[choice.branch]);
    if (!replicates.includes(choice.replicate)) choice.replicate = replicates[0];
    const pickers = [
      [selectOf("Run", networks.map((one, place) => [place, one.run]), (place) => { network = networks[place]; choose(); }), networks.indexOf(network)],
      [selectOf("Of", branches.map((name) => [name, name]), (name) => { choice.branch = name; choose(); }), choice.branch],
      [selectOf("Replicate", replicates.map((name) => [name, name]), (name) => { choice.replicate = name; choose(); }), choice.replicate],
    ];
    const focused = [...controls.querySelectorAll("select")].indexOf(document.activeElement);
    for (const [picker, value] of pickers) picker.select.value = value;
    controls.replaceChildren(...pickers.map(([picker]) => picker.element).filter(Boolean), ...(network.kind === "pixels" ? [fixed.element] : []));
    if (focused >= 0) controls.querySelectorAll("select")[focused]?.focus();
    show();
  }

  function show() {
    slider.show();
    const frame = frames()[slider.level()];
    units.replaceChildren();
    reading.textContent = "";
    const total = network.shape.reduce((product, side) => product * side, 1);
    const start = `${network.layer} of ${network.run ? `${network.run}, ` : ""}${choice.branch}, ${levelText(slider.level())}: ${grouped(frame.kept, 0)} of ${grouped(total, 0)} weights kept (${percentOf(frame.kept / total)}%)`;
    const shown = Object.keys(network.frames[choice.branch]).length;
    const left = shown < network.replicates ? ` ${shown} of ${network.replicates} replicates can be looked at.` : "";
    text.textContent = (network.kind === "pixels" ? showPixels(frame, start) : showFilters(frame, start)) + left;
    canvas.setAttribute("aria-label", `${text.textContent} Arrow keys read single pixels.`);
  }

  // As many connections as a pixel keeps, from none to the most, from the ground to full colour.
  function showPixels(frame, start) {
    const [channels, height, width] = network.image;
    const most = choice.fixed ? network.shape[0] * channels : Math.max(1, ...frame.pixels);
    paint(canvas, width, height, frame.pixels, most);
    cursor = { width, height, words: (x, y) => `row ${y + 1}, column ${x + 1}: ${frame.pixels[y * width + x]} of ${network.shape[0] * channels} connections` };
    const ramp = html("span", { class: "ramp" });
    scale.replaceChildren("0 ", ramp, ` ${grouped(most, 0)} connections kept`);
    const bits = unpacked(frame.bits, frame.units.length * width * height);
    frame.units.forEach((unit, place) => {
      const own = bits.subarray(place * width * height, (place + 1) * width * height);
      const kept = own.reduce((sum, bit) => sum + bit, 0);
      const picture = html("canvas", { role: "img", "aria-label": `unit ${unit}: ${kept} pixels kept` });
      paint(picture, width, height, own, 1);
      units.append(html("figure", {}, picture, html("figcaption", {}, `unit ${unit}`)));
    });
    const dead = frame.pixels.filter((count) => count === 0).length;
    return `${start}. ${grouped(dead, 0)} of ${grouped(width * height, 0)} pixels keep no connection.`;
  }

  // A filter's weights where they are; three input channels are red, green and blue.
  function showFilters(frame, start) {
    const [, inputs, tall, wide] = network.shape;
    const count = network.filters;
    const bits = unpacked(frame.bits, count * inputs * tall * wide);
    const across = Math.ceil(Math.sqrt(count * 1.6));
    const down = Math.ceil(count / across);
    const [width, height] = [across * (wide + 1) - 1, down * (tall + 1) - 1];
    const at = (filter, channel, y, x) => bits[((filter * inputs + channel) * tall + y) * wide + x];
    const cells = [];
    let dead = 0;
    for (let filter = 0; filter < count; filter++) {
      let alive = false;
      for (let y = 0; y < tall; y++) {
        for (let x = 0; x < wide; x++) {
          const channels = Array.from({ length: inputs }, (_, channel) => at(filter, channel, y, x));
          const kept = channels.reduce((sum, bit) => sum + bit, 0);
          alive ||= kept > 0;
          cells.push({ x: (filter % across) * (wide + 1) + x, y: Math.floor(filter / across) * (tall + 1) + y, channels, share: kept / inputs });
        }
      }
      dead += alive ? 0 : 1;
    }
    paintCells(canvas, width, height, cells, inputs === 3);
    cursor = { width, height, words: (x, y) => wordsOfCell(x, y, across, wide, tall, count, inputs, at) };
    scale.replaceChildren(inputs === 3 ? "A cell is a position of a filter; its red, green and blue say which input channels it keeps: white all three, black none." : "A cell is a position of a filter, in full colour where it keeps all of its inputs.");
    const cut = count < network.shape[0] ? ` The first ${count} of ${network.shape[0]} filters are shown.` : "";
    return `${start}. ${grouped(dead, 0)} of ${grouped(count, 0)} filters keep nothing.${cut}`;
  }

  let at = [0, 0];
  const read = (x, y) => {
    at = [Math.max(0, Math.min(cursor.width - 1, x)), Math.max(0, Math.min(cursor.height - 1, y))];
    reading.textContent = cursor.words(...at);
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    read(Math.floor(((event.clientX - box.left) / box.width) * cursor.width), Math.floor(((event.clientY - box.top) / box.height) * cursor.height));
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    read(at[0] + step[0], at[1] + step[1]);
    say(reading.textContent);
  });
  figure.append(controls, slider.element, text, html("div", { class: "pictures" }, html("div", { class: "first" }, canvas, scale, reading), units));
  onChange(show);
  onTheme(show);
  choose();
  return figure;
}

function wordsOfCell(x, y, across, wide, tall, count, inputs, at) {
  const [column, row] = [Math.floor(x / (wide + 1)), Math.floor(y / (tall + 1))];
  const [inX, inY, filter] = [x % (wide + 1), y % (tall + 1), row * across + column];
  if (inX === wide || inY === tall || filter >= count) return "between filters";
  let kept = 0;
  for (let channel = 0; channel < inputs; channel++) kept += at(filter, channel, inY, inX);
  return `filter ${filter}, row ${inY + 1}, column ${inX + 1}: ${kept} of ${inputs} input channels`;
}

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim().match(/\d+/g).map(Number);

// Every pixel between two colours of the page.
function paint(canvas, width, height, values, most) {
  const [from, to] = [tone("--mask-none"), tone("--mask-all")];
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let place = 0; place < width * height; place++) {
    const share = Math.min(1, values[place] / most);
    for (let part = 0; part < 3; part++) image.data[4 * place + part] = from[part] + share * (to[part] - from[part]);
    image.data[4 * place + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function paintCells(canvas, width, height, cells, inColour) {
  const [from, to] = [tone("--mask-none"), tone("--mask-all")];
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  for (const { x, y, channels, share } of cells) {
    const colour = inColour ? channels.map((bit) => 255 * bit) : from.map((low, part) => low + share * (to[part] - low));
    context.fillStyle = `rgb(${colour.join(" ")})`;
    context.fillRect(x, y, 1, 1);
  }
}
