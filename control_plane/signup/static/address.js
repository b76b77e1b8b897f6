// Signing up: proposes an address from the organisation's name, and says while one types whether it can be had.

const WAIT = 350;

/** « Ville de Saint-Aubin » → ville-de-saint-aubin. @param {string} name */
function slug(name) {
  return name
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/œ/gi, "oe")
    .replace(/æ/gi, "ae")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
}

/** @param {HTMLInputElement} input */
function watch(input) {
  const status = document.getElementById(input.dataset.status ?? "");
  const from = document.getElementById(input.dataset.from ?? "");
  let own = input.value !== "";
  let timer = 0;
  let asked = "";

  const ask = async () => {
    const address = input.value.trim().toLowerCase();
    asked = address;
    if (!status || address.length < 3) {
      status?.replaceChildren();
      return;
    }
    const response = await fetch(`${input.dataset.check}?address=${encodeURIComponent(address)}`).catch(() => null);
    // An answer to what was typed before says nothing about what stands there now.
    if (!response?.ok || asked !== address) return;
    const line = document.createElement("template");
    line.innerHTML = await response.text();
    input.removeAttribute("aria-invalid");
    document.getElementById(`${input.id}-e`)?.remove();
    status.replaceChildren(line.content);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  };
  input.addEventListener("input", () => {
    own = input.value !== "";
    soon();
  });
  if (!(from instanceof HTMLInputElement)) return;
  const propose = () => {
    if (own) return;
    input.value = slug(from.value);
    soon();
  };
  from.addEventListener("input", propose);
  // What was typed before this script had come counts as well.
  if (from.value) propose();
}

for (const input of document.querySelectorAll("input[data-check]"))
  if (input instanceof HTMLInputElement) watch(input);
