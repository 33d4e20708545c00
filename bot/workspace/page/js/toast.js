// Short notices at the bottom. One notice per key: a second replaces the first.

import { $, h } from "./dom.js";

const LIFETIME = 8000;

export function toast(text, { key = text, tone = "warning" } = {}) {
  const shelf = $("toasts");
  [...shelf.children].find((node) => node.dataset.key === key)?.remove();
  const close = () => {
    clearTimeout(timer);
    node.remove();
  };
  const node = h(
    "div",
    { class: `toast toast-${tone}`, data: { test: "toast", key } },
    h("span", {}, text),
    h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", on: { click: close } }, "✕"),
  );
  let timer;
  const wait = () => {
    timer = setTimeout(close, LIFETIME);
  };
  for (const held of ["focusin", "mouseenter"]) node.addEventListener(held, () => clearTimeout(timer));
  for (const left of ["focusout", "mouseleave"]) node.addEventListener(left, wait);
  wait();
  shelf.append(node);
  // The top layer, above an open modal.
  if (shelf.matches(":popover-open")) shelf.hidePopover();
  shelf.showPopover();
}

/** Say something to screen readers only. */
export function announce(text) {
  $("announcer").textContent = text;
}

const SENTENCES = {
  ratelimited: "The workspace asks to slow down. Try again in a moment.",
  expired_trigger_id: "That took too long. Try again.",
  channel_not_found: "This conversation is not open to you.",
  user_not_found: "This person is not in the workspace.",
  not_in_channel: "You are not in this channel.",
  msg_too_long: "This message is too long.",
  no_text: "There is nothing to send.",
};

/** The page itself says no; the message is the sentence for the person. */
export class Refused extends Error {}

/** What to tell the person about a failed call. */
export function explain(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError) return "The workspace cannot be reached. Nothing was sent.";
  return SENTENCES[error.code] ?? `That did not work (${error.code ?? error.message}).`;
}

export function unacknowledged(name) {
  toast(`${name} did not answer within 3 seconds. Nothing may have happened; try again.`, {
    key: "unacknowledged",
  });
}
