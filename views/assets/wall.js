// @ts-check
// The page of a wall, made live. Events wait in one place, by the card that they
// are, and reach the page at most once a frame.

import { connect } from "./connection.js";
import { isID, parse } from "./fragment.js";
import { busy, reading, steady, unattended } from "./reader.js";
import { dress, startClock } from "./clock.js";

/** @param {string} id @returns {HTMLElement} */
const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const words = JSON.parse($("texts").textContent ?? "{}");
const { head = "", build = "", events = "" } = document.body.dataset;

/** @type {Record<string, HTMLElement>} */
const slots = { timeline: $("feed"), bar: $("bar"), banner: $("banner"), ticker: $("ticker").querySelector(".strip") ?? $("ticker") };
/** @type {Record<string, number>} how many cards a slot keeps: 200 in all */
const room = { timeline: 180, bar: 6, banner: 3, ticker: 11 };

/** @typedef {{id: string, kind: string, key: string, slot: string, html: string}} Entry */
/** @type {Map<string, Entry>} what has arrived and is not on the page yet */
const waiting = new Map();
/** @type {Map<string, HTMLElement>} what is on the page */
const shown = new Map();

let paused = false;
let scheduled = false;
/** @type {number[]} */
let arrivals = [];
let unsaid = 0;
let said = 0;
/** @type {{target: number, epoch: string, count: number} | null} */
let away = null;
let everLive = false;

// -- cards ------------------------------------------------------------------

/** @param {string} id */
const seq = (id) => Number(id.slice(id.indexOf("-") + 1));
/** @param {string} id */
const epoch = (id) => id.slice(0, id.indexOf("-"));

/**
 * What tells whether two events are one card.
 * @param {{id?: string, kind?: string, key?: string, slot?: string}} c
 */
const place = ({ id, kind, key, slot }) => (key || slot === "bar" || slot === "banner" ? `${kind}.${key ?? ""}` : `#${id}`);

/** @param {string} html @param {string} name */
function attribute(html, name) {
  const tag = html.slice(0, html.indexOf(">"));
  return new RegExp(` data-${name}="([a-z0-9-]*)"`).exec(tag)?.[1] ?? "";
}

/** @param {{id: string, kind: string, data: string}} frame */
function receive({ id, kind, data }) {
  const slot = attribute(data, "slot");
  if (!isID(id) || !slots[slot] || document.getElementById("e-" + id)) return;
  const entry = { id, kind, key: attribute(data, "key"), slot, html: data };
  const at = place(entry);
  waiting.set(at, entry);
  if (waiting.size > 400) forgo();
  arrivals.push(performance.now());
  if (arrivals.length > 21) arrivals.shift();
  if (away) away.count++;
  unsaid++;
  schedule();
}

/**
 * Drops the oldest that the page would have no room for anyway. A newest version
 * that only its key holds goes last.
 */
function forgo() {
  let oldest = "";
  for (const [at, entry] of waiting) {
    oldest ||= at;
    if (entry.slot === "timeline" && !entry.key) return waiting.delete(at);
  }
  return waiting.delete(oldest);
}

/** @param {string} id */
function retract(id) {
  if (!isID(id)) return;
  for (const [at, entry] of waiting) if (entry.id === id) waiting.delete(at);
  const card = document.getElementById("e-" + id);
  if (card) steady(slots.timeline, () => remove(card));
  schedule();
}

/** @param {HTMLElement} card */
function remove(card) {
  const at = place(card.dataset);
  if (shown.get(at) === card) shown.delete(at);
  card.remove();
}

// -- onto the page ----------------------------------------------------------

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    flush(false);
  });
}

/** @param {boolean} asked the reader wants to see what waits */
function flush(asked) {
  if (paused) return;
  const start = performance.now();
  const hold = !asked && reading(slots.timeline);
  const calm = waiting.size <= 3 && !document.hidden && !(arrivals.length > 20 && start - arrivals[0] < 1000);
  let held = 0;
  steady(slots.timeline, () => {
    for (const [at, entry] of waiting) {
      const old = shown.get(at);
      if (old ? !asked && busy(old) : hold && entry.slot === "timeline") {
        held += old ? 0 : 1;
      } else if (!asked && performance.now() - start > 4) {
        schedule();
        break;
      } else {
        waiting.delete(at);
        put(at, entry, old, calm && !hold);
      }
    }
    for (const slot in room) trim(slots[slot], room[slot]);
  });
  number();
  const button = $("fresh");
  button.hidden = !held;
  if (held) button.textContent = words.fresh.replace("{n}", String(held));
  settle();
}

/**
 * @param {string} at
 * @param {Entry} entry
 * @param {HTMLElement | undefined} old the card that this is a newer version of
 * @param {boolean} calm whether there is time for movement
 */
function put(at, entry, old, calm) {
  const card = parse(entry.html);
  if (!card || card.dataset.id !== entry.id) return;
  const was = old?.dataset.id ?? "";
  if (old && epoch(was) === epoch(entry.id) && seq(was) > seq(entry.id)) return;
  if (Number(card.dataset.expires) <= Date.now()) return void (old && remove(old));
  dress(card);
  shown.set(at, card);
  const slot = slots[entry.slot];
  if (old && old.parentElement === slot) {
    if (old.querySelector(".recent[open]")) card.querySelector(".recent")?.setAttribute("open", "");
    old.replaceWith(card);
    if (calm) card.classList.add("changed");
    return;
  }
  old?.remove();
  slot.insertBefore(card, successor(slot, entry.id));
  if (calm) arrive(slot, card);
}

/**
 * The first thing in slot that is older than id. What is replayed after a gap
 * can be older than what is shown.
 * @param {HTMLElement} slot
 * @param {string} id
 */
function successor(slot, id) {
  for (const child of slot.children) {
    const other = child instanceof HTMLElement ? child.dataset.id : "";
    if (!other || epoch(other) !== epoch(id) || seq(other) < seq(id)) return child;
  }
  return null;
}

/** @param {HTMLElement} slot @param {HTMLElement} card */
function arrive(slot, card) {
  card.classList.add("fresh");
  if (slot === slots.timeline && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    slot.animate([{ translate: `0 ${-card.offsetHeight}px` }, { translate: "0 0" }], { duration: 200, easing: "ease-out" });
  }
}

/** @param {HTMLElement} slot @param {number} most */
function trim(slot, most) {
  for (let n = slot.childElementCount - most; n > 0; n--) {
    const last = slot.lastElementChild;
    if (!(last instanceof HTMLElement) || busy(last)) return;
    remove(last);
  }
}

/** Says which article of how many each is, and whether headlines need to name their kind. */
function number() {
  let n = 0;
  for (const card of slots.timeline.querySelectorAll(":scope > .card")) {
    const position = String(++n);
    if (card.getAttribute("aria-posinset") === position) continue;
    card.setAttribute("aria-posinset", position);
    card.setAttribute("aria-setsize", "-1");
  }
  $("empty").hidden = n > 0;
  const kinds = new Set(Array.from(slots.ticker.children, (card) => card.getAttribute("data-kind")));
  $("ticker").toggleAttribute("data-mixed", kinds.size > 1);
}

// -- the state --------------------------------------------------------------

let settled = 0;
let viewers = 0;

/** @param {string} state @param {string} text */
function show(state, text) {
  clearTimeout(settled);
  const el = $("state");
  el.dataset.state = state;
  if (el.textContent !== text) el.textContent = text;
}

function showLive() {
  if (paused) return;
  show("live", words.live + (viewers > 1 ? " · " + words.watching.replace("{n}", String(viewers)) : ""));
}

/** The state that the connection is in; Pause stands before it. */
let current = () => show("connecting", words.connecting);

/** @param {(() => void)} next */
function now(next) {
  current = next;
  if (!paused) current();
}

/** Ends the catching up once the stream has come to where it was when it opened. */
function settle() {
  if (!away || waiting.size > 0 && !reading(slots.timeline)) return;
  const { count, target } = away;
  if (target > 0) return;
  away = null;
  if (!count) return now(showLive);
  now(() => show("caught", words.away.replace("{n}", String(count))));
  settled = window.setTimeout(() => now(showLive), 8000);
}

/** @param {string} text at most every 15 s */
function say(text) {
  said = Date.now();
  $("say").textContent = text;
}

setInterval(() => {
  if (paused || !unsaid || Date.now() - said < 15_000) return;
  say(words.announce.replace("{n}", String(unsaid)));
  unsaid = 0;
}, 1000);

// -- the stream -------------------------------------------------------------

const clock = startClock(document, words, (card) => {
  steady(slots.timeline, () => remove(card));
  schedule();
});
for (const card of document.querySelectorAll(".card")) {
  if (card instanceof HTMLElement) shown.set(place(card.dataset), card);
}
number();

const stream = connect(events, head, {
  event: receive,
  retract,
  hello(hello) {
    if (unattended) renew(hello.build);
    const to = String(hello.head ?? "");
    away = everLive && isID(to) ? { target: seq(to), epoch: epoch(to), count: 0 } : null;
    everLive = true;
    if (!away) now(showLive);
  },
  heard(id) {
    if (away && (epoch(id) !== away.epoch || seq(id) >= away.target)) {
      away.target = 0;
      schedule();
    }
  },
  gap({ first = "" }) {
    steady(slots.timeline, () => forget(first));
    schedule();
  },
  ping(ping) {
    clock.set(ping.time);
    viewers = Number(ping.viewers) || 0;
    if ($("state").dataset.state === "live") showLive();
  },
  state(state, since) {
    if (state === "live") return;
    now(() => show(state, (words[state] ?? state).replace("{time}", clock.time(since))));
    if (state === "offline") say($("state").textContent ?? "");
  },
});

/**
 * Takes away what the wall no longer holds, since nobody would tell us of a
 * retraction there, and marks the place.
 * @param {string} first the oldest id that is held
 */
function forget(first) {
  const stale = (/** @type {string} */ id, /** @type {string} */ key) =>
    epoch(id) !== epoch(first) || (!key && seq(id) < seq(first));
  for (const [at, entry] of waiting) if (stale(entry.id, entry.key)) waiting.delete(at);
  for (const card of document.querySelectorAll(".card")) {
    if (card instanceof HTMLElement && stale(card.dataset.id ?? "", card.dataset.key ?? "")) remove(card);
  }
  for (const old of slots.timeline.querySelectorAll(".gap")) old.remove();
  const divider = document.createElement("p");
  divider.className = "gap";
  divider.textContent = words.gap;
  slots.timeline.insertBefore(divider, first ? successor(slots.timeline, first) : null);
}

/**
 * A screen that nobody watches over takes up a new build by itself, once for
 * each: two processes of different builds must not make it reload for ever.
 * @param {string | undefined} served
 */
function renew(served) {
  if (!served || served === build || history.state?.build === served) return;
  history.replaceState({ build: served }, "");
  setTimeout(() => location.reload(), Math.random() * 2000);
}

// -- what the reader does ---------------------------------------------------

const pause = $("pause");
pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  document.documentElement.toggleAttribute("data-paused", paused);
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? words.resume : words.pause;
  clock.hold(paused);
  if (paused) {
    $("fresh").hidden = true;
    show("paused", words.paused);
  } else {
    current();
    schedule();
  }
});

$("fresh").addEventListener("click", () => {
  slots.timeline.focus({ preventScroll: true });
  flush(true);
  $("banner").scrollIntoView({ behavior: "instant", block: "end" });
  if (slots.timeline.getBoundingClientRect().top < 0) slots.timeline.scrollIntoView({ behavior: "instant" });
});

slots.timeline.addEventListener("keydown", (e) => {
  const by = { PageDown: 1, PageUp: -1 }[e.key];
  if (!by || !(e.target instanceof Element)) return;
  const cards = [...slots.timeline.querySelectorAll(".card")];
  const next = cards[cards.indexOf(/** @type {Element} */ (e.target.closest(".card"))) + by];
  if (!(next instanceof HTMLElement)) return;
  e.preventDefault();
  next.focus();
});

const release = () => {
  if (waiting.size) schedule();
};
addEventListener("scroll", release, { passive: true });
document.addEventListener("selectionchange", release);
slots.timeline.addEventListener("focusout", release);

// A picture that can't be had leaves no broken frame: its place looks as without one.
addEventListener("error", ({ target }) => target instanceof HTMLImageElement && target.remove(), true);
for (const picture of [...document.images]) if (picture.complete && !picture.naturalWidth) picture.remove();

addEventListener("pagehide", stream.close);
addEventListener("pageshow", (e) => {
  if (e.persisted) stream.open();
});
addEventListener("online", stream.check);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  stream.check();
  awake();
  release();
});

/** Keeps a television's screen on, where the browser can. */
function awake() {
  if (unattended) navigator.wakeLock?.request("screen").catch(() => {});
}
awake();
