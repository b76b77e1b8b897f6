// Uploads: files chosen or dropped (whole folders too) are sent one after the other, each with its progress and a way
// to cancel it. Without this script the same form sends them as forms always did.

const AT_ONCE = 2;
const KEPT_NAMES = "/";

/** @typedef {{file: File, path: string, row: HTMLElement, state: string, request?: XMLHttpRequest}} Item */

/** @param {string} template @param {Record<string, string>} values */
const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

class Uploads {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
    this.list = /** @type {HTMLElement} */ (section.querySelector("ul"));
    this.template = /** @type {HTMLTemplateElement} */ (section.querySelector("template[data-row]"));
    this.words = /** @type {HTMLElement} */ (section.querySelector("[data-words]")).dataset;
    /** @type {Item[]} */
    this.items = [];
    this.changed = false;
    addEventListener("beforeunload", (event) => {
      if (this.items.some((item) => item.state === "waiting" || item.state === "sending")) event.preventDefault();
    });
  }

  /** @param {number} count */
  size(count) {
    const units = this.section.dataset.locale === "fr" ? ["o", "Ko", "Mo", "Go", "To"] : ["B", "KB", "MB", "GB", "TB"];
    let rank = 0;
    for (; count >= 999.5 && rank < units.length - 1; rank++) count /= 1000;
    const digits = rank === 0 || count >= 100 ? 0 : 1;
    return `${count.toLocaleString(this.section.dataset.locale, { maximumFractionDigits: digits })}\u00a0${units[rank]}`;
  }

  /** @param {{file: File, path: string}[]} found */
  add(found) {
    if (!found.length) return;
    this.section.hidden = false;
    for (const { file, path } of found) {
      const row = /** @type {HTMLElement} */ (this.template.content.cloneNode(true)).firstElementChild;
      if (!(row instanceof HTMLElement)) continue;
      /** @type {Item} */
      const item = { file, path, row, state: "waiting" };
      this.part(item, "[data-name]").textContent = file.name;
      this.part(item, "progress").setAttribute("aria-label", fill(this.words.label ?? "", { name: file.name }));
      const button = this.part(item, "[data-cancel]");
      button.setAttribute("aria-label", fill(this.words.cancel ?? "", { name: file.name }));
      button.addEventListener("click", () => (item.state === "broken" ? this.retry(item) : this.cancel(item)));
      this.items.push(item);
      this.list.append(row);
    }
    this.next();
  }

  /** @param {Item} item @param {string} selector */
  part(item, selector) {
    return /** @type {HTMLElement} */ (item.row.querySelector(selector));
  }

  next() {
    this.tell();
    const sending = this.items.filter((item) => item.state === "sending").length;
    const waiting = this.items.filter((item) => item.state === "waiting");
    for (const item of waiting.slice(0, AT_ONCE - sending)) this.send(item);
    if (!sending && !waiting.length && this.changed) this.refresh();
  }

  tell() {
    const done = this.items.filter((item) => item.state === "sent").length;
    const all = this.items.filter((item) => item.state !== "cancelled").length;
    const words = done === all ? this.words.all : this.words.some;
    const summary = this.section.querySelector("[data-summary]");
    const text = fill(words ?? "", { done: String(done), all: String(all) });
    if (summary && summary.textContent !== text) summary.textContent = text;
  }

  /** Asks first whether there is room: an answer to a half-sent body may never be seen. @param {Item} item */
  async send(item) {
    item.state = "sending";
    const { base, token } = this.section.dataset;
    const headers = { "X-CSRF-Token": token ?? "", Accept: "application/json" };
    try {
      const body = new URLSearchParams({ size: String(item.file.size) });
      const answer = await fetch(`${base}/room`, { method: "POST", headers, body });
      if (!answer.ok) return this.refused(item, await answer.text());
    } catch {
      return this.broken(item);
    }
    if (item.state !== "sending") return;
    const request = (item.request = new XMLHttpRequest());
    const where = new URLSearchParams({ name: item.file.name, path: item.path });
    request.open("PUT", `${base}/files?${where}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => this.progress(item, event.loaded));
    request.addEventListener("load", () => (request.status === 201 ? this.sent(item) : this.refused(item, request.responseText)));
    request.addEventListener("error", () => this.broken(item));
    request.send(item.file);
  }

  /** @param {Item} item @param {number} loaded */
  progress(item, loaded) {
    const bar = /** @type {HTMLProgressElement} */ (this.part(item, "progress"));
    bar.value = item.file.size ? (100 * loaded) / item.file.size : 100;
    const values = { sent: this.size(loaded), size: this.size(item.file.size) };
    this.part(item, "[data-state]").textContent = fill(this.words.part ?? "", values);
  }

  /** @param {Item} item @param {string} state @param {string} words @param {string} tone @param {string} icon */
  end(item, state, words, tone, icon) {
    item.state = state;
    this.part(item, "[data-state]").textContent = words;
    const kind = this.part(item, ".kind");
    kind.dataset.tone = tone;
    if (icon) kind.querySelector("use")?.setAttribute("href", icon);
    this.part(item, "progress").hidden = state !== "broken";
    if (state !== "broken") this.part(item, "[data-cancel]").hidden = true;
    this.next();
  }

  /** @param {Item} item */
  sent(item) {
    this.changed = true;
    this.end(item, "sent", this.words.sent ?? "", "ok", this.words.check ?? "");
  }

  /** @param {Item} item @param {string} answer */
  refused(item, answer) {
    let detail = this.words.refused ?? "";
    try {
      detail = JSON.parse(answer).detail || detail;
    } catch {
      // Not our words: ours say enough.
    }
    this.end(item, "refused", detail, "bad", this.words.failed ?? "");
  }

  /** @param {Item} item */
  broken(item) {
    if (item.state !== "sending") return;
    const button = this.part(item, "[data-cancel]");
    button.setAttribute("aria-label", fill(this.words.retry ?? "", { name: item.file.name }));
    button.querySelector("use")?.setAttribute("href", this.words.again ?? "");
    this.end(item, "broken", this.words.broken ?? "", "warn", this.words.failed ?? "");
  }

  /** @param {Item} item */
  retry(item) {
    item.state = "waiting";
    this.next();
  }

  /** @param {Item} item */
  cancel(item) {
    item.state = "cancelled";
    item.request?.abort();
    this.end(item, "cancelled", this.words.cancelled ?? "", "plain", "");
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

/** Every file below a dropped folder, with the folders on the way. @param {FileSystemEntry} entry @param {string} path
 * @returns {Promise<{file: File, path: string}[]>} */
async function below(entry, path) {
  if (entry.isFile)
    return new Promise((done) =>
      /** @type {FileSystemFileEntry} */ (entry).file((file) => done([{ file, path }]), () => done([])),
    );
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  const inside = path ? path + KEPT_NAMES + entry.name : entry.name;
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!some.length) return found;
    for (const one of some) found.push(...(await below(one, inside)));
  }
}

/** Entries where the browser gives them (folders too), else plain files. @param {DataTransfer} transfer */
async function dropped(transfer) {
  const found = [...transfer.items].map((item) => {
    const entry = item.webkitGetAsEntry();
    const file = item.getAsFile();
    return entry ? below(entry, "") : file ? [{ file, path: "" }] : [];
  });
  return (await Promise.all(found)).flat();
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
  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  main?.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    main.toggleAttribute("data-over", true);
  });
  for (const name of ["dragleave", "drop"]) main?.addEventListener(name, () => main.toggleAttribute("data-over", false));
  main?.addEventListener("drop", async (event) => {
    if (!carriesFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    uploads.add(await dropped(event.dataTransfer));
  });
}
