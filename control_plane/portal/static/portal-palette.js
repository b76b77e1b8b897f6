// Ctrl K: find an organisation and go there. A combobox over a list: arrows choose, Enter goes, Escape closes.

const WAIT = 120;

/** @typedef {{ name: string, detail: string, state: string, url: string }} Found */

/** @param {Found} found @param {number} at */
function option(found, at) {
  const row = document.createElement("div");
  row.setAttribute("role", "option");
  row.id = `palette-${at}`;
  row.dataset.url = found.url;
  row.setAttribute("aria-selected", String(at === 0));
  for (const text of [found.name, `${found.detail} · ${found.state}`]) {
    const words = document.createElement("span");
    words.textContent = text;
    row.append(words);
  }
  return row;
}

class Palette {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    this.field = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
    this.list = /** @type {HTMLElement} */ (dialog.querySelector("[role=listbox]"));
    this.status = /** @type {HTMLElement} */ (dialog.querySelector("[role=status]"));
    this.timer = 0;
    this.asked = 0;
    this.field.addEventListener("input", () => this.soon());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("click", (event) => {
      const row = event.target instanceof Element ? event.target.closest("[role=option]") : null;
      if (row instanceof HTMLElement) this.go(row);
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  get rows() {
    return /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll("[role=option]")]);
  }

  get chosen() {
    return this.rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), WAIT);
  }

  async ask() {
    const text = this.field.value.trim();
    const mine = ++this.asked;
    const response = text.length > 1 ? await fetch(`/palette?q=${encodeURIComponent(text)}`) : null;
    // A slow answer to an older question is not shown over a newer one.
    if (mine !== this.asked) return;
    if (response?.status === 401) location.reload();
    this.show(response?.ok ? await response.json() : [], text);
  }

  /** @param {Found[]} found @param {string} text */
  show(found, text) {
    this.list.replaceChildren(...found.map(option));
    this.field.setAttribute("aria-expanded", String(found.length > 0));
    const words = found.length ? (this.dialog.dataset.some ?? "").replace("{n}", String(found.length)) : this.dialog.dataset.empty;
    this.status.textContent = text.length > 1 ? (words ?? "") : "";
    this.status.classList.toggle("sr", found.length > 0 || text.length < 2);
    this.mark(0);
  }

  /** @param {number} at */
  mark(at) {
    const rows = this.rows;
    rows.forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    if (rows[at]) {
      this.field.setAttribute("aria-activedescendant", rows[at].id);
      rows[at].scrollIntoView({ block: "nearest" });
    } else this.field.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const rows = this.rows;
    if (event.key === "Enter" && rows[this.chosen]) {
      event.preventDefault();
      this.go(rows[this.chosen]);
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !rows.length) return;
    event.preventDefault();
    this.mark((this.chosen + step + rows.length) % rows.length);
  }

  /** @param {HTMLElement} row */
  go(row) {
    this.dialog.close();
    location.href = row.dataset.url ?? "/organisations";
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal();
    this.field.select();
  }
}

/** Starts it, where there is one. */
export function watchPalette() {
  const dialog = document.getElementById("palette");
  if (!(dialog instanceof HTMLDialogElement)) return;
  const palette = new Palette(dialog);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    palette.open();
  });
}
