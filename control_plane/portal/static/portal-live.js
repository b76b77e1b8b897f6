// Follows an operation: the stream says that something changed, the page is fetched again, and the parts marked
// [data-live] that differ are put in place. Without script the page is as true as its last loading.

const SOON = 60;
const PENDING = 2500;
const PATIENCE = [1000, 2000, 5000, 10000];

// What is held by its reader is not taken away under the hand.
const HELD = ":focus-visible, :popover-open, :active";

/** Details that the reader has unfolded stay so. @param {Element} part @param {Element} newer */
function keepUnfolded(part, newer) {
  const now = part.querySelectorAll("details");
  newer.querySelectorAll("details").forEach((one, n) => one.toggleAttribute("open", now[n]?.open ?? one.open));
}

/** Puts in what differs, and says whether a part waits because it is held. @param {Document} fresh */
function replaceParts(fresh) {
  let waits = false;
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = fresh.getElementById(part.id);
    if (!newer) {
      part.remove();
      continue;
    }
    keepUnfolded(part, newer);
    if (newer.outerHTML === part.outerHTML) continue;
    if (part.querySelector(HELD)) waits = true;
    else part.replaceWith(document.importNode(newer, true));
  }
  return waits;
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
    clearTimeout(this.timer);
    this.end();
  }

  onError() {
    if (this.source?.readyState !== EventSource.CLOSED) return;
    // The browser gives up when the first connection is refused; we do not.
    this.end();
    const wait = PATIENCE[Math.min(this.failures++, PATIENCE.length - 1)];
    setTimeout(() => this.begin(), wait);
  }

  soon(wait = SOON) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look().catch(() => this.soon(PENDING)), wait);
  }

  async look() {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    if (replaceParts(new DOMParser().parseFromString(await response.text(), "text/html"))) this.soon(PENDING);
    else this.begin();
  }
}

/** Starts it, where the page shows something unfinished. */
export function watchLive() {
  const follower = new Follower();
  follower.begin();
  addEventListener("pagehide", () => follower.stop());
  addEventListener("pageshow", (event) => event.persisted && follower.begin());
}
