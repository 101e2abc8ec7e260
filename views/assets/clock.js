// @ts-check
// What changes by itself: how long ago a card came, how far a song is, cards
// that expire, and the headlines taking turns.

// The wall's language, as it is written where the reader is.
const own = document.documentElement.lang || "en";
const lang = navigator.languages.find((l) => l.split("-")[0] === own) ?? own;
const minutes = new Intl.NumberFormat(lang, { style: "unit", unit: "minute", unitDisplay: "short" });
const clockTime = new Intl.DateTimeFormat(lang, { hour: "numeric", minute: "2-digit" });
const shortDate = new Intl.DateTimeFormat(lang, { day: "numeric", month: "short" });
const oldDate = new Intl.DateTimeFormat(lang, { day: "numeric", month: "short", year: "numeric" });
const longDate = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(lang, { dateStyle: "full", timeStyle: "medium" });

let skew = 0; // the server's clock minus ours
let now = "";

/** @param {number} then @param {number} at */
function ago(then, at) {
  const passed = (at - then) / 60_000;
  if (passed >= -1 && passed < 1) return now;
  if (passed >= 0 && passed < 60) return minutes.format(Math.floor(passed));
  const date = new Date(then);
  const today = new Date(at);
  if (date.toDateString() === today.toDateString()) return clockTime.format(date);
  return (date.getFullYear() === today.getFullYear() ? shortDate : oldDate).format(date);
}

/** @param {Node} node @param {string} text */
const write = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

/**
 * Puts the times and the progress of what is under root into the reader's terms.
 * @param {ParentNode} root
 */
export function dress(root) {
  const at = Date.now() + skew;
  for (const el of root.querySelectorAll("time[datetime]")) {
    const then = Date.parse(/** @type {HTMLTimeElement} */ (el).dateTime);
    if (el.id === "date") write(el, longDate.format(at));
    else if (!Number.isNaN(then)) {
      write(el, ago(then, at));
      if (!el.hasAttribute("title")) el.setAttribute("title", full.format(then));
    }
  }
  progress(root, at);
}

/** @param {number} seconds */
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** @param {ParentNode} root @param {number} at */
function progress(root, at) {
  for (const el of root.querySelectorAll("progress")) {
    el.value = Math.max(0, Math.min(el.max, (at - Number(el.dataset.started)) / 1000));
    const played = el.nextElementSibling;
    if (played) write(played, `${clock(el.value)} / ${clock(el.max)}`);
  }
}

/** @param {HTMLElement} strip */
function turn(strip) {
  if (strip.scrollWidth <= strip.clientWidth || strip.matches(":hover, :focus-within")) return;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const step = strip.firstElementChild?.clientWidth ?? 0;
  const rest = strip.scrollWidth - strip.clientWidth - Math.abs(strip.scrollLeft);
  const forward = document.documentElement.dir === "rtl" ? -step : step;
  if (rest < 2) strip.scrollTo({ left: 0, behavior: "smooth" });
  else strip.scrollBy({ left: forward, behavior: "smooth" });
}

/**
 * @param {Document} page
 * @param {{now: string}} words
 * @param {(card: HTMLElement) => void} expire
 */
export function startClock(page, words, expire) {
  now = words.now;
  let held = false;
  let ticks = 0;
  setInterval(() => {
    if (held) return;
    const at = Date.now() + skew;
    for (const card of page.querySelectorAll(".card[data-expires]")) {
      if (card instanceof HTMLElement && Number(card.dataset.expires) <= at) expire(card);
    }
    if (page.hidden) return;
    progress(page, at);
    if (++ticks % 5 === 0) dress(page);
    if (ticks % 8 === 0) for (const strip of page.querySelectorAll(".strip")) if (strip instanceof HTMLElement) turn(strip);
  }, 1000);
  dress(page);
  return {
    /** @param {boolean} hold */
    hold(hold) {
      held = hold;
      if (!hold) dress(page);
    },
    /** @param {number | undefined} server its time in milliseconds, just now */
    set(server) {
      if (typeof server === "number" && Number.isFinite(server)) skew = server - Date.now();
    },
    /** @param {number} at our own time */
    time: (at) => clockTime.format(at),
  };
}
