// `data-copy="text"` on a button copies it; `data-copied` is what is then said.

/** @param {MouseEvent} event */
async function onClick(event) {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  await navigator.clipboard?.writeText(button.dataset.copy ?? "");
  const name = button.getAttribute("aria-label");
  const use = button.querySelector("use");
  const drawing = use?.getAttribute("href");
  use?.setAttribute("href", (drawing ?? "").replace(/#.*/, "#check"));
  if (button.dataset.copied) button.setAttribute("aria-label", button.dataset.copied);
  setTimeout(() => {
    if (drawing) use?.setAttribute("href", drawing);
    if (name) button.setAttribute("aria-label", name);
  }, 2000);
}

/** Starts it. */
export function watchCopy() {
  document.addEventListener("click", onClick);
}
