// @ts-check
// Whoever reads keeps their place.

/** A television has nobody in front of it who scrolls or selects. */
export const unattended = document.documentElement.dataset.view === "tv";

/**
 * Whether somebody is reading in the timeline, so that nothing may be inserted.
 * @param {HTMLElement} feed
 */
export function reading(feed) {
  if (unattended) return false;
  if (feed.getBoundingClientRect().top < 0) return true;
  if (document.activeElement !== feed && feed.contains(document.activeElement)) return true;
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && feed.contains(selection.anchorNode);
}

/** Whether this very card is being read. @param {HTMLElement} card */
export function busy(card) {
  const selection = getSelection();
  return card.contains(document.activeElement) || (!!selection && !selection.isCollapsed && card.contains(selection.anchorNode));
}

/**
 * Runs change and keeps the card that is being read where it is.
 * @param {HTMLElement} feed
 * @param {() => void} change
 */
export function steady(feed, change) {
  const box = feed.getBoundingClientRect();
  if (unattended || box.top >= 0) return change();
  const middle = box.left + box.width / 2;
  const card = [8, 60, 140].map((y) => document.elementFromPoint(middle, y)?.closest(".card")).find((c) => c && feed.contains(c));
  const before = card?.getBoundingClientRect().top ?? 0;
  change();
  if (card?.isConnected) scrollBy({ top: card.getBoundingClientRect().top - before, behavior: "instant" });
}
