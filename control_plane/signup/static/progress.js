// Follows the steps of a new workspace by server-sent events. Only parts that changed are replaced, so nothing jumps.

/** @param {HTMLElement} ledger @param {string} html */
function show(ledger, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  for (const part of fresh.content.querySelectorAll("[data-part]")) {
    const now = ledger.querySelector(`[data-part="${part.getAttribute("data-part")}"]`);
    if (now instanceof HTMLProgressElement) now.value = Number(part.getAttribute("value"));
    if (now && now.innerHTML !== part.innerHTML) now.innerHTML = part.innerHTML;
  }
}

const ledger = document.getElementById("ledger");
const address = ledger?.dataset.events;
if (ledger && address) {
  const source = new EventSource(address);
  source.addEventListener("message", (event) => {
    const { html, over } = JSON.parse(event.data);
    show(ledger, html);
    if (over) source.close();
  });
  // A stream that was refused for good: the page itself says what is true.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  });
}
