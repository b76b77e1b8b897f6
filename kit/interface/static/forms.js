// Forms: the summary of errors takes focus, links in it lead into the field, a sent form cannot be sent twice.

/** @param {SubmitEvent} event */
function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented || form.method === "dialog") return;
  if (form.dataset.sent !== undefined) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post" || form.target) return;
  form.dataset.sent = "";
  const button = event.submitter ?? form.querySelector("button:not([type=button])");
  button?.setAttribute("aria-busy", "true");
}

/** A page that comes back from the history can be sent again. */
function onShow() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    form.removeAttribute("data-sent");
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }
}

/** `data-show-when="offer=public-sector,…"`: a part that only some choices need. @param {ParentNode} root */
function showParts(root) {
  for (const part of root.querySelectorAll("[data-show-when]")) {
    if (!(part instanceof HTMLElement)) continue;
    const [name, values] = (part.dataset.showWhen ?? "").split("=");
    const form = part.closest("form");
    const chosen = form ? new FormData(form).get(name) : null;
    part.hidden = !values.split(",").includes(String(chosen));
  }
}

/** Starts all of the above. */
export function watchForms() {
  document.addEventListener("submit", onSubmit);
  addEventListener("pageshow", onShow);
  document.addEventListener("change", () => showParts(document));
  showParts(document);
  const summary = document.querySelector("[data-focus]");
  if (summary instanceof HTMLElement) summary.focus();
}
