// @ts-check
// The stream of a wall, kept open whatever lies between. The browser's own
// EventSource does the work; this does what it leaves out: it listens for kinds
// by name, notices silence, comes back after an answer that ends it, and polls
// where streams do not get through.

import { poll } from "./poll.js";

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
const answer = 12_000; // no hello for this long after asking: the same; twice this is not called offline yet
const later = 180_000; // between two tries to get a stream through while we poll
const longest = 5_000; // between two attempts
const late = 2_000; // a shorter break is nobody's business
const long = 30_000; // a longer one is called offline
const name = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * Opens the stream at address after the id last. close() lets go of it, open()
 * goes on after the last id that was heard, check() renews a dead connection.
 * @param {string} events the address
 * @param {string} last
 * @param {Listener} on
 */
export function connect(events, last, on) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {Set<string>} */
  const kinds = new Set();
  let heard = 0;
  let opened = false;
  let greeted = false;
  let mute = 0; // streams in a row that were let in, or left hanging, and said nothing
  let began = ""; // the id that the stream was asked to go on after
  /** @type {AbortController | null} */
  let polling = null;
  let asked = 0; // when the poll that is out was sent
  let due = 0; // when a stream is tried again
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
      mute = 0;
      // The poll has come further than where this stream begins.
      if (polling && last !== began) return open();
      polling?.abort();
      polling = null;
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
      mute = 0;
      full = bye.reason === "full";
      const wait = Number(bye.retry) >= 0 ? Number(bye.retry) : 2000;
      reopen(jitter(wait));
    },
  };

  const address = () => {
    const url = new URL(events, location.href);
    url.searchParams.set("as", "html");
    if (last) url.searchParams.set("lastEventId", last);
    return url;
  };

  /** Opens a stream, beside the poll if there is one. */
  const attach = () => {
    heard = Date.now();
    opened = greeted = false;
    began = last;
    const es = (source = new EventSource(address()));
    es.onmessage = event;
    for (const kind of kinds) es.addEventListener(kind, event);
    for (const kind in ours) es.addEventListener(kind, ours[kind]);
    es.onopen = () => {
      opened = true;
    };
    es.onerror = () => {
      if (es !== source || withheld(opened && !greeted)) return;
      lose();
      // The browser asks again by itself; the next answer is awaited from now on.
      opened = greeted = false;
      heard = Date.now();
      // Anything but an event stream ends an EventSource for good.
      if (es.readyState === EventSource.CLOSED) retry();
    };
  };

  /**
   * Whether a stream that ended is to be left to the poll.
   * @param {boolean} silent nothing refused it, and nothing came
   */
  const withheld = (silent) => {
    mute = silent && navigator.onLine ? mute + 1 : 0;
    due = Date.now() + later;
    if (polling) detach();
    else if (mute >= 2) fall();
    else return false;
    return true;
  };

  /** Polls from here on, or anew. */
  const fall = () => {
    close();
    lose();
    polling = new AbortController();
    poll(ask, take, miss, polling.signal);
  };

  const ask = () => {
    asked = Date.now();
    const url = address();
    // The first answer only says that polls get through.
    if (!lost) url.searchParams.set("wait", "25s");
    return url;
  };

  /** @param {import("./poll.js").Reply} reply */
  const take = ({ events, next, gap }) => {
    attempts = lost = 0;
    full = false;
    last = next;
    if (told !== "live") {
      tell("live");
      on.ping({}); // nobody counts for us
      on.hello({ head: next });
    }
    if (gap) on.gap(gap);
    for (const { id, kind, data, html } of events) {
      if (kind === "wall:retract") on.retract(String(data?.id));
      else on.event({ id, kind, data: html ?? "" });
    }
    on.heard(last);
    asked = 0;
  };

  /** @param {number} wait */
  const miss = (wait) => {
    asked = 0;
    lose();
    wait = Math.max(spread(), jitter(wait));
    // Perhaps the poll is what does not get through now.
    due = Math.min(due, Date.now() + wait);
    return wait;
  };

  const open = () => {
    close();
    lost ||= Date.now();
    attach();
  };

  const detach = () => {
    source?.close();
    source = null;
  };

  const close = () => {
    clearTimeout(again);
    again = 0;
    polling?.abort();
    polling = null;
    detach();
  };

  /** @param {number} wait */
  const reopen = (wait) => {
    close();
    lose();
    again = window.setTimeout(open, wait);
  };

  // An outage is over for everybody at once: the waits are spread over their
  // whole length, and stay short, for an attempt costs next to nothing.
  const spread = () => Math.min(longest, 500 * 2 ** attempts++) * (0.2 + 0.8 * Math.random());
  const retry = () => reopen(spread());

  /** @param {number} wait what the server wishes */
  const jitter = (wait) => Math.min(wait, 300_000) * (1 + Math.random() / 4);

  const dead = () => source && Date.now() - heard > (greeted ? silence : answer);

  const check = () => {
    if (polling) {
      if (lost) fall();
      if (!source) attach();
    } else if ((again && !full) || dead()) open();
  };

  setInterval(() => {
    look();
    if (dead() && !withheld(!greeted)) retry();
    if (!polling) return;
    if (asked && Date.now() - asked > silence) fall();
    if (!source && Date.now() >= due) attach();
  }, 1000);

  tell("connecting");
  open();
  return {
    open,
    close,
    check,
  };
}
