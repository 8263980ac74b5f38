"use strict";
// Shows what the run's events say, and sends orders. Nothing is loaded from anywhere else.

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
let look = null, status = {}, rows = "", ended = false;

// --- small helpers ---------------------------------------------------------------------------------------------
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${+seconds.toPrecision(2)} s`;
  const all = Math.round(seconds), h = Math.floor(all / 3600), m = Math.floor(all % 3600 / 60), s = all % 60;
  if (h) return `${h} h ${String(m).padStart(2, "0")} min`;
  return m ? `${m} min ${String(s).padStart(2, "0")} s` : `${s} s`;
}

async function order(what, field) {
  const answer = $("answer");
  try {
    const reply = await fetch("orders", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what),
    });
    answer.textContent = (await reply.text()).trim();
    answer.className = reply.ok ? "" : "wrong";
    if (field) field.classList.toggle("wrong", !reply.ok);
    if (!reply.ok) banner(answer.textContent, 8000); else if (!ended) banner("");
    return reply.ok;
  } catch {
    if (!ended) banner("The run does not answer: it has ended, or the connection is lost.");
    return false;
  }
}

let bannerTimer = 0;
function banner(text, milliseconds) {
  clearTimeout(bannerTimer);
  $("banner").textContent = text;
  $("banner").hidden = !text;
  if (milliseconds) bannerTimer = setTimeout(() => banner(""), milliseconds);
}

// --- pictures --------------------------------------------------------------------------------------------------
function frameOf(image) { // the image in a box of its own proportions, with a drawing over it
  let frame = image.parentElement;
  if (!frame.classList.contains("frame")) {
    frame = element("div", { className: "frame" });
    image.replaceWith(frame);
    frame.append(image, svg("svg", { "aria-hidden": "true" }));
  }
  return frame;
}

function fit(image, height, width) {
  const frame = frameOf(image), card = frame.closest(".card"), large = card.classList.contains("large");
  const room = frame.parentElement.clientWidth;
  const tall = large ? window.innerHeight - 110 : card.classList.contains("phase") ? Math.max(300, window.innerHeight - 150) : 300;
  const scale = Math.min(room / width, tall / height);
  frame.style.width = `${Math.floor(width * scale)}px`;
  frame.style.height = `${Math.floor(height * scale)}px`;
  const over = frame.querySelector("svg");
  over.replaceChildren();
  return { over, pixels: { width: width * scale, height: height * scale }, scale };
}

function scaleBar(over, pixels, width, unit, size = 13) {
  const length = roundLength(width), bar = length / width * pixels.width, text = lengthLabel(length, unit);
  const x = 0.04 * pixels.width, y = pixels.height - 0.04 * pixels.width, wide = Math.max(bar, 0.62 * size * text.length);
  over.append(
    svg("rect", { x: x - 6, y: y - size - 12, width: wide + 12, height: size + 18, rx: 3, fill: "#000", opacity: 0.5 }),
    svg("rect", { x, y: y - 4, width: bar, height: 4, fill: "#fff" }),
    svg("text", { x: x + wide / 2, y: y - 9, fill: "#fff", "font-size": size, "text-anchor": "middle" }, text));
}

function rings(over, pixels, edge, unit) {
  const least = Math.min(...edge), step = roundLength(least);
  const [cx, cy] = [pixels.width / 2, pixels.height / 2];
  for (const n of [1, 2, 3]) {
    const k = n * step, rx = k / edge[1] * cx, ry = k / edge[0] * cy;
    over.append(svg("ellipse", { cx, cy, rx, ry, fill: "none", stroke: "#fff", "stroke-dasharray": "4 3", opacity: 0.65 }));
    const x = cx + rx * Math.SQRT1_2, y = cy - ry * Math.SQRT1_2, text = `${+(1 / k).toPrecision(3)} ${unit}`;
    over.append(
      svg("rect", { x: x - 3.4 * text.length, y: y - 8, width: 6.8 * text.length, height: 16, rx: 2, fill: "#000", opacity: 0.55 }),
      svg("text", { x, y: y + 4, fill: "#fff", "font-size": 12, "text-anchor": "middle" }, text));
  }
}

function source(image, name) { // the old picture stays until the new one is there
  const address = `picture/${name}?${look.number}`;
  if (image.dataset.address === address) return;
  image.dataset.address = address;
  const next = new Image();
  next.onload = () => { if (image.dataset.address === address) image.src = address; };
  next.src = address;
}

function showLook() {
  if (!look) return;
  const chosen = $("slice");
  if (chosen.length !== look.slices + 1) {
    const kept = chosen.value;
    chosen.replaceChildren(element("option", { value: "phase" }, `sum of ${look.slices} slices`));
    for (let k = 1; k <= look.slices; k++) chosen.append(element("option", { value: `slice-${k}` }, `slice ${k} of ${look.slices}`));
    chosen.value = kept && [...chosen.options].some(o => o.value === kept) ? kept : "phase";
    chosen.hidden = look.slices < 2;
  }
  $("phase-of").textContent = ` after iteration ${look.iteration}`;
  const limits = chosen.value === "phase" ? look.phase_limits : look.slice_limits;
  $("phase-low").textContent = short(+limits[0].toPrecision(3));
  $("phase-high").textContent = `${short(+limits[1].toPrecision(3))} rad`;
  source($("phase"), chosen.value || "phase");
  const phase = fit($("phase"), ...look.size);
  scaleBar(phase.over, phase.pixels, look.size[1], look.unit);
  source($("fft"), "fft");
  const fft = fit($("fft"), look.edge[0], look.edge[1]);
  rings(fft.over, fft.pixels, look.edge, look.unit);
  showModes();
  showCharts();
}

function showModes() {
  const box = $("modes");
  box.className = `m${Math.min(4, Math.ceil(Math.sqrt(look.powers.length)))}`;
  while (box.children.length > look.powers.length) box.lastChild.remove();
  look.powers.forEach((power, k) => {
    if (!box.children[k]) {
      const frame = element("div", { className: "frame" }, element("img", { alt: `Probe mode ${k + 1}` }), svg("svg", {}));
      box.append(element("figure", {}, frame, element("figcaption")));
    }
    const figure = box.children[k], image = figure.querySelector("img");
    source(image, `mode-${k + 1}`);
    image.style.aspectRatio = `${look.window[1]} / ${look.window[0]}`;
    figure.querySelector("figcaption").textContent = `${k + 1}: ${+(100 * power).toPrecision(3)} %`;
    const over = figure.querySelector("svg");
    over.replaceChildren();
    const wide = image.clientWidth;
    if (k === 0 && wide) scaleBar(over, { width: wide, height: wide * look.window[0] / look.window[1] }, look.window[1], look.unit, 10);
  });
}

function showCharts() {
  const { iterations, losses, rates } = look.curves;
  const names = Object.keys(losses).filter(name => name === "total" || Object.keys(losses).length > 2);
  drawCurves($("loss-chart"), iterations, names.map((name, k) => ({
    values: losses[name], colour: k ? COLOURS[(k - 1) % 6] : colour("--text"), width: k ? 3 : 1.2,
  })), 1);
  $("loss-legend").replaceChildren(...(names.length > 1 ? names : []).map((name, k) => {
    const last = losses[name][losses[name].length - 1];
    const value = last === null || last === undefined ? "" : ` ${short(+last.toPrecision(3))}`;
    return element("span", { className: `c${k ? (k - 1) % 6 + 1 : 0}` }, name + value);
  }));
  const moving = Object.keys(rates);
  drawCurves($("rates-chart"), iterations, moving.map((name, k) => ({ values: rates[name].map(v => v > 0 ? v : null), colour: COLOURS[k % 6] })));
  for (const label of document.querySelectorAll("#rates label")) {
    const k = moving.indexOf(label.dataset.name);
    label.style.borderLeft = `3px solid ${k < 0 ? "transparent" : COLOURS[k % 6]}`;
    label.style.paddingLeft = "6px";
  }
  const { rms, most, unit, count } = look.positions;
  $("moved").textContent = most > 0
    ? `${count}, moved ${+rms.toPrecision(2)} ${unit} rms, at most ${+most.toPrecision(2)}` : `${count}, none moved`;
  const times = drawPositions($("positions-chart"), look.positions);
  $("times").textContent = times > 1 ? `refined, moves drawn ${times} times as long` : "refined";
}

// --- status and controls ---------------------------------------------------------------------------------------
const FINAL = { finished: "The run has finished.", stopped: "The run was stopped and saved.", failed: "The run failed: " };

function showStatus() {
  const state = status.state === "running" && status.paused ? "pausing" : status.state;
  $("state").textContent = state;
  $("state").className = `badge ${state === "pausing" ? "paused" : state}`;
  const name = (status.folder || "").split(/[\\/]/).pop() || "ptycupy";
  $("name").textContent = name;
  document.title = status.iterations ? `${status.iteration}/${status.iterations} ${name}` : name;
  $("iteration").textContent = status.iterations ? `${status.iteration} / ${status.iterations}` : "–";
  $("seconds").textContent = duration(status.seconds);
  $("left").textContent = status.state in FINAL ? "–" : duration(status.left);
  $("loss").textContent = status.loss === null || status.loss === undefined ? "–" : String(+status.loss.toPrecision(5));
  $("progress").value = status.iterations ? (status.iteration + (status.part || 0)) / status.iterations : 0;
  const listens = status.listens && !["stopping", "finishing"].includes(status.state);
  for (const id of ["pause", "finish", "stop"]) $(id).disabled = !listens;
  $("pause").textContent = status.paused ? "Continue" : "Pause";
  $("where").textContent = [status.of_batch, status.device, status.patterns && `${status.patterns} patterns`, status.folder].filter(Boolean).join(" · ");
  $("notes").replaceChildren(...(status.notes || []).map(text => element("li", {}, text)));
  if (status.state in FINAL) {
    const rest = status.state === "failed" ? status.message : ` Results: ${status.folder}`;
    banner(FINAL[status.state] + rest);
    $("banner").className = { failed: "bad", finished: "good" }[status.state] || "";
  }
  showControls(listens);
}

function field(key, value, enabled) {
  const text = Array.isArray(value) ? `[${value.join(", ")}]` : value === null ? "null" : String(value);
  const made = element("input", {
    value: text, disabled: !enabled, title: key, className: Array.isArray(value) || typeof value === "string" ? "wide" : "",
    autocomplete: "off", spellcheck: false, inputMode: typeof value === "number" ? "decimal" : "text",
  });
  made.setAttribute("aria-label", key);
  made.dataset.was = text;
  made.addEventListener("change", async () => {
    if (made.value === made.dataset.was) { made.classList.remove("wrong"); return; }
    if (!await order({ do: "set", key, value: made.value }, made)) made.focus();
  });
  return made;
}

function showControls(enabled) {
  const controls = status.controls;
  const signature = JSON.stringify([controls, enabled, status.refinable]);
  const busy = document.activeElement && document.activeElement.matches("#rates input, #constraints input:not([type=checkbox])");
  if (signature === rows || (busy && document.activeElement.value !== document.activeElement.dataset.was)) return;
  if (!controls) { // the run has ended: what it was stays to be read
    for (const input of document.querySelectorAll("#rates input, #constraints input")) input.disabled = true;
    rows = signature;
    return;
  }
  const focus = busy ? document.activeElement.title : null;
  rows = signature;
  $("rates").replaceChildren(...Object.entries(controls.rates).filter(([name]) => status.refinable.includes(name)).map(([name, value]) => {
    const label = element("label", { className: value > 0 ? "" : "off" }, name.replaceAll("_", " "),
      field(`optimizer.${name}.learning_rate`, value, enabled));
    label.dataset.name = name;
    return label;
  }));
  $("constraints").replaceChildren(...controls.constraints.flatMap(one => {
    const box = element("input", { type: "checkbox", checked: one.on, disabled: !enabled });
    box.setAttribute("aria-label", `${one.name} on`);
    box.addEventListener("change", async () => {
      if (!await order({ do: "switch", constraint: one.key, on: box.checked })) box.checked = one.on;
    });
    const keys = Object.entries(one.parameters).map(([key, value]) =>
      element("label", {}, key, field(`constraints.${one.key}.${key}`, value, enabled)));
    const title = one.name.replaceAll("_", " ") + (one.when ? ` (${one.when})` : "");
    return [
      element("label", { className: `name ${one.on ? "" : "off"}` }, box, title),
      element("div", { className: "keys" }, ...keys),
    ];
  }));
  if (focus) for (const input of document.querySelectorAll("#rates input, #constraints input")) if (input.title === focus) input.focus();
  if (look) showCharts();
}

// --- events ----------------------------------------------------------------------------------------------------
const events = new EventSource("events");
events.addEventListener("status", event => { status = JSON.parse(event.data); showStatus(); });
events.addEventListener("look", event => { look = JSON.parse(event.data); showLook(); });
events.addEventListener("closed", () => {
  ended = true;
  events.close();
  if (!(status.state in FINAL)) banner("The run has ended.");
});
events.onopen = () => { if (!ended) banner(""); };
events.onerror = () => {
  if (ended) return;
  $("state").textContent = "no connection";
  $("state").className = "badge failed";
  for (const id of ["pause", "finish", "stop"]) $(id).disabled = true;
  banner(events.readyState === EventSource.CLOSED
    ? "This page belongs to a run that has ended. Open the address that the new run printed."
    : "The connection is lost: the run has ended or the tunnel is closed. Trying again …");
};

$("pause").onclick = () => order({ do: status.paused ? "continue" : "pause" });
$("finish").onclick = () => order({ do: "finish" });
$("stop").onclick = () => { if (confirm("Stop the run? It finishes the batch and saves; --resume goes on from there.")) order({ do: "stop" }); };
$("slice").onchange = showLook;
for (const box of ["phase-box", "fft-box"]) $(box).onclick = () => { $(box).closest(".card").classList.toggle("large"); showLook(); };
document.addEventListener("keydown", event => {
  if (event.key === "Escape") { document.querySelectorAll(".large").forEach(card => card.classList.remove("large")); showLook(); }
});
function theme(light) { document.documentElement.classList.toggle("light", light); showLook(); }
$("theme").onclick = () => theme(!document.documentElement.classList.contains("light"));
theme(matchMedia("(prefers-color-scheme: light)").matches);
let resizing = 0;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(showLook, 80); });
