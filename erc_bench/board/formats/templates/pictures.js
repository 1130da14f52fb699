
// Score against cost, and how sure a row is: pictures drawn from the data.

const chosenPicture = {};

function setUpChoice(section) {
  for (const select of section.querySelectorAll("select[data-chart]")) {
    select.addEventListener("change", () => {
      chosenPicture[select.dataset.chart] = select.value;
      showPicture(section);
    });
  }
}

function showPicture(section) {
  const figure = section.querySelector(".tradeoff > figure");
  if (!figure) return;
  const [metric, cost] = ["metric", "cost"].map((kind) => {
    const select = section.querySelector(`select[data-chart="${kind}"]`);
    if ([...select.options].some((option) => option.value === chosenPicture[kind])) select.value = chosenPicture[kind];
    return select.selectedOptions[0];
  });
  const chart = data.pictures[section.id].find((each) => each.metric === metric.value && each.cost === cost.value);
  const name = `${metric.text} against ${cost.text.toLowerCase()}`;
  const id = `${section.id}-picture`;
  const meaning = chart.marks.length
    ? "The line joins the measured systems that no other beats on both; vertical strokes are 95% intervals."
    : "No row states both.";
  figure.replaceChildren(make("figcaption", { id }, `${name}. ${meaning}`));
  if (!chart.marks.length) return;
  const points = pointsOf(section, chart, metric, cost);
  const svg = picture(chart, points, id, `${cost.text}, logarithmic (${cost.dataset.cheap})`);
  figure.append(svg, asTable(section, points, name, metric, cost));
  setUpPoints(svg);
}

// The rows as the data counts them, however the table is sorted.
function rowsOf(section) {
  const count = section.querySelectorAll("tbody.entry").length;
  return Array.from({ length: count }, (_, row) => document.getElementById(`${section.id}-${row + 1}`));
}

const cellHead = (section, key) => section.querySelector(`th[data-key="${key}"]`);
const cellOf = (section, entry, key) => entry.rows[0].cells[cellHead(section, key).cellIndex];

function pointsOf(section, chart, metric, cost) {
  const entries = rowsOf(section);
  return chart.marks.map(([row, x, y, low, high, front, label]) => {
    const entry = entries[row];
    const cell = cellOf(section, entry, metric.value);
    const says = (key) => wordsOfCell(cellOf(section, entry, key));
    const point = {
      ...{ row, x, y, low, high, front, label },
      title: wordsOfCell(entry.querySelector("bdi")),
      score: wordsOfCell(cell),
      order: Number(sortValue(cell)),
      amount: says(cost.value),
      evidence: says("evidence"),
      floor: entry.classList.contains("floor"),
    };
    const score = [metric.text, point.score, cell.querySelector(".interval")?.textContent].filter(Boolean).join(" ");
    const kinds = [point.evidence, point.floor && "floor", front && "on the front"].filter(Boolean);
    return { ...point, said: [`${point.title}: ${score}`, `${cost.text.toLowerCase()} ${point.amount}`, ...kinds].join(", ") };
  });
}

const text = (x, y, said, more = {}) => draw("text", { x, y, ...more }, said);
const stroke = (x1, x2, y1, y2, kind = {}) => draw("line", { x1, x2, y1, y2, ...kind });
const GRID = { class: "grid" };
const MIDDLE = { "text-anchor": "middle" };
const END = { "text-anchor": "end" };

function picture(chart, points, id, below) {
  const line = points.filter((point) => point.front).map((point) => `${point.x},${point.y}`);
  const axes = [
    chart.y.map(([at, said]) => [stroke(44, 584, at, at, GRID), text(38, at, said, { dy: "0.35em", ...END })]),
    chart.x.map(([at, said]) => [stroke(at, at, 316, 321), text(at, 336, said, MIDDLE)]),
    stroke(44, 584, 316, 316),
    text(314, 357, below, MIDDLE),
  ];
  return draw(
    "svg",
    { class: "chart", viewBox: "0 0 600 360", role: "group", "aria-labelledby": id },
    draw("g", { class: "axis", "aria-hidden": "true" }, axes),
    line.length ? draw("polyline", { class: "front", points: line.join(" ") }) : null,
    points.map(mark),
    draw("g", { class: "names", "aria-hidden": "true" }, points.filter((point) => point.label).map(nameOf)),
  );
}

function mark({ x, y, low, high, front, floor, evidence, said }) {
  const diamond = { x, y, width: 9, height: 9, transform: `rotate(45 ${x} ${y}) translate(-4.5 -4.5)` };
  return draw(
    "g",
    { class: `point${front ? " on-front" : ""}`, role: "img", "aria-label": said },
    low === null ? null : stroke(x, x, low, high),
    floor
      ? draw("rect", { class: "diamond", ...diamond })
      : draw("circle", { class: evidence === "measured" ? "circle" : "ring", cx: x, cy: y, r: 5 }),
    draw("circle", { class: "halo", cx: x, cy: y, r: 12 }),
  );
}

function nameOf({ front, label: [said, x, y, anchor] }) {
  return text(x, y, said, { class: front ? "" : "behind", "text-anchor": anchor });
}

// One stop of the tab key a picture; arrows move between its points.
function setUpPoints(chart) {
  const points = [...chart.querySelectorAll("g.point")];
  const focusable = (wanted) => points.forEach((point) => (point.tabIndex = point === wanted ? 0 : -1));
  focusable(points[0]);
  points.forEach((point, place) => {
    point.addEventListener("focus", () => showTip(point));
    point.addEventListener("blur", hideTip);
    point.addEventListener("pointerenter", () => showTip(point));
    point.addEventListener("pointerleave", hideTip);
    point.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = points[(place + step + points.length) % points.length];
      focusable(next);
      next.focus();
    });
  });
}

function showTip(point) {
  const tip = document.getElementById("tip");
  tip.textContent = point.getAttribute("aria-label");
  tip.hidden = false;
  const place = point.querySelector(".halo").getBoundingClientRect();
  const left = Math.min(Math.max(place.left + place.width / 2 - tip.offsetWidth / 2, 8), innerWidth - tip.offsetWidth - 8);
  const above = place.top - tip.offsetHeight - 4;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : place.bottom + 4}px`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}

function asTable(section, points, name, metric, cost) {
  const first = cellHead(section, metric.value).dataset.first;
  const compare = comparison("number", first);
  const ordered = [...points].sort((a, b) => compare(a.order, b.order) || a.row - b.row);
  const rows = ordered.map((point) =>
    lineOf(make("bdi", {}, point.title), [point.evidence, point.amount, point.score, point.front ? "yes" : "no"]),
  );
  const drawn = new Set(points.map((point) => point.row));
  const missing = rowsOf(section).filter(
    (entry, row) => !drawn.has(row) && sortValue(cellOf(section, entry, metric.value)),
  );
  const titles = missing.map((entry) => wordsOfCell(entry.querySelector("bdi")));
  return make(
    "details",
    { class: "alternative" },
    make("summary", {}, "The picture as a table"),
    make(
      "table",
      { class: "small" },
      make("caption", { class: "heard" }, name),
      heads(["System", "Evidence", cost.text, metric.text, "On the front"]),
      make("tbody", {}, rows),
    ),
    titles.length
      ? make("p", { class: "minor" }, `Not drawn, since one of the two numbers is not known: ${titles.join(", ")}.`)
      : null,
  );
}

const SIDE = 170;
const BOTTOM = 186;
const LEFT_OF_BINS = 34;
const LEFT_OF_CURVE = 258;

function surenessPicture(chart, id) {
  const curve = chart.curve.map((y, place) => {
    const x = LEFT_OF_CURVE + (SIDE * (place + 1)) / chart.curve.length;
    return `${x.toFixed(1)},${y / 10}`;
  });
  const ticks = chart.ticks.map(([at, said]) => [
    stroke(LEFT_OF_CURVE, 428, at, at, GRID),
    text(254, at, said, { dy: "0.35em", ...END }),
  ]);
  const svg = draw(
    "svg",
    { class: "chart", viewBox: "0 0 440 224", role: "img", "aria-labelledby": id },
    chart.bins.length ? [reliabilityAxes(), draw("g", { class: "bins" }, chart.bins.map((bin) => barOf(bin, chart.of)))] : null,
    draw(
      "g",
      { class: "axis" },
      text(LEFT_OF_CURVE, 9, "Wrong among the surest"),
      ticks,
      stroke(LEFT_OF_CURVE, 428, BOTTOM, BOTTOM),
      text(LEFT_OF_CURVE, 201, "0%"),
      text(428, 201, "100%", END),
      text(343, 218, "coverage", MIDDLE),
    ),
    draw("polyline", { class: "front", points: curve.join(" ") }),
  );
  return make("figure", { class: "block sureness" }, make("figcaption", { id }, `How sure it is: ${chart.text}.`), svg);
}

function reliabilityAxes() {
  return draw(
    "g",
    { class: "axis" },
    text(LEFT_OF_BINS, 9, "Right answers by confidence"),
    stroke(LEFT_OF_BINS, 204, BOTTOM, BOTTOM),
    stroke(LEFT_OF_BINS, LEFT_OF_BINS, 16, BOTTOM),
    stroke(LEFT_OF_BINS, 204, BOTTOM, 16, GRID),
    text(30, 190, "0", END),
    text(30, 22, "1", END),
    text(LEFT_OF_BINS, 201, "0"),
    text(204, 201, "1", END),
    text(119, 218, "confidence", MIDDLE),
  );
}

function barOf([place, share, confidence, right], of) {
  const width = SIDE / of;
  const height = (SIDE * right) / 100;
  const [from, to] = [place / of, (place + 1) / of].map((end) => end.toFixed(2));
  const said = `confidence ${from} to ${to}: ${share}% of answers, mean confidence ${confidence}, ${right}% right`;
  const box = { x: (LEFT_OF_BINS + place * width).toFixed(1), y: BOTTOM - height, width: (width - 1).toFixed(1), height };
  return draw("rect", box, draw("title", {}, said));
}
