// Packed bits, the highest of each byte first.
function unpacked(text, count) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const bits = new Uint8Array(count);
  for (let place = 0; place < count; place++) bits[place] = (bytes[place >> 3] >> (7 - (place & 7))) & 1;
  return bits;
}
