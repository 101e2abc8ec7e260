// @ts-check
// The wall without a stream, for networks that hold back an answer until it
// ends: one answer after another, each awaited until there is news.

/**
 * @typedef {{id: string, kind: string, data: any, html?: string}} Item html: none where the card can't be rendered
 * @typedef {{events: Item[], next: string, gap?: {from?: string, first?: string, reason?: string}}} Reply
 */

const pause = 500; // between two questions, also on a wall that never rests

/**
 * Asks until signal ends it.
 * @param {() => URL} address what to ask for next
 * @param {(reply: Reply) => void} take
 * @param {(wait: number) => number} miss there was no answer, but perhaps a wish
 * to be left alone for so long; returns when to ask again
 * @param {AbortSignal} signal
 */
export async function poll(address, take, miss, signal) {
  while (!signal.aborted) {
    /** @type {Reply | null} */
    let reply = null;
    let wait = 0;
    try {
      const answer = await fetch(address(), { headers: { Accept: "application/json" }, cache: "no-store", signal });
      wait = Number(answer.headers.get("Retry-After")) * 1000 || 0;
      if (answer.ok) reply = await answer.json();
    } catch {
      // No answer, or a page of whoever stands between: the same to us.
    }
    if (signal.aborted) return;
    if (reply && Array.isArray(reply.events) && typeof reply.next === "string") {
      take(reply);
      wait = pause;
    } else {
      wait = miss(wait);
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}
