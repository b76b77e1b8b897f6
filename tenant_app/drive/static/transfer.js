// The way of files to the store: the workspace promises room and allows each call, the bytes go straight to the store.
// Every part carries its digest, which the store checks. What was lost is asked for anew and sent again.

const AT_ONCE = 4;
const FIRST_GROUP = 4;
const LARGEST_GROUP = 32;
const QUICK_MS = 8000;
const SLOW_MS = 30000;
const STALLED_MS = 30000;
const TRIES = 8;
const LONGEST_PAUSE_MS = 20000;

/** The workspace or the store said no, in words for people. */
export class Refused extends Error {}
/** The connection was lost, for longer than is worth waiting. */
export class Broken extends Error {}
/** The person changed his mind. */
export class Cancelled extends Error {}

/** @typedef {{url: string, headers: Record<string, string>}} Call */
/** @typedef {{id: string, size: number, part_bytes: number, parts: number, call?: Call | null}} Promised */

/** @param {AbortSignal} signal */
function stopIfCancelled(signal) {
  if (signal.aborted) throw new Cancelled();
}

/** Wait, or until the network is back. @param {number} tries @param {AbortSignal} signal */
function pause(tries, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, Math.min(500 * 2 ** tries, LONGEST_PAUSE_MS));
    const now = () => (clearTimeout(timer), done(undefined));
    addEventListener("online", now, { once: true, signal });
    signal.addEventListener("abort", now, { once: true });
  });
}

/** @param {Blob} blob */
async function digest(blob) {
  const sum = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ask the workspace. @param {string} token */
export const asking = (token) =>
  /** @param {string} method @param {string} path @param {any} [body] @returns {Promise<any>} */
  async (method, path, body) => {
    const headers = { "X-CSRF-Token": token, Accept: "application/json", "Content-Type": "application/json" };
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    } catch (error) {
      throw new Broken(String(error));
    }
    if (answer.status >= 500) throw new Broken(String(answer.status));
    const text = await answer.text();
    const told = text ? JSON.parse(text) : {};
    if (!answer.ok) throw Object.assign(new Refused(told.detail), { code: told.code });
    return told;
  };

/** Ask again while the workspace cannot be reached. @template T @param {() => Promise<T>} question
 * @param {AbortSignal} signal */
async function patiently(question, signal) {
  for (let tries = 0; ; tries++) {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof Broken) || tries === TRIES) throw error;
      stopIfCancelled(signal);
      await pause(tries, signal);
    }
  }
}

/** What was sent is whole: make files of it. @param {ReturnType<typeof asking>} ask @param {string[]} uploads
 * @param {AbortSignal} signal */
const complete = async (ask, uploads, signal) =>
  (await patiently(() => ask("POST", "/drive/uploads/completion", { uploads }), signal)).files;

/** Send bytes to the store; resolves with the status, 0 where nothing was heard.
 * @param {Call} call @param {Blob} blob @param {(sent: number) => void} progress @param {AbortSignal} signal
 * @returns {Promise<number>} */
function put(call, blob, progress, signal) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    let watch = setTimeout(() => request.abort(), STALLED_MS);
    request.open("PUT", call.url);
    for (const [name, value] of Object.entries(call.headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      clearTimeout(watch);
      watch = setTimeout(() => request.abort(), STALLED_MS);
      progress(event.loaded);
    });
    request.addEventListener("loadend", () => (clearTimeout(watch), done(request.status)));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(blob);
  });
}

/** Send one piece, with a fresh call for each try. @param {(fresh: boolean) => Promise<Call>} allow @param {Blob} blob
 * @param {(sent: number) => void} progress @param {AbortSignal} signal */
async function deliver(allow, blob, progress, signal) {
  for (let tries = 0; tries < TRIES; tries++) {
    stopIfCancelled(signal);
    try {
      if ((await put(await allow(tries > 0), blob, progress, signal)) === 200) return progress(blob.size);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
    }
    progress(0);
    await pause(tries, signal);
  }
  stopIfCancelled(signal);
  throw new Broken();
}

/** Do some work AT_ONCE times side by side. @param {() => Promise<boolean>} work one piece; false when none is left */
async function sideBySide(work) {
  const line = async () => {
    while (await work());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
}

/** Small files together: two questions for all of them.
 * @param {ReturnType<typeof asking>} ask @param {string} base
 * @param {{file: File, path: string, signal: AbortSignal, progress: (sent: number) => void}[]} items
 * @returns {Promise<(Error | null)[]>} null for each file that is there now */
export async function sendTogether(ask, base, items) {
  const digests = await Promise.all(items.map((item) => digest(item.file).catch(() => "")));
  const files = items.map(({ file, path }, n) => ({ name: file.name, size: file.size, path, digest: digests[n] }));
  const { uploads } = await ask("POST", `${base}/uploads`, { files });
  /** @type {(Error | null)[]} */
  const ends = uploads.map((/** @type {any} */ one) => (one.error ? new Refused(one.error.detail) : null));
  const queue = items.map((_, n) => n).filter((n) => !ends[n]);
  await sideBySide(async () => {
    const n = queue.shift();
    if (n === undefined) return false;
    const { file, signal, progress } = items[n];
    const again = { parts: [{ n: 1, digest: digests[n] }] };
    const allow = async (/** @type {boolean} */ fresh) =>
      fresh ? (await ask("POST", `/drive/uploads/${uploads[n].id}/parts`, again)).parts[0] : uploads[n].call;
    try {
      await deliver(allow, file, progress, signal);
    } catch (error) {
      ends[n] = /** @type {Error} */ (error);
      if (error instanceof Cancelled) await ask("DELETE", `/drive/uploads/${uploads[n].id}`).catch(() => {});
    }
    return true;
  });
  const whole = uploads.flatMap((/** @type {any} */ one, /** @type {number} */ n) => (ends[n] ? [] : [one.id]));
  if (whole.length) {
    for (const one of await complete(ask, whole, new AbortController().signal)) {
      const n = uploads.findIndex((/** @type {any} */ known) => known.id === one.upload);
      if (one.error) ends[n] = new Refused(one.error.detail);
    }
  }
  return ends;
}

/** A large file in parts. It goes on where an earlier page stopped, if the store still has what that page sent. */
export class Large {
  /** @param {ReturnType<typeof asking>} ask @param {string} base @param {File} file @param {string} path
   * @param {(sent: number) => void} progress @param {AbortSignal} signal */
  constructor(ask, base, file, path, progress, signal) {
    this.ask = ask;
    this.file = file;
    this.signal = signal;
    this.memory = memoryKey(base, path, file);
    /** @type {Map<number, number>} bytes of each part that are there */
    this.sent = new Map();
    this.group = FIRST_GROUP;
    this.tell = () => progress([...this.sent.values()].reduce((sum, one) => sum + one, 0));
    this.begin = { files: [{ name: file.name, size: file.size, path }] };
    this.base = base;
  }

  async send() {
    const promised = (await this.earlier()) ?? (await this.first());
    localStorage.setItem(this.memory, promised.id);
    try {
      for (let round = 0; ; round++) {
        await this.parts(promised);
        const [{ error }] = await complete(this.ask, [promised.id], this.signal);
        if (!error) break;
        if (error.code !== "upload_incomplete" || round) throw new Refused(error.detail);
        await this.earlier();
      }
      localStorage.removeItem(this.memory);
    } catch (error) {
      if (error instanceof Broken) throw error;
      localStorage.removeItem(this.memory);
      await this.ask("DELETE", `/drive/uploads/${promised.id}`).catch(() => {});
      throw error;
    }
  }

  /** @returns {Promise<Promised>} */
  async first() {
    const { uploads } = await this.ask("POST", `${this.base}/uploads`, this.begin);
    if (uploads[0].error) throw new Refused(uploads[0].error.detail);
    return uploads[0];
  }

  /** What an earlier page sent of this very file. @returns {Promise<Promised | null>} */
  async earlier() {
    const id = localStorage.getItem(this.memory);
    if (!id) return null;
    try {
      const found = await this.ask("GET", `/drive/uploads/${id}`);
      this.sent.clear();
      for (const { n, digest: there } of found.arrived) {
        stopIfCancelled(this.signal);
        const blob = this.piece(n, found.part_bytes);
        if (there !== (await digest(blob))) throw new Refused("changed");
        this.sent.set(n, blob.size);
      }
      this.tell();
      return found;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      localStorage.removeItem(this.memory);
      await this.ask("DELETE", `/drive/uploads/${id}`).catch(() => {});
      this.sent.clear();
      return null;
    }
  }

  /** @param {number} n @param {number} bytes */
  piece(n, bytes) {
    return this.file.slice((n - 1) * bytes, n * bytes);
  }

  /** @param {Promised} promised */
  async parts(promised) {
    const left = Array.from({ length: promised.parts }, (_, n) => n + 1).filter((n) => !this.sent.has(n));
    let wishes = this.digests(promised, left.splice(0, this.group));
    while ((await wishes).length) {
      stopIfCancelled(this.signal);
      const began = performance.now();
      const now = await wishes;
      // While these are on their way, the next ones are digested.
      wishes = this.digests(promised, left.splice(0, this.group));
      wishes.catch(() => {});
      await this.some(promised, now);
      const took = performance.now() - began;
      if (took < QUICK_MS) this.group = Math.min(2 * this.group, LARGEST_GROUP);
      else if (took > SLOW_MS) this.group = Math.max(2, this.group >> 1);
    }
  }

  /** @param {Promised} promised @param {number[]} numbers */
  digests(promised, numbers) {
    return Promise.all(
      numbers.map(async (n) => ({ n, digest: await digest(this.piece(n, promised.part_bytes)) })),
    );
  }

  /** One question for several parts, which then go side by side. @param {Promised} promised
   * @param {{n: number, digest: string}[]} wishes */
  async some(promised, wishes) {
    const path = `/drive/uploads/${promised.id}/parts`;
    const calls = (await patiently(() => this.ask("POST", path, { parts: wishes }), this.signal)).parts;
    const queue = [...wishes.keys()];
    await sideBySide(async () => {
      const at = queue.shift();
      if (at === undefined) return false;
      const { n } = wishes[at];
      const allow = async (/** @type {boolean} */ fresh) =>
        fresh ? (await this.ask("POST", path, { parts: [wishes[at]] })).parts[0] : calls[at];
      const told = (/** @type {number} */ sent) => (this.sent.set(n, sent), this.tell());
      await deliver(allow, this.piece(n, promised.part_bytes), told, this.signal);
      return true;
    });
  }

}

const PREFIX = "upload:";

/** @param {string} base @param {string} path @param {File} file */
function memoryKey(base, path, file) {
  return PREFIX + JSON.stringify([base, path, file.name, file.size, file.lastModified]);
}

/** Uploads into this folder that a closed page left behind. @param {string} base
 * @returns {{key: string, id: string, name: string, size: number}[]} */
export function interrupted(base) {
  return Object.entries(localStorage).flatMap(([key, id]) => {
    if (!key.startsWith(PREFIX)) return [];
    const [where, , name, size] = JSON.parse(key.slice(PREFIX.length));
    return where === base ? [{ key, id, name, size }] : [];
  });
}
