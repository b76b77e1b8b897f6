// The portal: search by keyboard, pages that follow an operation, and what was just done.
import { watchPalette } from "./portal-palette.js";
import { watchLive } from "./portal-live.js";

/** `/` goes to the page's search field. @param {KeyboardEvent} event */
function onSlash(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target;
  if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return;
  const field = document.querySelector("[data-slash]");
  if (!(field instanceof HTMLInputElement)) return;
  event.preventDefault();
  field.focus();
  field.select();
}

/** Says once what the last form did; reloading does not say it again. */
function sayDone() {
  const done = document.querySelector("template[data-done]");
  if (!(done instanceof HTMLTemplateElement)) return;
  document.getElementById("toasts")?.append(done.content.cloneNode(true));
  const here = new URL(location.href);
  here.searchParams.delete("done");
  history.replaceState(history.state, "", here);
}

document.addEventListener("keydown", onSlash);
watchPalette();
watchLive();
sayDone();
