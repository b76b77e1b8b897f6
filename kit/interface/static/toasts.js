// Toasts: shown 10 s, paused while the pointer or the focus is on them. Errors never come here.

const SHOWN = 10_000;

/** @param {HTMLElement} toast */
function arm(toast) {
  let left = SHOWN;
  let since = Date.now();
  let timer = 0;
  const run = () => {
    since = Date.now();
    timer = setTimeout(() => toast.remove(), left);
  };
  const hold = () => {
    clearTimeout(timer);
    left -= Date.now() - since;
  };
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, hold);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, run);
  run();
}

/** Arms what is in the corner, now and later. */
export function watchToasts() {
  const corner = document.getElementById("toasts");
  if (!corner) return;
  const found = (/** @type {NodeList | HTMLCollection} */ nodes) => {
    for (const node of nodes) if (node instanceof HTMLElement && node.matches("[data-toast]")) arm(node);
  };
  found(corner.children);
  new MutationObserver((changes) => changes.forEach((change) => found(change.addedNodes))).observe(corner, {
    childList: true,
  });
}

/** Says something that was done. @param {string} text @param {HTMLElement} [action] */
export function toast(text, action) {
  const corner = document.getElementById("toasts");
  if (!corner) return;
  const box = document.createElement("div");
  box.className = "toast";
  box.dataset.toast = "";
  const words = document.createElement("span");
  words.textContent = text;
  box.append(words);
  if (action) box.append(action);
  corner.append(box);
}
