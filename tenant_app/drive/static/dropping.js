// What was dropped: files, and everything below dropped folders with the folders on the way.

/** @param {FileSystemEntry} entry @param {string} path @returns {Promise<{file: File, path: string}[]>} */
async function below(entry, path) {
  if (entry.isFile)
    return new Promise((done) =>
      /** @type {FileSystemFileEntry} */ (entry).file((file) => done([{ file, path }]), () => done([])),
    );
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  const inside = path ? `${path}/${entry.name}` : entry.name;
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

/** @param {HTMLElement} area @param {(found: {file: File, path: string}[]) => void} take */
export function watchDrops(area, take) {
  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  area.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    area.toggleAttribute("data-over", true);
  });
  for (const name of ["dragleave", "drop"]) area.addEventListener(name, () => area.toggleAttribute("data-over", false));
  area.addEventListener("drop", async (event) => {
    if (!carriesFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    take(await dropped(event.dataTransfer));
  });
}
