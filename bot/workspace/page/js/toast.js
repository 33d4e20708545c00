// Short notices at the bottom. One notice per key: a second replaces the first.

import { $, h } from "./dom.js";

const LIFETIME = 8000;

export function toast(text, { key = text, tone = "warning" } = {}) {
  const shelf = $("toasts");
  const before = [...shelf.children].find((node) => node.dataset.key === key);
  if (before?.firstChild.textContent === text) return;
  before?.remove();
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
  is_archived: "This channel is archived.",
  account_inactive: "This account has been deactivated.",
  element_not_found: "This control is no longer there.",
  message_not_found: "This message is no longer there.",
  view_not_found: "This window has been closed meanwhile.",
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

/** The sentence about an app that has not acknowledged: Slack's words for it are `operation_timeout` and `dispatch_failed`. */
export function unanswered(name, error) {
  if (error === "dispatch_failed") return `${name} is not connected. Nothing has happened; try again later.`;
  return `${name} did not answer within 3 seconds. Nothing may have happened; try again.`;
}

export function unacknowledged(name, error) {
  toast(unanswered(name, error), { key: "unacknowledged" });
}
