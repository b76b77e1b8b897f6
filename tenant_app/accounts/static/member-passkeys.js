// Passkeys: a form with `data-passkey="sign-in"` or `"register"` asks the browser, then sends its answer. The form is
// hidden until the browser is known to be able to.

/** @param {HTMLFormElement} form @param {string} name */
const fieldOf = (form, name) => /** @type {HTMLInputElement | null} */ (form.elements.namedItem(name));

/** @param {HTMLFormElement} form */
async function optionsFor(form) {
  const headers = { "X-CSRF-Token": fieldOf(form, "csrf")?.value ?? "" };
  const response = await fetch(`${form.getAttribute("action")}/options`, { method: "POST", headers });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

/** @param {HTMLFormElement} form @param {Credential | null} made */
function send(form, made) {
  const answer = fieldOf(form, "answer");
  if (!answer || !(made instanceof PublicKeyCredential)) throw new Error("no passkey");
  answer.value = JSON.stringify(made.toJSON());
  form.requestSubmit();
}

/** @param {HTMLFormElement} form @param {boolean} shown */
function complain(form, shown) {
  const words = form.querySelector(".error");
  if (words instanceof HTMLElement) words.hidden = !shown;
}

let waiting = new AbortController();

/** @param {HTMLFormElement} form @param {boolean} quietly as suggestions of the e-mail field */
async function signIn(form, quietly) {
  waiting.abort();
  waiting = new AbortController();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await optionsFor(form));
  const mediation = quietly ? "conditional" : "optional";
  send(form, await navigator.credentials.get({ publicKey, mediation, signal: waiting.signal }));
}

/** @param {HTMLFormElement} form */
async function register(form) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await optionsFor(form));
  send(form, await navigator.credentials.create({ publicKey }));
}

/** @param {HTMLFormElement} form */
function prepare(form) {
  form.hidden = false;
  const signingIn = form.dataset.passkey === "sign-in";
  form.querySelector("button[type=button]")?.addEventListener("click", async () => {
    complain(form, false);
    try {
      await (signingIn ? signIn(form, false) : register(form));
    } catch {
      complain(form, true);
    }
  });
  // Suggested beside an e-mail, where the page asks for one.
  if (signingIn && document.querySelector('input[autocomplete~="webauthn"]'))
    PublicKeyCredential.isConditionalMediationAvailable?.().then((can) => {
      if (can) signIn(form, true).catch(() => {});
    });
}

if (window.PublicKeyCredential && "parseRequestOptionsFromJSON" in PublicKeyCredential)
  for (const form of document.querySelectorAll("form[data-passkey]"))
    if (form instanceof HTMLFormElement) prepare(form);
