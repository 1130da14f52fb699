
// What a row says once it is opened, and the bars of its scores: elements made from data. Texts are always set as text.

const SVG = "http://www.w3.org/2000/svg";
const make = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null));
  return node;
}

const heads = (names) => make("thead", {}, make("tr", {}, names.map((name) => make("th", { scope: "col" }, name))));
const lineOf = (name, cells) =>
  make("tr", {}, make("th", { scope: "row" }, name), cells.map((cell) => make("td", {}, cell)));

function caption(text, hint) {
  return make("caption", {}, text, hint ? [make("br", {}), make("small", {}, hint)] : null);
}

// The kinds of detail of a row, by name, with what other rows have too.
function detailsOf(entry) {
  const places = data.lines[entry.id];
  return Object.fromEntries(Object.entries(places).map(([kind, place]) => [kind, data[kind][place]]));
}

function panel(entry) {
  const found = detailsOf(entry);
  const { confusion, per_label, phenomena, sureness, scores, words } = found;
  return make(
    "div",
    { class: "panel" },
    confusion ? confusionTable(confusion, found.labels) : null,
    per_label ? labelTable(per_label, found.labels) : null,
    phenomena ? phenomenaTable(phenomena, found.by_phenomenon) : null,
    sureness ? surenessPicture(sureness, `${entry.id}-sureness`) : null,
    scores ? scoreTable(scores) : null,
    wordsOf(words ?? {}),
  );
}

const SHADES = 5;

function confusionTable({ seeds, counts }, labels) {
  const rows = counts.map((row, gold) => {
    const total = Math.max(row.reduce((sum, count) => sum + count, 0), 1);
    const cells = row.map((count, predicted) => {
      const shade = Math.ceil((count / total) * SHADES);
      return make("td", { class: `s${shade}${gold === predicted ? " hit" : ""}` }, count.toLocaleString("en"));
    });
    return make("tr", {}, make("th", { scope: "row" }, labels[gold]), cells);
  });
  const names = [...labels, "unusable"].map((name) => make("th", { scope: "col" }, make("span", {}, name)));
  const table = make(
    "table",
    { class: "small confusion" },
    caption(
      `Confusion matrix${seeds > 1 ? `, ${seeds} seeds summed` : ""}`,
      "rows gold, columns predicted; darker: larger share of the row",
    ),
    make("thead", {}, make("tr", {}, make("td", {}), names)),
    make("tbody", {}, rows),
  );
  return make("div", { class: "block scroll", tabindex: 0, role: "group", "aria-label": "Confusion matrix" }, table);
}

function block(kind, ...parts) {
  return make("div", { class: "block" }, make("table", { class: `small ${kind}` }, ...parts));
}

function labelTable(rows, labels) {
  return block(
    "labels",
    caption("Per label"),
    heads(["Label", "Precision", "Recall", "F1", "Support"]),
    make("tbody", {}, rows.map((row, place) => lineOf(labels[place], row.split(" ")))),
  );
}

function phenomenaTable(phenomena, scores) {
  const left = [...scores];
  const bodies = phenomena.map(([name, meaning, groups]) =>
    make(
      "tbody",
      {},
      make("tr", {}, make("th", { scope: "rowgroup", colspan: 4, title: meaning }, name)),
      groups.map(([group, support]) => lineOf(group, [support, ...left.shift()])),
    ),
  );
  return block(
    "phenomena",
    caption("By phenomenon", "compare rows within a group"),
    heads(["Group", "Utterances", "Score", "95% interval"]),
    bodies,
  );
}

function scoreTable(scores) {
  const neutral = scores.some((score) => score.length > 3) ? ["Unusable as neutral"] : [];
  const rows = scores.map(([metric, score, interval, ...rest]) =>
    lineOf(data.metrics[metric], [score, interval || MISSING, ...rest]),
  );
  return block(
    "scores",
    caption("All scores"),
    heads(["Metric", "Score", "95% interval", ...neutral]),
    make("tbody", {}, rows),
  );
}

function wordsOf({ facts = [], notes = [], source = [], commands = [] }) {
  const linked = (pieces) =>
    pieces.map((piece) =>
      typeof piece === "string" ? piece : make("a", { href: piece[0], rel: "noopener noreferrer" }, piece[0]),
    );
  const pairs = facts.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text)));
  const headed = (head, list, parts) => (list.length ? [make("h4", {}, head), parts] : null);
  return make(
    "div",
    { class: "block words" },
    facts.length ? make("dl", {}, pairs) : null,
    headed("Notes", notes, make("ul", { class: "notes" }, notes.map((note) => make("li", {}, linked(note))))),
    headed("Source", source, make("p", {}, linked(source))),
    headed("Made by", commands, commands.map((text) => make("pre", { tabindex: 0 }, make("code", {}, text)))),
  );
}

// What the filter looks through besides the row itself.
const wordsToFind = (entry) => Object.values(detailsOf(entry).words ?? {}).flat(Infinity);

function addDetails(entry) {
  const notes = detailsOf(entry).words?.notes?.length ?? 0;
  const title = entry.querySelector("bdi").textContent;
  const summary = make(
    "summary",
    {},
    "Details",
    make("span", { class: "heard" }, " of ", make("bdi", {}, title)),
    notes ? make("small", { class: "hint" }, `${notes} ${notes === 1 ? "note" : "notes"}`) : null,
    [...entry.querySelectorAll(".flag")],
  );
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => details.append(panel(entry)), { once: true });
  entry.rows[1]?.remove();
  entry.append(make("tr", { class: "more" }, make("td", { colspan: entry.rows[0].cells.length }, details)));
}

// Intervals as bars

const numbersIn = (text) => (text.replaceAll("−", "-").match(/-?\d+(\.\d+)?/g) ?? []).map(Number);

function addBars(section) {
  for (const head of section.querySelectorAll("th[data-bounds]")) {
    const [first, last, floor] = head.dataset.bounds.split(" ").map(Number);
    const place = (value) => 100 * Math.min(Math.max((value - first) / (last - first), 0), 1);
    for (const entry of section.querySelectorAll("tbody.entry")) {
      const cell = entry.rows[0].cells[head.cellIndex];
      if (!sortValue(cell)) continue;
      const [value] = numbersIn(cell.firstChild.textContent);
      const ends = numbersIn(cell.querySelector(".interval")?.textContent ?? "");
      cell.append(bar(place(value), ends.map(place), floor === undefined ? null : place(floor)));
    }
  }
}

function bar(value, [low, high], floor) {
  const at = (place) => `${place.toFixed(2)}%`;
  const bounded = high !== undefined;
  return draw(
    "svg",
    { class: "bar", "aria-hidden": "true", focusable: "false" },
    bounded ? draw("rect", { x: at(low), y: 3.5, width: at(high - low), height: 5 }) : null,
    floor === null ? null : draw("line", { class: "chance", x1: at(floor), x2: at(floor), y1: 0, y2: 12 }),
    bounded
      ? draw("line", { class: "value", x1: at(value), x2: at(value), y1: 1.5, y2: 10.5 })
      : draw("circle", { cx: at(value), cy: 6, r: 3 }),
  );
}
