// @ts-check
// The stream of a wall, kept open whatever lies between. The browser's own
// EventSource does the work; this does what it leaves out: it listens for kinds
// by name, notices silence, and comes back after an answer that ends it.

/**
 * @typedef {{id: string, kind: string, data: string}} Frame an event of the wall
 * @typedef {"connecting"|"live"|"reconnecting"|"offline"|"full"} State
 * @typedef {object} Listener
 * @property {(frame: Frame) => void} event
 * @property {(hello: {build?: string, head?: string}) => void} hello
 * @property {(id: string) => void} retract
 * @property {(gap: {from?: string, first?: string, reason?: string}) => void} gap
 * @property {(ping: {time?: number, viewers?: number}) => void} ping
 * @property {(id: string) => void} heard the stream has come as far as this id
 * @property {(state: State, since: number) => void} state
 */

const silence = 45_000; // no ping for this long: the connection is dead
const answer = 15_000; // no hello for this long after asking: the same
const longest = 5_000; // between two attempts
const late = 2_000; // a shorter break is nobody's business
const long = 30_000; // a longer one is called offline
const name = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * Opens the stream at address after the id last. close() lets go of it, open()
 * goes on after the last id that was heard, check() renews a dead connection.
 * @param {string} address
 * @param {string} last
 * @param {Listener} on
 */
export function connect(address, last, on) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {Set<string>} */
  const kinds = new Set();
  let heard = 0;
  let greeted = false;
  let attempts = 0;
  let lost = 0;
  let full = false;
  /** @type {State | ""} */
  let told = "";
  let again = 0;

  /** @param {MessageEvent} e */
  const hear = (e) => {
    heard = Date.now();
    if (e.lastEventId) last = e.lastEventId;
  };

  /** @param {MessageEvent} e @returns {Record<string, any>} */
  const read = (e) => {
    hear(e);
    try {
      return Object(JSON.parse(e.data));
    } catch {
      return {};
    }
  };

  /** @param {State} state */
  const tell = (state) => {
    if (state !== told) on.state((told = state), lost);
  };

  const look = () => {
    if (!lost) return;
    const gone = Date.now() - lost;
    if (full) tell("full");
    else if (gone >= long || (gone >= late && !navigator.onLine)) tell("offline");
    else if (gone >= late) tell("reconnecting");
  };

  const lose = () => {
    if (!lost) setTimeout(look, late + 20);
    lost ||= Date.now();
    look();
  };

  /** @param {unknown} kind */
  const listen = (kind) => {
    if (typeof kind !== "string" || kind === "message" || kinds.has(kind) || !name.test(kind)) return;
    kinds.add(kind);
    source?.addEventListener(kind, event);
  };

  /** @param {MessageEvent} e */
  const event = (e) => {
    hear(e);
    on.event({ id: e.lastEventId, kind: e.type, data: e.data });
    on.heard(last);
  };

  /** @type {Record<string, (e: MessageEvent) => void>} */
  const ours = {
    "wall:hello"(e) {
      const hello = read(e);
      if (Array.isArray(hello.kinds)) for (const k of hello.kinds) listen(k?.kind ?? k);
      greeted = true;
      attempts = lost = 0;
      full = false;
      tell("live");
      on.hello(hello);
      on.heard(last);
    },
    "wall:ping"(e) {
      on.ping(read(e));
      on.heard(last);
    },
    "wall:kind"(e) {
      listen(read(e).kind);
    },
    "wall:gap"(e) {
      on.gap(read(e));
    },
    "wall:retract"(e) {
      on.retract(String(read(e).id));
      on.heard(last);
    },
    "wall:bye"(e) {
      const bye = read(e);
      full = bye.reason === "full";
      const wait = Number(bye.retry) >= 0 ? Number(bye.retry) : 2000;
      reopen(Math.min(wait, 300_000) * (1 + Math.random() / 4));
    },
  };

  const open = () => {
    close();
    lost ||= Date.now();
    heard = Date.now();
    greeted = false;
    const url = new URL(address, location.href);
    url.searchParams.set("as", "html");
    if (last) url.searchParams.set("lastEventId", last);
    const es = (source = new EventSource(url));
    es.onmessage = event;
    for (const kind of kinds) es.addEventListener(kind, event);
    for (const kind in ours) es.addEventListener(kind, ours[kind]);
    es.onerror = () => {
      if (es !== source) return;
      lose();
      // The browser asks again by itself; the next answer is awaited from now on.
      greeted = false;
      heard = Date.now();
      // Anything but an event stream ends an EventSource for good.
      if (es.readyState === EventSource.CLOSED) retry();
    };
  };

  const close = () => {
    clearTimeout(again);
    again = 0;
    source?.close();
    source = null;
  };

  /** @param {number} wait */
  const reopen = (wait) => {
    close();
    lose();
    again = window.setTimeout(open, wait);
  };

  // An outage is over for everybody at once: the waits are spread over their
  // whole length, and stay short, for an attempt costs next to nothing.
  const retry = () => reopen(Math.min(longest, 500 * 2 ** attempts++) * (0.2 + 0.8 * Math.random()));

  const dead = () => source && Date.now() - heard > (greeted ? silence : answer);

  const check = () => {
    if ((again && !full) || dead()) open();
  };

  setInterval(() => {
    look();
    if (dead()) retry();
  }, 1000);

  tell("connecting");
  open();
  return {
    open,
    close,
    check,
  };
}
