"use strict";
// Curves and positions on a canvas, in the colours of the page.

const COLOURS = ["#58b4e8", "#e8a33d", "#5cc48d", "#d277c0", "#c9c24b", "#ef6f6c"];

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function sheet(canvas) {
  const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "11px system-ui, sans-serif";
  return { pen, width: box.width, height: box.height };
}

function roundLength(width) { // the largest of 1, 2, 5 x 10^n that is at most 30 % of the width
  const target = 0.3 * width, power = 10 ** Math.floor(Math.log10(target));
  return Math.max(...[1, 2, 5].map(k => k * power).filter(x => x <= target * (1 + 1e-9)));
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e5) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return String(+value.toPrecision(4));
}

function ticks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(k => k * power).find(s => s >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); k++) found.push(k * step);
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log10(low)); 10 ** p <= high; p++)
    for (const k of (high / low > 1e3 ? [1] : [1, 2, 5])) {
      const tick = k * 10 ** p;
      if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
    }
  return found;
}

// lines: [{values, colour, width}], on a logarithmic axis where they are above 0 and span more than a factor of 3. The
// axis is that of the first `of` lines, which are drawn over the others; what lies beyond it is not drawn.
function drawCurves(canvas, iterations, lines, of = lines.length) {
  const { pen, width, height } = sheet(canvas);
  const all = lines.slice(0, of).flatMap(line => line.values).filter(v => v !== null && Number.isFinite(v));
  pen.fillStyle = colour("--quiet");
  if (!all.length) { pen.textAlign = "center"; pen.fillText("after the first iteration", width / 2, height / 2); return; }
  const positive = all.filter(v => v > 0);
  const logarithmic = positive.length === all.length && Math.max(...all) > 3 * Math.min(...all);
  let low = Math.min(...all), high = Math.max(...all);
  if (logarithmic) { low /= 1.12; high *= 1.12; } else {
    const margin = (high - low || Math.abs(high) || 1) * 0.08;
    low -= margin; high += margin;
  }
  const marks = logarithmic ? logTicks(low, high) : ticks(low, high, 4);
  const left = 8 + Math.max(...marks.map(mark => pen.measureText(short(mark)).width), 20);
  const right = width - 8, top = 6, bottom = height - 31;
  const first = iterations[0], last = Math.max(iterations[iterations.length - 1], first + 1);
  const scale = logarithmic ? Math.log : (v => v);
  const x = i => left + (i - first) / (last - first) * (right - left);
  const y = v => bottom - (scale(v) - scale(low)) / (scale(high) - scale(low)) * (bottom - top);
  pen.strokeStyle = colour("--line"); pen.lineWidth = 1; pen.textAlign = "right"; pen.textBaseline = "middle";
  for (const mark of marks) {
    pen.beginPath(); pen.moveTo(left, y(mark)); pen.lineTo(right, y(mark)); pen.stroke();
    pen.fillText(short(mark), left - 4, y(mark));
  }
  pen.textAlign = "center"; pen.textBaseline = "top";
  for (const mark of ticks(first, last, Math.max(2, Math.floor(width / 70))))
    if (Number.isInteger(mark) && mark >= first) pen.fillText(mark, Math.min(Math.max(x(mark), left + 5), right - 8), bottom + 4);
  pen.fillText("iteration", (left + right) / 2, bottom + 18);
  pen.save();
  pen.beginPath(); pen.rect(left - 3, top - 3, right - left + 6, bottom - top + 6); pen.clip();
  for (const line of [...lines.slice(of), ...lines.slice(0, of)]) {
    pen.strokeStyle = line.colour; pen.fillStyle = line.colour; pen.lineWidth = line.width || 1.5; pen.beginPath();
    let drawing = false, points = 0;
    line.values.forEach((value, k) => {
      if (value === null || (logarithmic && value <= 0)) { drawing = false; return; }
      if (drawing) pen.lineTo(x(iterations[k]), y(value)); else pen.moveTo(x(iterations[k]), y(value));
      drawing = true; points += 1;
    });
    pen.stroke();
    if (points < 30) line.values.forEach((value, k) => {
      if (value === null) return;
      pen.beginPath(); pen.arc(x(iterations[k]), y(value), 0.6 + (line.width || 1.5), 0, 7); pen.fill();
    });
  }
  pen.restore();
}

// Positions (y, x) at the start in grey, and the way to where they are now in colour, longer than it is where it would
// be too short to be seen; how many times is returned. With a scale bar.
function drawPositions(canvas, positions) {
  const { pen, width, height } = sheet(canvas);
  const both = positions.start.concat(positions.now);
  if (!both.length) return 1;
  let [top, left, bottom, right] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [y, x] of both) {
    top = Math.min(top, y); bottom = Math.max(bottom, y); left = Math.min(left, x); right = Math.max(right, x);
  }
  const margin = 10, below = 30; // of the scale bar
  const scale = Math.min((width - 2 * margin) / (right - left || 1), (height - below - 2 * margin) / (bottom - top || 1));
  const px = x => width / 2 + (x - (left + right) / 2) * scale;
  const py = y => (height - below) / 2 + (y - (top + bottom) / 2) * scale;
  const dot = Math.max(1, Math.min(2.6, 0.28 * Math.sqrt(width * height / both.length * 2)));
  pen.fillStyle = colour("--quiet");
  for (const [y, x] of positions.start) { pen.beginPath(); pen.arc(px(x), py(y), dot * 0.8, 0, 7); pen.fill(); }
  const apart = Math.sqrt((right - left) * (bottom - top) / positions.start.length);
  const times = positions.most > 0 && positions.most < apart ? Math.max(1, roundLength(0.6 * apart / positions.most / 0.3)) : 1;
  if (positions.most > 0) {
    pen.strokeStyle = pen.fillStyle = colour("--accent"); pen.lineWidth = 1.2;
    positions.now.forEach((to, k) => {
      const [y0, x0] = positions.start[k], y = y0 + times * (to[0] - y0), x = x0 + times * (to[1] - x0);
      pen.beginPath(); pen.moveTo(px(x0), py(y0)); pen.lineTo(px(x), py(y)); pen.stroke();
      pen.beginPath(); pen.arc(px(x), py(y), dot * 0.7, 0, 7); pen.fill();
    });
  }
  const length = roundLength((width - 2 * margin) / scale), end = margin + length * scale, text = lengthLabel(length, positions.unit);
  pen.fillStyle = colour("--text");
  pen.fillRect(margin, height - 8, end - margin, 3);
  pen.textAlign = "left"; pen.textBaseline = "bottom"; pen.fillText(text, margin, height - 10);
  return times;
}

function lengthLabel(length, unit) {
  if (unit === "Å" && length >= 100) return `${+(length / 10).toPrecision(3)} nm`;
  return `${+length.toPrecision(3)} ${unit}`;
}
