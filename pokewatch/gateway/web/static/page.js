// Suggestions, values under the pointer of a chart, and the theme. All pages work without it.
"use strict";

function element(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// A browser that blocks cookies has no storage, and raises an error when it is asked for.
function storage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function themeSwitch() {
  if (matchMedia("(forced-colors: active)").matches) return;  // the system has chosen them
  const root = document.documentElement;
  const stored = storage()?.getItem("theme");
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const button = element("button", { type: "button", className: "quiet" });
  const label = () => { button.textContent = dark() ? "Light theme" : "Dark theme"; };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    storage()?.setItem("theme", root.dataset.theme);
    label();
  });
  label();
  document.querySelector("footer").append(button);
}

// Without a connection or a session there are none.
async function suggested(address) {
  try {
    const reply = await fetch(address);
    return reply.ok ? (await reply.json()).cards : [];
  } catch {
    return [];
  }
}

function suggest(form) {
  const input = form.querySelector("input[type=search]");
  const market = form.elements.market ? `market=${encodeURIComponent(form.elements.market.value)}` : "";
  const list = element("ul", { className: "suggestions", role: "listbox", id: "suggestions", hidden: true });
  list.setAttribute("aria-label", "Cards");
  form.append(list);
  for (const [name, value] of [["role", "combobox"], ["aria-controls", "suggestions"], ["aria-expanded", "false"], ["aria-autocomplete", "list"]]) {
    input.setAttribute(name, value);
  }
  let timer = 0, asked = "", selected = -1;

  function expand(expanded) {
    list.hidden = !expanded;
    selected = -1;
    input.setAttribute("aria-expanded", String(expanded));
    input.removeAttribute("aria-activedescendant");
  }
  function close() {
    expand(false);
  }
  function select(number) {
    const options = [...list.children];
    if (!options.length) return;
    selected = (number + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === selected)));
    options[selected].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[selected].id);
  }
  function show(cards) {
    list.replaceChildren(...cards.map((card, at) => {
      const words = [card.set_name, card.number, card.printing].filter(Boolean).join(" · ");
      const name = element("span", {}, element("bdi", { textContent: card.name }), " ",
        element("span", { className: "minor", textContent: words }));
      const option = element("li", { role: "option", id: `suggestion-${at}` }, name,
        element("span", { className: "num", textContent: card.price }));
      option.dataset.target = `/cards/${card.slug}${market && `?${market}`}`;
      option.addEventListener("mousedown", (event) => {
        event.preventDefault();  // the field keeps the focus
        if (event.button === 0) location.assign(option.dataset.target);
      });
      return option;
    }));
    expand(cards.length > 0);
  }
  async function ask() {
    const text = input.value.trim();
    asked = text;
    if (text.length < 2) { close(); return; }
    const cards = await suggested(`/page-data/suggestions?q=${encodeURIComponent(text)}${market && `&${market}`}`);
    if (asked === text && document.activeElement === input) show(cards);
  }
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;  // keys of an input method choose its candidates
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(selected + (event.key === "ArrowDown" ? 1 : selected < 0 ? 0 : -1));
    } else if (event.key === "Enter" && selected >= 0) {
      event.preventDefault();
      location.assign(list.children[selected].dataset.target);
    } else if (event.key === "Escape") {
      event.preventDefault();  // else Chromium empties the field
      close();
    }
  });
}

function readout(svg) {
  const section = svg.closest("section");
  const output = section && section.querySelector(".readout");
  const table = section && section.querySelector("table.values");
  if (!output || !table) return;
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const view = svg.viewBox.baseVal;
  const left = Number(svg.dataset.left), width = view.width - left - Number(svg.dataset.right);
  const span = Number(svg.dataset.span), first = Date.parse(svg.dataset.first) / 864e5;
  const day = (row) => Date.parse(row.dataset.day || row.cells[0].textContent) / 864e5;
  const rows = [...table.tBodies[0].rows].reverse().filter((row) => day(row) <= first + span);
  const days = rows.map(day);
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
  cursor.setAttribute("class", "cursor");
  svg.append(cursor);
  svg.tabIndex = 0;
  let current = rows.filter((row) => !row.dataset.day).length - 1;

  function show(at) {
    current = Math.max(0, Math.min(rows.length - 1, at));
    const cells = [...rows[current].cells].map((cell) => cell.textContent);
    output.textContent = [cells[0], ...cells.slice(1).map((text, at) => `${names[at + 1]} ${text}`)].join(" · ");
    const x = left + width * (days[current] - first) / span;
    cursor.setAttribute("d", `M${x.toFixed(1)} 10V${view.height - 26}`);
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const pointed = first + ((event.clientX - box.left) / box.width * view.width - left) / width * span;
    let nearest = 0;
    days.forEach((each, at) => { if (Math.abs(each - pointed) < Math.abs(days[nearest] - pointed)) nearest = at; });
    show(nearest);
  });
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7, Home: -rows.length, End: rows.length };
    if (event.key in steps) { event.preventDefault(); show(current + steps[event.key]); }
  });
  svg.addEventListener("focus", () => show(current));
}

// A table that is wider than the screen scrolls: by the keyboard too, once it can be reached.
function reachable(table) {
  const observer = new ResizeObserver(() => {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  });
  observer.observe(table);
}

// The first visitor of a card gets a placeholder, and its picture once the server has it.
function waitForPicture(image) {
  const address = image.getAttribute("src");
  let asked = 0;
  async function ask() {
    const reply = await fetch(address);
    const placeholder = (reply.headers.get("content-type") || "").startsWith("image/svg");
    if (!placeholder && asked) image.src = `${address}${address.includes("?") ? "&" : "?"}again`;
    else if (placeholder && ++asked < 5) setTimeout(ask, 1000 * asked);
  }
  ask();
}

// A browser leaves the page for a file that is dropped beside the field, and what was entered is lost.
function takeDroppedFile(form) {
  const field = form.elements.file;
  const dropped = (event) => event.target !== field && event.dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => { if (dropped(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!dropped(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length === 1) field.files = event.dataTransfer.files;
    field.focus();
  });
}

// A double click would have a collection valued twice, and a watch that is gone removed again.
function ignoreDoubleClick(form) {
  let sent = -Infinity;
  form.addEventListener("submit", (event) => {
    if (event.timeStamp - sent < 2000) event.preventDefault();
    else sent = event.timeStamp;
  });
}

themeSwitch();
document.querySelectorAll("form.upload").forEach(takeDroppedFile);
document.querySelectorAll("form[method=post]").forEach(ignoreDoubleClick);
document.querySelectorAll("form.search").forEach(suggest);
document.querySelectorAll("img.picture").forEach(waitForPicture);
document.querySelectorAll("svg.chart").forEach(readout);
document.querySelectorAll("table").forEach(reachable);
