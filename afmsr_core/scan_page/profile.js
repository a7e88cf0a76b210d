// The line profile through the cursor: all fields along one row or column, as SVG.
"use strict";
const profile = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const LEFT = 58, RIGHT = 10, TOP = 8, FOOT = 34, BETWEEN = 14, SHARE = 0.62;

  const round = (value) => Math.round(value * 10) / 10;

  // Round numbers from low to high: at most so many.
  const ticks = (low, high, most) => {
    if (!(high > low)) return [low];
    const power = 10 ** Math.floor(Math.log10((high - low) / most));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => (high - low) / one <= most);
    const found = [];
    for (let n = Math.ceil(low / step - 1e-9); n <= high / step + 1e-9; n += 1) found.push(n * step);
    return found;
  };

  const decimalsOf = (values) => {
    const step = values.length > 1 ? values[1] - values[0] : Math.abs(values[0]) || 1;
    return Math.max(0, Math.min(8, -Math.floor(Math.log10(step) + 1e-9)));
  };

  const told = (value, decimals) =>
    (Math.abs(value) < 0.5 * 10 ** -decimals ? (0).toFixed(decimals) : value.toFixed(decimals))
      .replace("-", "−");

  // A number in two digits that has too many zeros to be written out.
  const short = (value) => {
    if (!value) return "0";
    const [digits, power] = value.toExponential(1).split("e");
    const raised = [...power.replace("+", "")].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
    return `${digits.replace("-", "−")} × 10${raised.join("")}`;
  };

  const piece = (parent, name, values, text) => {
    const made = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };

  const pathOf = (line, x, y) => {
    let path = "", down = false;
    line.forEach(([at, value]) => {
      if (Number.isFinite(value)) path += `${down ? "L" : "M"}${round(x(at))} ${round(y(value))}`;
      down = Number.isFinite(value);
    });
    return path;
  };

  const bandOf = (line, half, x, y) => {
    const both = line.map(([at, value], n) => [at, value, half[n] ? half[n][1] : NaN])
      .filter(([, value, width]) => Number.isFinite(value) && Number.isFinite(width));
    if (!both.length) return "";
    const upper = both.map(([at, value, width]) => `${round(x(at))} ${round(y(value + width))}`);
    const lower = both.map(([at, value, width]) => `${round(x(at))} ${round(y(value - width))}`);
    return `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
  };

  const spanOf = (lines) => {
    let low = Infinity, high = -Infinity;
    for (const line of lines) {
      for (const [, value] of line) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (!(high >= low)) return [0, 1];
    const room = high > low ? 0.06 * (high - low) : Math.abs(high) || 1;
    return [low - room, high + room];
  };

  const panel = (svg, box, x, span, title) => {
    const y = (value) => box.bottom - ((value - span[0]) / (span[1] - span[0])) * box.height;
    piece(svg, "rect", { class: "frame", x: box.left, y: box.top, width: box.width,
      height: box.height });
    const values = ticks(...span, Math.max(3, Math.floor(box.height / 24)));
    const decimals = decimalsOf(values);
    for (const value of values) {
      piece(svg, "line", { class: "grid", x1: box.left, x2: box.left + box.width, y1: y(value),
        y2: y(value) });
      piece(svg, "text", { x: box.left - 5, y: y(value) + 4, "text-anchor": "end" },
        Math.max(...values.map(Math.abs)) < 1e-5 ? short(value) : told(value, decimals));
    }
    const middle = box.top + box.height / 2;
    piece(svg, "text", { class: "axis", x: 12, y: middle, "text-anchor": "middle",
      transform: `rotate(-90 12 ${middle})` }, title);
    return y;
  };

  // lines: name to [[place, value], ...] in shown units, all of the places that are in view.
  const draw = (svg, lines, look) => {
    const width = Math.max(220, svg.clientWidth), height = Math.max(160, svg.clientHeight);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    const inner = { left: LEFT, width: width - LEFT - RIGHT, below: height - FOOT };
    const x = (place) =>
      inner.left + ((place - look.from) / (look.to - look.from)) * inner.width;
    const whole = inner.below - TOP;
    const lower = lines.difference || lines.half_width;
    const upper = lower ? SHARE * (whole - BETWEEN) : whole;
    const upperBox = { left: LEFT, width: inner.width, top: TOP, height: upper,
      bottom: TOP + upper };
    const heights = ["scan", "bicubic", "result"].filter((name) => lines[name]);
    const y = panel(svg, upperBox, x, spanOf(heights.map((name) => lines[name])), look.title);
    const clip = piece(svg, "clipPath", { id: "within" });
    piece(clip, "rect", { x: LEFT, y: 0, width: inner.width, height: inner.below });
    const drawn = piece(svg, "g", { "clip-path": "url(#within)" });
    if (lines.half_width && look.band) {
      piece(drawn, "path", { class: "band",
        d: bandOf(lines.result, lines.half_width.map(([at, value]) => [at, value / look.same]), x,
          (value) =>
          Math.max(TOP, Math.min(upperBox.bottom, y(value)))) });
    }
    for (const name of heights) {
      piece(drawn, "path", { class: `line ${name}`, d: pathOf(lines[name], x, y) });
    }
    if (lower) {
      const box = { left: LEFT, width: inner.width, top: inner.below - (whole - BETWEEN - upper),
        height: whole - BETWEEN - upper, bottom: inner.below };
      const under = ["difference", "half_width"].filter((name) => lines[name]);
      const low = panel(svg, box, x, spanOf(under.map((name) => lines[name])), look.under);
      for (const name of under) {
        piece(drawn, "path", { class: `line ${name}`, d: pathOf(lines[name], x, low) });
      }
    }
    const places = ticks(look.from, look.to, Math.max(2, Math.floor(inner.width / 70)));
    const decimals = decimalsOf(places);
    for (const place of places) {
      piece(svg, "line", { class: "tick", x1: x(place), x2: x(place), y1: inner.below,
        y2: inner.below + 4 });
      piece(svg, "text", { x: x(place), y: inner.below + 16, "text-anchor": "middle" },
        told(place, decimals));
    }
    piece(svg, "text", { class: "axis", x: LEFT + inner.width / 2, y: height - 3,
      "text-anchor": "middle" }, look.along);
    piece(svg, "line", { class: "cursor", x1: x(look.at), x2: x(look.at), y1: TOP,
      y2: inner.below });
  };

  return { draw, ticks, decimalsOf, told, short };
})();
