// Linked views: one place, one zoom and one cursor in all of them.
"use strict";
(async () => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.getElementById("views");
  const part = (name, within = document) => within.querySelector(`[data-part="${name}"]`);
  const told = part("told"), lines = part("profile");
  const area = page.area;
  const MOST = 30; // pixels of the screen that the smallest pixel may take
  const STEP = 1.5, PAN = 0.1;
  const state = {
    x: area.width / 2, y: area.height / 2, zoom: 1, // what is in the middle, how large
    cursor: [area.width / 2, area.height / 2], column: false,
    flicker: false, level: page.level, marks: true, contrast: false,
  };

  let views;
  try {
    views = await fields.unpacked(page);
  } catch (error) {
    root.before(Object.assign(document.createElement("p"), { className: "bad",
      textContent: "This browser cannot unpack the heights (it has no DecompressionStream); "
        + "open the page in a Firefox or Chromium of 2023 or later." }));
    return;
  }
  const named = new Map(views.map((view) => [view.name, view]));
  const fine = named.get("result");

  // --- heights ---------------------------------------------------------------------------------

  const planeAt = (u, v) => page.plane[0] + page.plane[1] * u + page.plane[2] * v;
  const isHeight = (view) => view.palette === "heights";
  const pixelAt = (view, [x, y]) => [
    Math.max(0, Math.min(view.columns - 1, Math.floor((x / area.width) * view.columns))),
    Math.max(0, Math.min(view.rows - 1, Math.floor((y / area.height) * view.rows))),
  ];
  const placeOf = (view, column, row) =>
    [(column + 0.5) / view.columns - 0.5, (row + 0.5) / view.rows - 0.5];

  // As the file has it, in its unit.
  const heightAt = (view, place) => {
    const [column, row] = pixelAt(view, place);
    const relief = view.relief[row * view.columns + column];
    return isHeight(view) ? relief + planeAt(...placeOf(view, column, row)) : relief;
  };

  // What colours and profiles show.
  const shownAt = (view, column, row) => {
    const relief = view.relief[row * view.columns + column];
    if (!isHeight(view) || state.level) return relief;
    return relief + planeAt(...placeOf(view, column, row));
  };

  // Readings have the datum in them; colours and profiles do not, unless the tilt is shown.
  const unitOf = (view, reading) => {
    const unit = page.read[isHeight(view) && (reading || !state.level) ? "heights" : "relief"];
    return view.unit === "half_width" && page.relative ? { ...unit, name: "" } : unit;
  };

  const said = (value, { divisor, decimals, name }) => {
    if (!Number.isFinite(value)) return "not measured";
    return `${profile.told(value / divisor, decimals)} ${name}`.trim();
  };

  const lengthOf = (value, digits) => {
    const [divisor, name] =
      [...area.units].reverse().find(([one]) => Math.abs(value) >= 0.9999 * one) || area.units[0];
    return `${Number((value / divisor).toPrecision(digits))} ${name}`.trim().replace("-", "−");
  };

  // --- colours ---------------------------------------------------------------------------------

  const paletteOf = (name) => Uint8Array.from(atob(page.palettes[name]), (s) => s.charCodeAt(0));
  const palettes = Object.fromEntries(
    Object.keys(page.palettes).map((name) => [name, paletteOf(name)]));

  const inView = (view) => {
    const [width, height] = span();
    const [left, top] = pixelAt(view, [state.x - width / 2, state.y - height / 2]);
    const [right, bottom] = pixelAt(view, [state.x + width / 2, state.y + height / 2]);
    const every = Math.max(1, Math.floor(Math.sqrt(((right - left) * (bottom - top)) / 20000)));
    const found = [];
    for (let row = top; row <= bottom; row += every) {
      for (let column = left; column <= right; column += every) {
        const value = shownAt(view, column, row);
        if (Number.isFinite(value)) found.push(value);
      }
    }
    return found.sort((one, other) => one - other);
  };

  const rangeOf = (view) => {
    const whole = page.ranges[view.palette === "heights" && !state.level ? "tilted" : view.palette];
    if (!state.contrast) return whole;
    const found = inView(isHeight(view) ? fine : view);
    if (found.length < 2) return whole;
    const at = (share) => found[Math.round(share * (found.length - 1))];
    const [low, high] = [at(0.005), at(0.995)];
    if (view.palette === "difference") return [-Math.max(-low, high), Math.max(-low, high)];
    return high > low ? [low, high] : whole;
  };

  const paint = (view) => {
    const [low, high] = rangeOf(view);
    const palette = palettes[view.palette], gap = page.gaps[view.palette];
    const key = `${low} ${high} ${isHeight(view) && state.level}`;
    if (view.painted === key) return;
    view.painted = key;
    view.range = [low, high];
    const image = new ImageData(view.columns, view.rows);
    const factor = high > low ? 255 / (high - low) : 0;
    for (let row = 0, at = 0; row < view.rows; row += 1) {
      for (let column = 0; column < view.columns; column += 1, at += 1) {
        const value = shownAt(view, column, row);
        const known = Number.isFinite(value);
        const share = factor ? (value - low) * factor : 127.5;
        const colour = 3 * Math.max(0, Math.min(255, Math.round(share)));
        for (let n = 0; n < 3; n += 1) {
          image.data[4 * at + n] = known ? palette[colour + n] : gap[n];
        }
        image.data[4 * at + 3] = 255;
      }
    }
    view.picture = view.picture || new OffscreenCanvas(view.columns, view.rows);
    view.picture.getContext("2d").putImageData(image, 0, 0);
  };

  const maskPicture = (view) => {
    if (!view.mask) return null;
    if (!view.over) {
      const image = new ImageData(view.columns, view.rows);
      view.mask.forEach((marked, at) => {
        if (marked) image.data.set([...page.masks[view.unit], 110], 4 * at);
      });
      view.over = new OffscreenCanvas(view.columns, view.rows);
      view.over.getContext("2d").putImageData(image, 0, 0);
    }
    return view.over;
  };

  // --- what is in view -------------------------------------------------------------------------

  const sizeOf = (view) => [view.canvas.clientWidth || 1, view.canvas.clientHeight || 1];
  const scale = (view = fine) => {
    const [width, height] = sizeOf(view);
    return Math.min(width / area.width, height / area.height) * state.zoom;
  };
  const span = (view = fine) => sizeOf(view).map((side) => side / scale(view));
  const most = () => {
    const pixel = Math.min(area.width / fine.columns, area.height / fine.rows);
    return Math.max(4, MOST / ((scale() / state.zoom) * pixel));
  };

  const within = () => {
    state.zoom = Math.max(1, Math.min(most(), state.zoom));
    const kept = (middle, side, seen) =>
      seen >= side ? side / 2 : Math.max(seen / 2, Math.min(side - seen / 2, middle));
    const [width, height] = span();
    state.x = kept(state.x, area.width, width);
    state.y = kept(state.y, area.height, height);
    for (const view of views) view.canvas.style.touchAction = state.zoom > 1 ? "none" : "pan-y";
  };

  const toScreen = (view, [x, y]) => {
    const [width, height] = sizeOf(view);
    return [width / 2 + (x - state.x) * scale(view), height / 2 + (y - state.y) * scale(view)];
  };
  const toPlace = (view, event) => {
    const box = view.canvas.getBoundingClientRect();
    const [width, height] = sizeOf(view);
    return [state.x + (event.clientX - box.left - width / 2) / scale(view),
      state.y + (event.clientY - box.top - height / 2) / scale(view)];
  };

  const zoomBy = (factor, [x, y]) => {
    const before = state.zoom;
    state.zoom = Math.max(1, Math.min(most(), state.zoom * factor));
    const left = before / state.zoom;
    state.x = x + (state.x - x) * left;
    state.y = y + (state.y - y) * left;
  };

  // --- drawing ---------------------------------------------------------------------------------

  const drawView = (view) => {
    const look = state.flicker && view.name === part("second").value
      ? named.get(part("first").value) : view;
    paint(look);
    const [width, height] = sizeOf(view), ratio = devicePixelRatio || 1;
    const canvas = view.canvas;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const [left, top] = toScreen(view, [0, 0]), factor = scale(view);
    const box = [left, top, area.width * factor, area.height * factor];
    pen.imageSmoothingEnabled = box[2] < look.columns && box[3] < look.rows;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(look.picture, ...box);
    const over = state.marks && maskPicture(look);
    if (over) pen.drawImage(over, ...box);
    if (state.marks) drawPlaces(pen, view, factor);
    drawCursor(pen, view, width, height);
    const figure = canvas.closest("figure");
    part("title", figure).textContent = look === view ? view.title : `${look.title} (flicker)`;
    drawColourBar(figure, look);
    drawScaleBar(figure, width, factor);
    const unit = look.unit === "half_width" || look.palette !== "heights" || !state.level
      ? "" : ", less the plane of the scan";
    canvas.setAttribute("aria-label", `${look.title}: ${look.about}${unit}; colours from `
      + `${said(look.range[0], unitOf(look))} to ${said(look.range[1], unitOf(look))}`);
  };

  const drawPlaces = (pen, view, factor) => {
    pen.font = "600 11px sans-serif";
    page.places.forEach(([x, y, size], n) => {
      const [left, top] = toScreen(view, [x - size / 2, y - size / 2]);
      const side = size * factor;
      for (const [colour, thick] of [["#000", 3], ["#fff", 1.2]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = thick;
        pen.strokeRect(left, top, side, side);
      }
      if (side < 12) return;
      pen.lineWidth = 3;
      pen.strokeStyle = "#000";
      pen.fillStyle = "#fff";
      pen.strokeText(String(n + 1), left + 3, top + 12);
      pen.fillText(String(n + 1), left + 3, top + 12);
    });
  };

  const drawCursor = (pen, view, width, height) => {
    const [x, y] = toScreen(view, state.cursor).map((at) => Math.round(at) + 0.5);
    for (const [colour, dash] of [["rgba(0, 0, 0, .55)", []], ["rgba(255, 255, 255, .9)", [3, 3]]]) {
      pen.strokeStyle = colour;
      pen.setLineDash(dash);
      pen.lineWidth = 1;
      pen.beginPath();
      if (state.column) pen.moveTo(x, 0), pen.lineTo(x, height);
      else pen.moveTo(0, y), pen.lineTo(width, y);
      pen.moveTo(x - 6, y), pen.lineTo(x + 6, y);
      pen.moveTo(x, y - 6), pen.lineTo(x, y + 6);
      pen.stroke();
    }
    pen.setLineDash([]);
  };

  const drawColourBar = (figure, view) => {
    const { divisor, name } = unitOf(view);
    const [low, high] = view.range.map((end) => end / divisor);
    const decimals = Math.max(0, 2 - Math.floor(Math.log10(high - low || 1)));
    const written = (value) => {
      if (decimals <= 5) return profile.told(value, decimals);
      return profile.short(value);
    };
    part("low", figure).textContent = written(low);
    part("middle", figure).textContent = high > low ? written((low + high) / 2) : "";
    part("high", figure).textContent = high > low ? `${written(high)} ${name}`.trim() : "";
    const strip = part("strip", figure);
    if (strip.dataset.palette === view.palette) return;
    strip.dataset.palette = view.palette;
    const pen = strip.getContext("2d"), image = pen.createImageData(256, 1);
    palettes[view.palette].forEach((value, n) => {
      image.data[4 * Math.floor(n / 3) + (n % 3)] = value;
      image.data[4 * Math.floor(n / 3) + 3] = 255;
    });
    pen.putImageData(image, 0, 0);
  };

  const drawScaleBar = (figure, width, factor) => {
    const limit = (0.34 * width) / factor;
    const power = 10 ** Math.floor(Math.log10(limit) + 1e-9);
    const length = [5, 2, 1].map((digit) => digit * power).find((one) => one <= limit * (1 + 1e-9));
    part("bar", figure).style.width = `${length * factor}px`;
    part("bar-text", figure).textContent = lengthOf(length, 3);
  };

  const lineOf = (view) => {
    const [column, row] = pixelAt(view, state.cursor);
    const count = state.column ? view.rows : view.columns;
    const side = state.column ? area.height : area.width;
    const [from, to] = alongView(), { divisor } = unitOf(view);
    const found = [];
    for (let n = 0; n < count; n += 1) {
      const place = ((n + 0.5) / count) * side;
      if (place < from - side / count || place > to + side / count) continue;
      const value = state.column ? shownAt(view, column, n) : shownAt(view, n, row);
      found.push([place / area.divisor, value / divisor]);
    }
    return found;
  };

  const alongView = () => {
    const seen = span()[state.column ? 1 : 0], side = state.column ? area.height : area.width;
    const middle = state.column ? state.y : state.x;
    return [Math.max(0, middle - seen / 2), Math.min(side, middle + seen / 2)];
  };

  const drawProfile = () => {
    const [from, to] = alongView().map((place) => place / area.divisor);
    const bracket = (name) => (name ? ` (${name})` : "");
    profile.draw(lines, Object.fromEntries(views.map((view) => [view.name, lineOf(view)])), {
      from, to, at: state.cursor[state.column ? 1 : 0] / area.divisor,
      title: `${page.quantity}${bracket(unitOf(fine).name)}`,
      under: named.has("difference") ? `difference${bracket(page.read.relief.name)}`
        : page.relative ? "uncertainty" : `half-width${bracket(page.read.relief.name)}`,
      band: !page.relative, same: unitOf(fine).divisor / page.read.relief.divisor,
      along: `${state.column ? "y" : "x"}${bracket(area.name)}`,
    });
    part("line").textContent = state.column
      ? `Along the column at x = ${lengthOf(state.cursor[0], 4)}`
      : `Along the row at y = ${lengthOf(state.cursor[1], 4)}`;
  };

  const readings = () =>
    views.map((view) => [view, said(heightAt(view, state.cursor), unitOf(view, true))]);

  const drawReadings = () => {
    for (const [view, value] of readings()) part(`read-${view.name}`).textContent = value;
    part("read-place").textContent =
      `x ${lengthOf(state.cursor[0], 4)}, y ${lengthOf(state.cursor[1], 4)}`;
  };

  let asked = false;
  const draw = () => {
    asked = false;
    within();
    views.forEach(drawView);
    drawProfile();
    drawReadings();
    for (const [name, on] of [["flicker", state.flicker], ["column", state.column],
      ["level", state.level], ["marks", state.marks], ["contrast", state.contrast],
      ["larger", root.classList.contains("larger")]]) {
      part(name)?.setAttribute("aria-pressed", String(on));
    }
  };
  const redraw = () => {
    if (!asked) requestAnimationFrame(draw);
    asked = true;
  };

  let waiting;
  const tell = (text) => { // to those who hear the page
    clearTimeout(waiting);
    waiting = setTimeout(() => { told.textContent = text; }, 250);
  };
  const tellReadings = () => tell(`${part("read-place").textContent}: `
    + readings().map(([view, value]) => `${view.title.toLowerCase()} ${value}`).join(", "));

  // --- what keys and buttons do ----------------------------------------------------------------

  const toggled = (name, on, off) => () => {
    state[name] = !state[name];
    tell(state[name] ? on : off);
  };

  const reset = () => {
    Object.assign(state, { x: area.width / 2, y: area.height / 2, zoom: 1, flicker: false,
      contrast: false });
    tell("the whole scan");
  };

  const follow = (number) => {
    const [x, y, size] = page.places[number];
    Object.assign(state, { x, y, cursor: [x, y] });
    state.zoom *= (0.6 * Math.min(...span())) / size;
    root.scrollIntoView({ block: "nearest" });
    redraw();
    requestAnimationFrame(() => requestAnimationFrame(tellReadings));
  };

  const does = {
    "in": () => zoomBy(STEP, state.cursor),
    "out": () => zoomBy(1 / STEP, state.cursor),
    "reset": reset,
    "flicker": () => {
      state.flicker = !state.flicker;
      const [first, second] = ["first", "second"].map((name) => named.get(part(name).value).title);
      tell(state.flicker ? `${first} in the place of ${second}` : `${second} in its own place`);
    },
    "column": toggled("column", "profile along the column", "profile along the row"),
    "level": toggled("level", "shown less the plane", "shown with the tilt"),
    "marks": toggled("marks", "masks and places are shown", "masks and places are hidden"),
    "contrast": toggled("contrast", "colours for what is in view", "colours for the whole scan"),
    "larger": () => root.classList.toggle("larger"),
  };
  const buttons = [...document.querySelectorAll("button[data-part]")];
  const keys = new Map([["=", "in"], ["-", "out"], ["_", "out"]]); // beside those of the buttons
  for (const button of buttons) {
    keys.set(button.getAttribute("aria-keyshortcuts").toLowerCase(), button.dataset.part);
  }
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const move = ([across, down], cursor) => {
    if (!cursor) {
      const [width, height] = span();
      state.x += across * PAN * width;
      state.y += down * PAN * height;
      return;
    }
    const step = [area.width / fine.columns, area.height / fine.rows];
    const pixel = pixelAt(fine, state.cursor);
    const moved = (n, by, count) => (Math.max(0, Math.min(count - 1, pixel[n] + by)) + 0.5) * step[n];
    state.cursor = [moved(0, across, fine.columns), moved(1, down, fine.rows)];
    const [width, height] = span();
    const kept = (middle, at, seen) =>
      Math.max(at - seen / 2 + step[0], Math.min(at + seen / 2 - step[0], middle));
    state.x = kept(state.x, state.cursor[0], width);
    state.y = kept(state.y, state.cursor[1], height);
    drawReadings();
    tellReadings();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea")) return;
    const arrow = ARROWS[event.key], action = keys.get(event.key.toLowerCase());
    if (arrow && event.target.closest?.("#views figure")) move(arrow, event.shiftKey);
    else if (action) does[action]();
    else return;
    event.preventDefault();
    redraw();
  });

  for (const button of buttons) {
    button.addEventListener("click", () => { does[button.dataset.part](); redraw(); });
  }
  for (const button of document.querySelectorAll("button[data-place]")) {
    button.addEventListener("click", () => follow(Number(button.dataset.place)));
  }
  for (const name of ["first", "second"]) part(name)?.addEventListener("change", redraw);

  // --- the mouse, and fingers ------------------------------------------------------------------

  const pressed = new Map();
  const middleOf = (view) => toPlace(view, {
    clientX: [...pressed.values()].reduce((sum, one) => sum + one.clientX / pressed.size, 0),
    clientY: [...pressed.values()].reduce((sum, one) => sum + one.clientY / pressed.size, 0),
  });
  const apart = () => {
    const [one, other] = [...pressed.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
  };
  const cursorTo = (view, event) => {
    const [x, y] = toPlace(view, event);
    if (x < 0 || y < 0 || x >= area.width || y >= area.height) return;
    state.cursor = [x, y];
    redraw();
  };

  const listen = (view) => {
    const canvas = view.canvas;
    canvas.addEventListener("wheel", (event) => {
      if (event.deltaY > 0 && state.zoom <= 1) return; // then the page scrolls
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 30 : 1;
      zoomBy(Math.exp(-0.0016 * lines * event.deltaY), toPlace(view, event));
      redraw();
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pressed.set(event.pointerId, event);
      cursorTo(view, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!pressed.has(event.pointerId)) {
        cursorTo(view, event);
        return;
      }
      const before = middleOf(view), wide = pressed.size > 1 ? apart() : 0;
      pressed.set(event.pointerId, event);
      const after = middleOf(view);
      state.x += before[0] - after[0];
      state.y += before[1] - after[1];
      if (wide) zoomBy(apart() / wide, middleOf(view));
      redraw();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => pressed.delete(event.pointerId));
    }
  };

  for (const view of views) {
    view.canvas = part(`canvas-${view.name}`);
    view.canvas.style.aspectRatio = String(
      Math.max(0.6, Math.min(10, area.width / area.height)));
    listen(view);
  }
  const watch = new ResizeObserver(redraw);
  for (const one of [fine.canvas, lines]) watch.observe(one);
  draw();
  root.dataset.ready = "yes";
})();
