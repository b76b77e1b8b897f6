// Follows an operation: the stream says that something changed, the page is fetched again, and the parts marked
// [data-live] that differ are put in place. Without script the page is as true as its last loading.

const SOON = 60;
const PENDING = 2500;
const PATIENCE = [1000, 2000, 5000, 10000];

/** Puts in what differs; a part that holds the focus or an open menu waits. @param {Document} fresh */
function replaceParts(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = fresh.getElementById(part.id);
    if (!newer) part.remove();
    else if (newer.outerHTML !== part.outerHTML && !part.querySelector(":focus-visible, :popover-open")) {
      part.replaceWith(document.importNode(newer, true));
    }
  }
}

class Follower {
  constructor() {
    this.timer = 0;
    this.pending = 0;
    this.failures = 0;
    this.mark = "";
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {string | null} */
    this.address = null;
  }

  begin() {
    this.listen();
    this.wait();
  }

  /** What has no stream is looked at again until it is done, or the network comes back. */
  wait() {
    clearTimeout(this.pending);
    if (!document.querySelector("[data-pending]")) return;
    this.pending = setTimeout(() => this.look().catch(() => this.wait()), PENDING);
  }

  listen() {
    const part = document.querySelector("[data-events]");
    const address = part instanceof HTMLElement ? (part.dataset.events ?? null) : null;
    if (address === this.address && this.source) return;
    this.end();
    this.address = address;
    if (!address) return;
    this.source = new EventSource(`${address}?shown=${encodeURIComponent(this.mark)}`);
    this.source.addEventListener("changed", (event) => {
      this.failures = 0;
      this.mark = event.data;
      this.soon();
    });
    this.source.addEventListener("over", () => {
      this.end();
      this.soon();
    });
    this.source.addEventListener("error", () => this.onError());
  }

  end() {
    this.source?.close();
    this.source = null;
  }

  stop() {
    clearTimeout(this.pending);
    this.end();
  }

  onError() {
    if (this.source?.readyState !== EventSource.CLOSED) return;
    // The browser gives up when the first connection is refused; we do not.
    this.end();
    const wait = PATIENCE[Math.min(this.failures++, PATIENCE.length - 1)];
    setTimeout(() => this.begin(), wait);
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), SOON);
  }

  async look() {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    replaceParts(new DOMParser().parseFromString(await response.text(), "text/html"));
    this.begin();
  }
}

/** Starts it, where the page shows something unfinished. */
export function watchLive() {
  const follower = new Follower();
  follower.begin();
  addEventListener("pagehide", () => follower.stop());
  addEventListener("pageshow", (event) => event.persisted && follower.begin());
}
