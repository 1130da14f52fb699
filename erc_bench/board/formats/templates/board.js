"use strict";
// Shows, hides and reorders what the page already holds. It never writes HTML: texts of run records stay text.

let data; // what opens from the tables (erc_bench/board/formats/page_details.py)
const MISSING = "–";

const THEMES = ["automatic", "light", "dark"];
const root = document.documentElement;
root.classList.add("js");
applyTheme(remembered());

function remembered() {
  try {
    const theme = localStorage.getItem("erc-bench-theme");
    return THEMES.includes(theme) ? theme : "automatic";
  } catch {
    return "automatic"; // storage may be forbidden for files on disk
  }
}

function applyTheme(theme) {
  if (theme === "automatic") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

function setUpTheme() {
  const button = document.querySelector("[data-theme-button]");
  let theme = remembered();
  const label = () => (button.textContent = `Theme: ${theme}`);
  label();
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    applyTheme(theme);
    label();
    try {
      localStorage.setItem("erc-bench-theme", theme);
    } catch {
      // the choice then lasts as long as the page
    }
  });
}

const state = { sort: null, words: [] };
const sections = () => [...document.querySelectorAll("section.board")];
const shown = () => document.querySelector("section.board:not([hidden])");

function announce(prefix = "") {
  const section = shown();
  if (!section) return;
  const entries = [...section.querySelectorAll("tbody.entry")];
  const visible = entries.filter((entry) => !entry.hidden).length;
  const rows = entries.length === 1 ? "row" : "rows";
  document.getElementById("status").textContent = `${prefix}Showing ${visible} of ${entries.length} ${rows}.`;
}

// Sections

const KINDS = ["dataset", "protocol", "subset"];

function chosen() {
  return Object.fromEntries(
    KINDS.map((kind) => [kind, document.querySelector(`input[name="${kind}"]:checked`)?.value]),
  );
}

// The section that agrees with the choice from the left: a protocol without the chosen subset shows another subset.
function closest(choice) {
  const agreement = (section) =>
    KINDS.reduce((sum, kind, place) => sum + (section.dataset[kind] === choice[kind]) * 2 ** (KINDS.length - place), 0);
  return sections().reduce((best, section) => (best && agreement(best) >= agreement(section) ? best : section), null);
}

const prepared = new Set();

// What a section needs when it is first shown; most are never looked at.
function prepare(section) {
  if (prepared.has(section)) return;
  prepared.add(section);
  section.querySelectorAll("tbody.entry").forEach(addDetails);
  addBars(section);
  setUpSort(section);
  setUpChoice(section);
}

function show(section) {
  prepare(section);
  showPicture(section);
  for (const other of sections()) other.hidden = other !== section;
  for (const other of document.querySelectorAll("section.contrasts")) {
    other.hidden = other.dataset.dataset !== section.dataset.dataset;
  }
  for (const kind of KINDS) {
    for (const input of document.querySelectorAll(`input[name="${kind}"]`)) {
      input.checked = input.value === section.dataset[kind];
      const wanted = { ...section.dataset, [kind]: input.value };
      const above = KINDS.slice(0, KINDS.indexOf(kind) + 1);
      input.disabled = !sections().some((other) => above.every((name) => other.dataset[name] === wanted[name]));
    }
  }
  filterRows(section);
  if (state.sort) sortBy(section, state.sort.key, state.sort.direction);
}

function setUpSections() {
  for (const input of document.querySelectorAll(".switch input")) {
    input.addEventListener("change", () => {
      const section = closest(chosen());
      show(section);
      remember(section);
      announce(`${section.querySelector("h2").textContent}. `);
    });
  }
  const fromAddress = () => {
    const id = location.hash.slice(1);
    const target = id && document.getElementById(id)?.closest("section.board");
    if (target) {
      show(target);
      announce();
    }
    return Boolean(target);
  };
  addEventListener("hashchange", fromAddress);
  const first = sections()[0];
  if (first && !fromAddress()) {
    show(first);
    announce();
  }
}

function remember(section) {
  try {
    history.replaceState(null, "", `#${section.id}`);
  } catch {
    // some browsers refuse it for files on disk: the address then keeps its old end
  }
}

// Filter

function textOf(entry) {
  const parts = [entry.rows[0], ...entry.querySelectorAll(".flag")].map((part) => part.textContent);
  return [...parts, ...wordsToFind(entry)].join(" ").toLowerCase();
}

function filterRows(section) {
  let visible = 0;
  for (const entry of section.querySelectorAll("tbody.entry")) {
    const text = textOf(entry);
    entry.hidden = !state.words.every((word) => text.includes(word));
    visible += !entry.hidden;
  }
  section.querySelector(".nothing").hidden = visible > 0;
}

function setUpFilter() {
  const input = document.getElementById("filter");
  input.addEventListener("input", () => {
    state.words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    filterRows(shown());
    announce();
  });
  input.form.addEventListener("submit", (event) => event.preventDefault());
}

// Sort

function comparison(kind, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  return (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // what is missing stands last either way
    return sign * (kind === "number" ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
  };
}

const wordsOfCell = (cell) => (cell.firstChild?.textContent ?? "").trim();

function sortValue(cell) {
  if (cell.dataset.sort !== undefined) return cell.dataset.sort;
  const said = wordsOfCell(cell.querySelector("bdi") ?? cell);
  return said === MISSING ? "" : said;
}

function sortBy(section, key, direction) {
  const table = section.querySelector("table.ranking");
  const heads = [...table.tHead.rows[0].cells];
  const place = heads.findIndex((head) => head.dataset.key === key);
  if (place < 0) return;
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[place].setAttribute("aria-sort", direction);
  const compare = comparison(heads[place].dataset.kind, direction);
  const value = (entry) => sortValue(entry.rows[0].cells[place]);
  const entries = [...table.querySelectorAll(":scope > tbody.entry")];
  table.append(...entries.sort((a, b) => compare(value(a), value(b))));
}

function setUpSort(section) {
  for (const head of section.querySelectorAll("table.ranking > thead th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(head.firstChild);
    head.prepend(button);
    button.addEventListener("click", () => {
      const first = head.dataset.first;
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = head.getAttribute("aria-sort") === first ? other : first;
      state.sort = { key: head.dataset.key, direction };
      sortBy(section, head.dataset.key, direction);
      announce(`Sorted by ${button.textContent.trim()}, ${direction}. `);
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  data = JSON.parse(document.getElementById("data").textContent);
  setUpTheme();
  setUpFilter();
  setUpSections();
  document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
  // Focus may scroll the page to its point: the tip then goes along, and any other leaves.
  addEventListener("scroll", () => {
    if (document.activeElement.matches("g.point")) showTip(document.activeElement);
    else hideTip();
  });
});
