// Elements are built from data here, and only here: text becomes text nodes and never markup.

const FORBIDDEN = /^(on|style$|srcdoc$|innerhtml$|outerhtml$)/i;
const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** An absolute http, https or mailto address, or null for anything else. */
export function safeUrl(address) {
  if (typeof address !== "string") return null;
  try {
    const url = new URL(address.trim());
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function setProperty(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "class") element.className = value;
  else if (name === "text") element.append(String(value));
  else if (name === "data") Object.assign(element.dataset, definedOnly(value));
  else if (name === "on")
    for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
  else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
  else if (FORBIDDEN.test(name)) throw new TypeError(`attribute ${name} is not allowed`);
  else if (name === "href" && !value.startsWith("#") && !value.startsWith("?") && !safeUrl(value))
    throw new TypeError("address is not allowed");
  else element.setAttribute(name, value === true ? "" : String(value));
}

function definedOnly(record) {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== null && value !== undefined),
  );
}

/** A new element: properties `class`, `text`, `data`, `on` and plain attributes; children are nodes or text. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) setProperty(element, name, value);
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export function fragment(...children) {
  const node = document.createDocumentFragment();
  node.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** A link that leaves the page, or the bare label when the address is not one we follow. */
export function link(address, label, properties = {}) {
  const href = safeUrl(address);
  if (!href) return h("span", { class: "refused-link", title: "This address is not opened" }, label);
  return h("a", { ...properties, href, target: "_blank", rel: "noopener noreferrer" }, label);
}

export const $ = (id) => document.getElementById(id);

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])";

export function focusables(root) {
  return [...root.querySelectorAll(FOCUSABLE)].filter(
    (element) => !element.disabled && element.tabIndex >= 0 && element.checkVisibility(),
  );
}

function focusKeys(element) {
  const { actionId, option, test } = element.dataset;
  const block = element.closest("[data-block-id]")?.dataset.blockId;
  const row = element.closest("[data-ts]")?.dataset.ts;
  return { actionId, option, block, row, test, isRow: element.dataset.ts !== undefined };
}

function findByKeys(whole, keys) {
  const root = keys.row ? whole.querySelector(`[data-ts="${CSS.escape(keys.row)}"]`) : whole;
  if (!root || keys.isRow) return root;
  const same = (element) =>
    element.dataset.actionId === keys.actionId && element.dataset.option === keys.option;
  const candidates = keys.actionId
    ? [...root.querySelectorAll("[data-action-id]")].filter(same)
    : [...root.querySelectorAll("[data-test]")].filter(
        (element) => keys.test && element.dataset.test === keys.test,
      );
  return (
    candidates.find((element) => element.closest("[data-block-id]")?.dataset.blockId === keys.block) ??
    candidates[0]
  );
}

/** Run a change of `root`'s content; focus and caret come back to the control that had them, or else to `fallback()`. */
export function keepFocus(root, change, fallback) {
  const active = document.activeElement;
  if (!active || active === document.body || !root().contains(active)) {
    change();
    return;
  }
  const keys = focusKeys(active);
  const caret =
    "selectionStart" in active && active.tagName !== "BUTTON"
      ? [active.selectionStart, active.selectionEnd]
      : null;
  change();
  if (document.activeElement === active) return;
  const found = (active.isConnected ? active : findByKeys(root(), keys)) ?? fallback?.() ?? root();
  found.focus({ preventScroll: true });
  if (caret && caret[0] !== null && "setSelectionRange" in found) found.setSelectionRange(...caret);
}
