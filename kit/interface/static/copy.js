// `data-copy="text"` on a button copies it; `data-copied` is what is then said.

/** @param {MouseEvent} event */
async function onClick(event) {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  await navigator.clipboard?.writeText(button.dataset.copy ?? "");
  const name = button.getAttribute("aria-label");
  const use = button.querySelector("use");
  const drawing = use?.getAttribute("href");
  // A button with a word of its own changes the word; an icon alone changes its label.
  const word = button.querySelector("[data-copy-word]");
  const said = word?.textContent ?? "";
  use?.setAttribute("href", (drawing ?? "").replace(/#.*/, "#check"));
  if (word) word.textContent = button.dataset.copied ?? said;
  else if (button.dataset.copied) button.setAttribute("aria-label", button.dataset.copied);
  setTimeout(() => {
    if (drawing) use?.setAttribute("href", drawing);
    if (word) word.textContent = said;
    if (name) button.setAttribute("aria-label", name);
  }, 2000);
}

/** Starts it. */
export function watchCopy() {
  document.addEventListener("click", onClick);
}
