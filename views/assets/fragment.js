// @ts-check
// A card arrives as markup from our own server. It is still taken apart here:
// what is not on these lists does not reach the page.

const elements = new Set(
  "ARTICLE HEADER FOOTER DIV P SPAN A BDI B CITE TIME H2 DL DT DD DETAILS SUMMARY OL LI PROGRESS IMG".split(" "),
);
const attributes = new Set(
  ("id class dir lang tabindex datetime href rel src alt width height loading decoding max value aria-hidden aria-label " +
    "data-id data-kind data-key data-slot data-expires data-started").split(" "),
);
const id = /^[a-z0-9]{1,32}-[0-9]{1,20}$/;

/** @type {{createHTML(html: string): string}} */
const policy =
  /** @type {any} */ (window).trustedTypes?.createPolicy("wallcast", {
    // What comes out only ever fills a template, whose content is inert, and
    // leaves it through clean.
    createHTML: (/** @type {string} */ html) => html,
  }) ?? { createHTML: (html) => html };

/** @param {string} s */
export const isID = (s) => id.test(s);

/**
 * The card that a fragment of the stream holds, ready for the page.
 * @param {string} html
 * @returns {HTMLElement | null} null when there is none
 */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  const card = template.content.firstElementChild;
  if (!(card instanceof HTMLElement) || !card.matches("article.card") || !isID(card.dataset.id ?? "")) return null;
  if (card.id !== "e-" + card.dataset.id) return null;
  clean(card);
  for (const el of card.querySelectorAll("*")) clean(el);
  return card;
}

/** @param {Element} el */
function clean(el) {
  if (!(el instanceof HTMLElement) || !elements.has(el.tagName)) {
    el.remove();
    return;
  }
  for (const { name, value } of [...el.attributes]) {
    if (!attributes.has(name) || (name === "href" && !/^https?:\/\//i.test(value)) || (name === "src" && !/^\/[^/\\]/.test(value))) {
      el.removeAttribute(name);
    }
  }
  if (el.id && el.tagName !== "ARTICLE") el.removeAttribute("id");
}
