// The fields of the page, out of text: exact heights, not colours.
"use strict";
const fields = (() => {
  const inflated = async (text) => {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  // Bytes apart, differences along the rows, modulo 65536; beside: a field to be added.
  const numbersOf = async (told, beside) => {
    const bytes = await inflated(told.data);
    const size = told.rows * told.columns;
    const numbers = new Uint16Array(size);
    for (let row = 0, at = 0; row < told.rows; row += 1) {
      for (let column = 0, sum = 0; column < told.columns; column += 1, at += 1) {
        sum = (sum + bytes[at] + 256 * bytes[size + at]) & 65535;
        numbers[at] = beside ? (sum + beside[at]) & 65535 : sum;
      }
    }
    return numbers;
  };

  const maskOf = async (told) => {
    if (!told.mask) return null;
    const bytes = await inflated(told.mask);
    const size = told.rows * told.columns;
    return Uint8Array.from({ length: size }, (_, at) => (bytes[at >> 3] >> (7 - (at & 7))) & 1);
  };

  const GAP = 65535;

  // Heights less the plane; NaN where nothing was measured.
  const reliefOf = (numbers, steps) =>
    Float64Array.from(numbers, (one) => (one === GAP ? NaN : steps.low + steps.step * one));

  const differenceOf = (one, other, step) =>
    Float64Array.from(one, (number, at) =>
      number === GAP || other[at] === GAP ? NaN : step * (number - other[at]));

  // Return the views with their `relief`, which the plane of `steps` is missing in.
  const unpacked = async (page) => {
    const known = new Map();
    for (const view of page.views) {
      view.mask = await maskOf(view);
      if (view.of) {
        const [one, other] = view.of.map((name) => known.get(name));
        view.relief = differenceOf(one, other, page.steps[view.unit].step);
        continue;
      }
      const numbers = await numbersOf(view, view.beside && known.get(view.beside));
      known.set(view.name, numbers);
      view.relief = reliefOf(numbers, page.steps[view.unit]);
      delete view.data;
    }
    return page.views;
  };

  return { unpacked };
})();
