// Passkeys in plain forms. `<form method="post" data-passkey="sign-in|register" data-options="/address">` with a hidden
// field `answer`: the options are fetched, the device is asked, and its answer is sent like any other form.
// Words for what may go wrong stand in data-refused and data-unsupported; an element [data-passkey-error] shows them.

/** @param {HTMLFormElement} form @param {string | undefined} words */
function say(form, words) {
  const place = form.querySelector("[data-passkey-error]");
  if (!(place instanceof HTMLElement)) return;
  place.hidden = !words;
  const text = place.querySelector("span") ?? place;
  text.textContent = words ?? "";
}

/** @param {HTMLFormElement} form */
async function optionsOf(form) {
  const csrf = form.querySelector('input[name="csrf"]');
  const response = await fetch(form.dataset.options ?? "", {
    method: "POST",
    headers: csrf instanceof HTMLInputElement && csrf.value ? { "X-CSRF-Token": csrf.value } : {},
  });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

/** @param {HTMLFormElement} form */
async function answerOf(form) {
  const options = await optionsOf(form);
  const made =
    form.dataset.passkey === "register"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  if (!(made instanceof PublicKeyCredential)) throw new Error("no passkey");
  return JSON.stringify(made.toJSON());
}

/** @param {SubmitEvent} event */
async function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.passkey) return;
  const field = form.elements.namedItem("answer");
  if (!(field instanceof HTMLInputElement)) return;
  event.preventDefault();
  const button = form.querySelector("button:not([type=button])");
  say(form, undefined);
  button?.setAttribute("aria-busy", "true");
  try {
    field.value = await answerOf(form);
    form.submit();
  } catch {
    button?.removeAttribute("aria-busy");
    say(form, form.dataset.refused);
  }
}

/** A button is pressed only now, when the script can answer for it; where the browser knows no passkeys the form says so. */
function begin() {
  const known = "PublicKeyCredential" in window && "parseCreationOptionsFromJSON" in PublicKeyCredential;
  document.addEventListener("submit", onSubmit, true);
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!(form instanceof HTMLFormElement)) continue;
    form.querySelector("button:not([type=button])")?.toggleAttribute("disabled", !known);
    if (!known) say(form, form.dataset.unsupported);
  }
}

begin();
