// The tray of uploads: files chosen or dropped (whole folders too), each with its progress and a way to cancel it.
// Without this script the same form sends them as forms always did.

import { Broken, Cancelled, Large, Refused, asking, interrupted, sendTogether } from "./transfer.js";
import { watchDrops } from "./dropping.js";

const SMALL = 8 * 1024 * 1024;
const BATCH_FILES = 50;
const BATCH_BYTES = 64 * 1024 * 1024;
const AT_ONCE = 2;

/** @typedef {{file: File, path: string, row: HTMLElement, state: string, stop: AbortController}} Item */

/** @param {string} template @param {Record<string, string>} values */
const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

class Uploads {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
    this.base = section.dataset.base ?? "";
    this.ask = asking(section.dataset.token ?? "");
    this.list = /** @type {HTMLElement} */ (section.querySelector("ul"));
    this.template = /** @type {HTMLTemplateElement} */ (section.querySelector("template[data-row]"));
    this.words = /** @type {HTMLElement} */ (section.querySelector("[data-words]")).dataset;
    /** @type {Item[]} */
    this.items = [];
    this.running = 0;
    this.changed = false;
    addEventListener("beforeunload", (event) => {
      if (this.items.some((item) => item.state === "waiting" || item.state === "sending")) event.preventDefault();
    });
    for (const one of interrupted(this.base)) this.remind(one);
    this.tell();
  }

  /** @param {number} count */
  size(count) {
    const units = this.section.dataset.locale === "fr" ? ["o", "Ko", "Mo", "Go", "To"] : ["B", "KB", "MB", "GB", "TB"];
    let rank = 0;
    for (; count >= 999.5 && rank < units.length - 1; rank++) count /= 1000;
    const digits = rank === 0 || count >= 100 ? 0 : 1;
    return `${count.toLocaleString(this.section.dataset.locale, { maximumFractionDigits: digits })}\u00a0${units[rank]}`;
  }

  /** @param {string} name */
  addRow(name) {
    this.section.hidden = false;
    const row = /** @type {HTMLElement} */ (
      /** @type {DocumentFragment} */ (this.template.content.cloneNode(true)).firstElementChild
    );
    this.part(row, "[data-name]").textContent = name;
    this.part(row, "progress").setAttribute("aria-label", fill(this.words.label ?? "", { name }));
    this.part(row, "[data-cancel]").setAttribute("aria-label", fill(this.words.cancel ?? "", { name }));
    this.list.append(row);
    return row;
  }

  /** @param {HTMLElement} row @param {string} selector */
  part(row, selector) {
    return /** @type {HTMLElement} */ (row.querySelector(selector));
  }

  /** @param {{file: File, path: string}[]} found */
  add(found) {
    for (const { file, path } of found) {
      for (const old of this.list.querySelectorAll(`[data-interrupted]`))
        if (old.getAttribute("data-interrupted") === `${file.name}/${file.size}`) old.remove();
      /** @type {Item} */
      const item = { file, path, row: this.addRow(file.name), state: "waiting", stop: new AbortController() };
      this.part(item.row, "[data-cancel]").addEventListener("click", () =>
        item.state === "broken" ? this.retry(item) : this.cancel(item),
      );
      this.items.push(item);
    }
    this.next();
  }

  /** An upload that a closed page left behind goes on once its file is chosen again.
   * @param {{key: string, id: string, name: string, size: number}} left */
  remind(left) {
    const row = this.addRow(left.name);
    row.setAttribute("data-interrupted", `${left.name}/${left.size}`);
    this.part(row, "[data-state]").textContent = this.words.interrupted ?? "";
    this.part(row, ".kind").dataset.tone = "warn";
    this.part(row, "progress").hidden = true;
    this.part(row, "[data-cancel]").addEventListener("click", async () => {
      localStorage.removeItem(left.key);
      row.remove();
      this.section.hidden = !this.list.childElementCount;
      await this.ask("DELETE", `/drive/uploads/${left.id}`).catch(() => {});
    });
  }

  next() {
    this.tell();
    while (this.running < AT_ONCE) {
      const waiting = this.items.filter((item) => item.state === "waiting");
      if (!waiting.length) break;
      const large = waiting.find((item) => item.file.size > SMALL);
      const small = waiting.filter((item) => item.file.size <= SMALL);
      if (small.length) this.run(this.batch(small), (chosen) => this.together(chosen));
      else if (large) this.run([large], ([one]) => this.alone(one));
    }
    if (!this.running && this.changed) this.refresh();
  }

  /** @param {Item[]} small */
  batch(small) {
    const chosen = [];
    let bytes = 0;
    for (const item of small.slice(0, BATCH_FILES)) {
      if (chosen.length && bytes + item.file.size > BATCH_BYTES) break;
      chosen.push(item);
      bytes += item.file.size;
    }
    return chosen;
  }

  /** @param {Item[]} items @param {(items: Item[]) => Promise<(Error | null)[]>} work */
  async run(items, work) {
    this.running += 1;
    for (const item of items) item.state = "sending";
    const ends = await work(items).catch((error) => items.map(() => /** @type {Error} */ (error)));
    this.running -= 1;
    for (const [n, item] of items.entries()) this.ended(item, ends[n] ?? null);
    this.next();
  }

  /** @param {Item[]} items */
  together(items) {
    const lines = items.map((item) => ({
      file: item.file,
      path: item.path,
      signal: item.stop.signal,
      progress: (/** @type {number} */ sent) => this.progress(item, sent),
    }));
    return sendTogether(this.ask, this.base, lines);
  }

  /** @param {Item} item */
  async alone(item) {
    const progress = (/** @type {number} */ sent) => this.progress(item, sent);
    await new Large(this.ask, this.base, item.file, item.path, progress, item.stop.signal).send();
    return [null];
  }

  tell() {
    const all = this.items.filter((item) => item.state !== "cancelled").length;
    const done = this.items.filter((item) => item.state === "sent").length;
    const summary = this.section.querySelector("[data-summary]");
    const words = !all ? this.words.pending : done === all ? this.words.all : this.words.some;
    const text = fill(words ?? "", { done: String(done), all: String(all) });
    if (summary && summary.textContent !== text) summary.textContent = text;
  }

  /** @param {Item} item @param {number} loaded */
  progress(item, loaded) {
    const bar = /** @type {HTMLProgressElement} */ (this.part(item.row, "progress"));
    bar.value = item.file.size ? (100 * loaded) / item.file.size : 100;
    const values = { sent: this.size(loaded), size: this.size(item.file.size) };
    this.part(item.row, "[data-state]").textContent = fill(this.words.part ?? "", values);
  }

  /** @param {Item} item @param {Error | null} error */
  ended(item, error) {
    const words = this.words;
    if (!error) {
      this.changed = true;
      this.end(item, "sent", words.sent ?? "", "ok", words.check ?? "");
    } else if (error instanceof Cancelled) this.end(item, "cancelled", words.cancelled ?? "", "plain", "");
    else if (error instanceof Refused)
      this.end(item, "refused", error.message || (words.refused ?? ""), "bad", words.failed ?? "");
    else {
      if (!(error instanceof Broken)) console.error(error);
      const button = this.part(item.row, "[data-cancel]");
      button.setAttribute("aria-label", fill(words.retry ?? "", { name: item.file.name }));
      button.querySelector("use")?.setAttribute("href", words.again ?? "");
      this.end(item, "broken", words.broken ?? "", "warn", words.failed ?? "");
    }
  }

  /** @param {Item} item @param {string} state @param {string} words @param {string} tone @param {string} icon */
  end(item, state, words, tone, icon) {
    item.state = state;
    this.part(item.row, "[data-state]").textContent = words;
    const kind = this.part(item.row, ".kind");
    kind.dataset.tone = tone;
    if (icon) kind.querySelector("use")?.setAttribute("href", icon);
    this.part(item.row, "progress").hidden = state !== "broken";
    if (state !== "broken") this.part(item.row, "[data-cancel]").hidden = true;
  }

  /** @param {Item} item */
  retry(item) {
    item.state = "waiting";
    this.next();
  }

  /** @param {Item} item */
  cancel(item) {
    item.stop.abort();
    if (item.state !== "waiting") return;
    this.end(item, "cancelled", this.words.cancelled ?? "", "plain", "");
    this.next();
  }

  /** The listing and the gauge as they are now; what is chosen or typed elsewhere stays. */
  async refresh() {
    this.changed = false;
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const selector of ["[data-drop]", "#storage"]) {
      const old = document.querySelector(selector);
      const now = fresh.querySelector(selector);
      if (old && now) old.replaceWith(now);
    }
  }
}

const section = document.getElementById("uploads");
if (section) {
  const uploads = new Uploads(section);
  const form = document.querySelector("[data-upload-form]");
  form?.addEventListener("submit", (event) => {
    const input = form.querySelector("input[type=file]");
    if (!(input instanceof HTMLInputElement) || !input.files) return;
    event.preventDefault();
    uploads.add([...input.files].map((file) => ({ file, path: "" })));
    input.value = "";
    form.closest("dialog")?.close();
  });
  const main = document.getElementById("main");
  if (main) watchDrops(main, (found) => uploads.add(found));
}
