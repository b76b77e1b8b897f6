// The way of files to the store: the workspace promises room and allows each call, the bytes go straight to the store.
// Every part carries its digest, which the store checks. What was lost is asked for anew and sent again.

const AT_ONCE = 4;
const PART = 8 * 1024 * 1024;
const MOST_PARTS = 8192;
const FIRST_GROUP = 8;
const LARGEST_GROUP = 32;
// A call is good for a minute from when it was signed.
const STALE_MS = 45000;
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
/** @typedef {Call & {n: number}} PartCall */
/** @typedef {{id: string, size: number, part_bytes: number, parts: number, call?: Call | null,
 * calls?: PartCall[]}} Promised */
/** @typedef {{n: number, digest: string}} Wish */
/** @typedef {{wish: Wish, call: Call, asked: number}} Piece a part that may be sent, and since when */

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
    this.begin = { name: file.name, size: file.size, path };
    this.base = base;
    /** @type {Piece[]} parts that may be sent at once */
    this.ready = [];
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

  /** Room for the file, and in the same answer the calls for its first parts. @returns {Promise<Promised>} */
  async first() {
    // A larger file is cut into larger parts: how large, the workspace says first.
    const count = this.file.size > PART * MOST_PARTS ? 0 : Math.ceil(this.file.size / PART);
    const wishes = await this.digests(PART, Array.from({ length: Math.min(count, FIRST_GROUP) }, (_, n) => n + 1));
    const asked = performance.now();
    const file = { ...this.begin, part_bytes: PART, digests: wishes.map((wish) => wish.digest) };
    const [promised] = (await this.ask("POST", `${this.base}/uploads`, { files: [file] })).uploads;
    if (promised.error) throw new Refused(promised.error.detail);
    this.ready = this.pieces(wishes, promised.calls ?? [], asked);
    return promised;
  }

  /** @param {Wish[]} wishes @param {PartCall[]} calls @param {number} asked @returns {Piece[]} */
  pieces(wishes, calls, asked) {
    return calls.map((call) => ({ wish: wishes[wishes.findIndex(({ n }) => n === call.n)], call, asked }));
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

  /** Send what is not there yet, side by side. The next parts are digested and asked for while the last ones go.
   * @param {Promised} promised */
  async parts(promised) {
    const queue = this.ready.splice(0);
    const left = Array.from({ length: promised.parts }, (_, n) => n + 1).filter(
      (n) => !this.sent.has(n) && !queue.some(({ wish }) => wish.n === n),
    );
    let began = performance.now();
    /** @type {Promise<void> | null} */
    let coming = null;
    const more = async () => {
      queue.push(...(await this.allowed(promised, left.splice(0, this.group))));
      coming = null;
    };
    const next = async () => {
      if (!coming && left.length && queue.length < AT_ONCE) {
        began = this.pace(began);
        coming = more();
        coming.catch(() => {});
      }
      while (!queue.length && coming) await coming;
      return queue.shift();
    };
    await sideBySide(async () => {
      stopIfCancelled(this.signal);
      const piece = await next();
      if (piece) await this.deliver(promised, piece);
      return !!piece;
    });
  }

  /** The next group is larger where the last one went quickly, smaller where it did not. @param {number} began */
  pace(began) {
    const now = performance.now();
    if (this.sent.size && now - began < QUICK_MS) this.group = Math.min(2 * this.group, LARGEST_GROUP);
    else if (now - began > SLOW_MS) this.group = Math.max(2, this.group >> 1);
    return now;
  }

  /** @param {number} bytes @param {number[]} numbers */
  digests(bytes, numbers) {
    return Promise.all(numbers.map(async (n) => ({ n, digest: await digest(this.piece(n, bytes)) })));
  }

  /** One question for several parts. @param {Promised} promised @param {number[]} numbers */
  async allowed(promised, numbers) {
    const parts = await this.digests(promised.part_bytes, numbers);
    stopIfCancelled(this.signal);
    const asked = performance.now();
    return this.pieces(parts, await patiently(() => this.calls(promised, parts), this.signal), asked);
  }

  /** @param {Promised} promised @param {Wish[]} parts @returns {Promise<PartCall[]>} */
  async calls(promised, parts) {
    return (await this.ask("POST", `/drive/uploads/${promised.id}/parts`, { parts })).parts;
  }

  /** @param {Promised} promised @param {Piece} piece */
  async deliver(promised, { wish, call, asked }) {
    const allow = async (/** @type {boolean} */ fresh) =>
      fresh || performance.now() - asked > STALE_MS ? (await this.calls(promised, [wish]))[0] : call;
    const told = (/** @type {number} */ sent) => (this.sent.set(wish.n, sent), this.tell());
    await deliver(allow, this.piece(wish.n, promised.part_bytes), told, this.signal);
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
