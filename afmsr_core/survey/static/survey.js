// The page of one set: zoom and pan over all its images, scores, and saving them at each click.
"use strict";

const board = document.getElementById("board");
const windows = [...document.querySelectorAll(".window")];
const groups = [...document.querySelectorAll("fieldset")];
const next = document.getElementById("next");

// --- saving: one after the other, each again until the server has it on its disk ---------------

const state = document.getElementById("state");
const waiting = [];
const WAIT = 10000, AGAIN = [500, 1000, 2000, 5000];
let saving = false;
let refused = false; // a comment that is only on this page

function tell(kind, words) {
  state.dataset.state = kind;
  if (state.textContent !== words) state.textContent = words;
}

function save(path, body, group) {
  waiting.push({ path, body, group });
  if (group) group.dataset.state = "unsaved";
  if (!saving) {
    tell("saving", "Saving …");  // else "Saved." would still speak of the click before
    saveAll();
  }
}

async function saveAll() {
  saving = true;
  let tries = 0, lost = "";
  while (waiting.length) {
    const one = waiting[0];
    const answer = await post(one.path, one.body);
    if (!answer.saved && answer.again) {
      tell("unsaved", `Not saved yet: ${answer.reason} Trying again …`);
      await new Promise(done => setTimeout(done, AGAIN[Math.min(tries++, AGAIN.length - 1)]));
      continue;
    }
    waiting.shift();
    tries = 0;
    if (!answer.saved) {
      lost = answer.reason;
      if (one.path === "/comment") refused = true;
    } else if (one.group && !waiting.some(other => other.group === one.group)) {
      delete one.group.dataset.state;
    }
    if (answer.saved && "done" in answer) {
      document.getElementById("done").textContent = answer.done;
      document.querySelector("header progress").value = answer.done;
    }
  }
  saving = false;
  if (lost) tell("unsaved", `Not saved: ${lost}`);
  else tell("saved", "Saved.");
}

async function post(path, body) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), WAIT);
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRF-Token": document.querySelector("meta[name=csrf]").content,
      },
      body: JSON.stringify(body),
      signal: late.signal,
    });
    const told = await answer.json().catch(() => ({ saved: false, reason: "" }));
    const reason = told.reason || `the server says ${answer.status}.`;
    return { ...told, reason, again: answer.status === 429 || answer.status >= 500 };
  } catch {
    return { saved: false, again: true, reason: "the server cannot be reached." };
  } finally {
    clearTimeout(timer);
  }
}

addEventListener("beforeunload", event => {
  if (waiting.length || refused) event.preventDefault();
});

// --- how long the set is in view ---------------------------------------------------------------

let spent = 0, since = document.hidden ? null : performance.now();
const seconds = () => (spent + (since === null ? 0 : performance.now() - since)) / 1000;
document.addEventListener("visibilitychange", () => {
  if (since !== null) spent += performance.now() - since;
  since = document.hidden ? null : performance.now();
});

// --- scores ------------------------------------------------------------------------------------

const checked = group => group.querySelector("input:checked");
const drawn = () => [...crypto.getRandomValues(new Uint8Array(16))]
  .map(byte => byte.toString(16).padStart(2, "0")).join("");
let current = null;

function mark(group) {
  current = group;
  for (const one of groups) one.classList.toggle("current", one === group);
}

function score(group) {
  const { item, question } = group.dataset;
  const body = { id: drawn(), item, question, score: Number(checked(group).value), seconds: seconds() };
  save("/click", body, group);
}

for (const group of groups) {
  group.addEventListener("change", () => score(group));
  group.addEventListener("focusin", () => mark(group));
}

function type(digit) {
  const group = document.activeElement.closest("fieldset") || current;
  const input = group && group.querySelector(`input[value="${digit}"]`);
  if (!input) return;
  input.checked = true;
  score(group);
  const after = groups[groups.indexOf(group) + 1];
  if (after) (checked(after) || after.querySelector("input")).focus();
  else next.focus();
}

mark(groups.find(group => !checked(group)) || groups[0]);

const comment = document.getElementById("comment");
let told = comment.value, typing = null;
function saveComment() {
  clearTimeout(typing);
  if (comment.value === told) return;
  told = comment.value;
  refused = false;
  save("/comment", { number: Number(board.dataset.number), text: told });
}
comment.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(saveComment, 700);
});
comment.addEventListener("change", saveComment);

// Leaving waits until all is saved, and until a comment that was refused is another.
async function settled() {
  saveComment();
  while (saving) await new Promise(done => setTimeout(done, 30));
  if (refused) comment.focus();
  return !refused;
}
for (const link of document.querySelectorAll("nav a")) {
  link.addEventListener("click", async event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (await settled()) location.href = link.href;
  });
}
document.getElementById("pause").addEventListener("submit", async event => {
  event.preventDefault();
  if (await settled()) event.target.submit();
});

// --- zoom and pan, the same for all images -------------------------------------------------------

const LEAST = 1, MOST = 16, STEP = 1.25, MOVE = 0.15;
const BAR = 0.34; // of the width, at the most
const view = { zoom: 1, x: 0.5, y: 0.5 }; // the middle of the window, in shares of the image
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const ratio = Number(board.dataset.ratio), across = Number(board.dataset.across || 0);

for (const one of windows) one.querySelector("img").style.aspectRatio = String(ratio);

function draw() {
  const half = 0.5 / view.zoom;
  view.x = clamp(view.x, half, 1 - half);
  view.y = clamp(view.y, half, 1 - half);
  const left = (0.5 - view.x * view.zoom) * 100, top = (0.5 - view.y * view.zoom) * 100;
  for (const one of windows) {
    const image = one.querySelector("img");
    image.style.transform = `translate(${left}%, ${top}%) scale(${view.zoom})`;
    const wide = one.clientWidth * view.zoom / (image.naturalWidth || Infinity);
    one.classList.toggle("coarse", wide >= 2); // pixels that can be seen are shown as they are
    if (across) drawBar(one.querySelector(".bar"), one.clientWidth);
  }
  document.getElementById("zoom").textContent = `${view.zoom.toFixed(view.zoom < 10 ? 1 : 0)}×`;
}

function drawBar(bar, width) {
  const limit = BAR * across / view.zoom, power = 10 ** Math.floor(Math.log10(limit));
  const length = Math.max(...[1, 2, 5].map(step => step * power).filter(one => one <= limit));
  bar.querySelector("i").style.width = `${length / across * view.zoom * width}px`;
  bar.querySelector("b").textContent =
    length >= 1000 ? `${+(length / 1000).toPrecision(3)} µm` : `${+length.toPrecision(3)} nm`;
}

function zoomBy(factor, at = { x: 0.5, y: 0.5 }) { // `at`: what stays, in shares of the window
  const zoom = clamp(view.zoom * factor, LEAST, MOST);
  view.x += (at.x - 0.5) * (1 / view.zoom - 1 / zoom);
  view.y += (at.y - 0.5) * (1 / view.zoom - 1 / zoom);
  view.zoom = zoom;
  draw();
}

function moveBy(x, y) { // in shares of the window
  view.x += x / view.zoom;
  view.y += y / view.zoom;
  draw();
}

const share = (one, event) => {
  const box = one.getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
};

function pointAt(place) { // the same place in all images
  for (const one of windows) {
    const sign = one.querySelector(".mark");
    sign.style.display = place ? "block" : "none";
    if (place) {
      sign.style.left = `${place.x * 100}%`;
      sign.style.top = `${place.y * 100}%`;
    }
  }
}

for (const one of windows) {
  const fingers = new Map();
  one.addEventListener("wheel", event => {
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? STEP : 1 / STEP, share(one, event));
  }, { passive: false });
  one.addEventListener("dblclick", event => zoomBy(view.zoom > 1 ? 0 : 4, share(one, event)));
  one.addEventListener("pointerdown", event => {
    one.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, share(one, event));
    one.classList.add("held");
  });
  one.addEventListener("pointermove", event => {
    const here = share(one, event), before = fingers.get(event.pointerId);
    if (event.pointerType === "mouse") pointAt(here);
    if (!before) return;
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (other) { // two fingers: what is between them stays
      const apart = (a, b) => Math.hypot((a.x - b.x) * ratio, a.y - b.y) || 1e-6;
      zoomBy(apart(here, other) / apart(before, other),
        { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 });
      moveBy((before.x - here.x) / 2, (before.y - here.y) / 2);
    } else {
      moveBy(before.x - here.x, before.y - here.y);
    }
    fingers.set(event.pointerId, here);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    one.addEventListener(end, event => {
      fingers.delete(event.pointerId);
      if (!fingers.size) one.classList.remove("held");
    });
  }
  one.addEventListener("pointerleave", () => pointAt(null));
  one.querySelector("img").addEventListener("load", draw);
}

const TOOLS = { in: () => zoomBy(STEP ** 2), out: () => zoomBy(STEP ** -2), whole: () => zoomBy(0) };
for (const button of document.querySelectorAll("[data-tool]")) {
  button.addEventListener("click", TOOLS[button.dataset.tool]);
}
addEventListener("resize", draw);

// --- keys --------------------------------------------------------------------------------------

const KEYS = {
  "+": () => zoomBy(STEP), "=": () => zoomBy(STEP), "-": () => zoomBy(1 / STEP), 0: () => zoomBy(0),
  i: () => moveBy(0, -MOVE), k: () => moveBy(0, MOVE),
  j: () => moveBy(-MOVE, 0), l: () => moveBy(MOVE, 0),
  n: () => next.click(), b: () => document.getElementById("back").click(),
};

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === comment) return;
  if (/^[1-6]$/.test(event.key)) {
    event.preventDefault();
    if (!event.repeat) type(event.key);
  } else if (KEYS[event.key.toLowerCase()]) {
    event.preventDefault();
    KEYS[event.key.toLowerCase()]();
  }
});

draw();
