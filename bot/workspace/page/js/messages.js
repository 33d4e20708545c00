// A list of messages: rows are replaced in place, focus stays, and the bottom stays in view only when it was.

import { dayDivider, fromTs, now, sameDay } from "./dates.js";
import { h, keepFocus } from "./dom.js";
import { author, messageRow } from "./message.js";

const GROUP_SECONDS = 300;
const SLACK_PIXELS = 24;

function groups(message, before, store) {
  if (!before || message.ephemeral || before.ephemeral || before.reply_count) return false;
  const close = Number(message.ts) - Number(before.ts) < GROUP_SECONDS;
  return close && author(message, store).id === author(before, store).id;
}

export class MessageList {
  /** `scroller` holds the list; `context` is handed to the rows. */
  constructor(scroller, context, label) {
    this.scroller = scroller;
    this.context = context;
    this.inputs = new Map();
    this.rows = new Map();
    this.list = h("ol", { class: "messages", role: "list", "aria-label": label });
    this.empty = h("div", { class: "empty" });
    scroller.replaceChildren(h("div", { class: "pad" }), this.empty, this.list);
    this.list.addEventListener("keydown", (event) => this.press(event));
    for (const moved of ["focusin", "focusout"]) this.list.addEventListener(moved, () => this.keepOneStop());
    this.atBottom = true;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.observer = new ResizeObserver(() => this.stick());
    this.observer.observe(this.list);
    this.observer.observe(scroller);
  }

  values(ts) {
    if (!this.inputs.has(ts)) this.inputs.set(ts, new Map());
    return this.inputs.get(ts);
  }

  distance() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  scrolled() {
    // A resize of the box also scrolls it; only a person's scrolling changes what they want to see.
    if (this.scroller.clientHeight !== this.height) return;
    this.atBottom = this.distance() < SLACK_PIXELS;
    if (this.atBottom) this.reachedBottom?.();
  }

  stick() {
    this.height = this.scroller.clientHeight;
    if (this.atBottom) this.toBottom();
  }

  toBottom() {
    this.atBottom = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.reachedBottom?.();
  }

  /** Show these messages. `newAfter` draws the line above the first message newer than it; `divideAfter` a reply count. */
  update(messages, { newAfter = null, replies = null } = {}) {
    const { store } = this.context;
    const rows = [];
    let before = null;
    let day = this.context.inThread && messages.length ? fromTs(messages[0].ts) : null;
    let lineDrawn = newAfter === null;
    for (const message of messages) {
      const moment = fromTs(message.ts);
      if (!day || !sameDay(moment, day)) {
        rows.push(this.divider(`day-${moment.toDateString()}`, "day", dayDivider(moment)));
        before = null;
      }
      day = moment;
      if (!lineDrawn && Number(message.ts) > Number(newAfter) && message.user !== store.me) {
        rows.push(this.divider("new", "new-line", "New"));
        lineDrawn = true;
        before = null;
      }
      rows.push(this.row(message, before));
      if (replies !== null && message === messages[0])
        rows.push(this.divider("replies", "replies", `${replies} ${replies === 1 ? "reply" : "replies"}`));
      before = replies !== null && message === messages[0] ? null : message;
    }
    keepFocus(
      () => this.list,
      () => this.place(rows),
      () => this.focusedRow(rows),
    );
    this.rows = new Map(rows.map((entry) => [entry.key, entry]));
    this.keepOneStop();
    this.stick();
  }

  focusedRow(rows) {
    const row = rows.find((entry) => entry.key === this.focused)?.node;
    return row ?? rows.at(-1)?.node;
  }

  divider(key, kind, text) {
    const known = this.rows.get(key);
    if (known?.text === text) return known;
    return {
      key,
      text,
      node: h(
        "li",
        { class: `divider ${kind}`, role: "separator", data: { test: `divider-${kind}` } },
        h("span", {}, text),
      ),
    };
  }

  row(message, before) {
    const grouped = groups(message, before, this.context.store);
    const unread = this.context.inThread
      ? false
      : this.context.store.threadUnread(this.context.channel, message);
    const signature = JSON.stringify([message, grouped, unread, now().toDateString()]);
    const known = this.rows.get(message.ts);
    if (known?.signature === signature) return known;
    return { key: message.ts, signature, node: messageRow(message, { grouped, context: this.context }) };
  }

  /** Put the rows in order, touching only what differs. */
  place(rows) {
    const wanted = new Set(rows.map((entry) => entry.node));
    const kept = document.activeElement?.closest?.("[data-test='message']");
    this.focused = kept && this.list.contains(kept) ? kept.dataset.ts : null;
    for (const node of [...this.list.children])
      if (!wanted.has(node) && !this.replaced(node, rows)) node.remove();
    rows.forEach((entry, index) => {
      if (this.list.children[index] !== entry.node)
        this.list.insertBefore(entry.node, this.list.children[index] ?? null);
    });
    while (this.list.children.length > rows.length) this.list.lastChild.remove();
  }

  replaced(node, rows) {
    const entry = rows.find((row) => row.key === node.dataset.ts);
    if (!entry || entry.node.isConnected) return false;
    node.replaceWith(entry.node);
    return true;
  }

  /** One row can be reached with Tab: the one that has the focus, else the newest. */
  keepOneStop() {
    const rows = [...this.list.querySelectorAll("[data-test='message']")];
    const current = rows.find((row) => row === document.activeElement) ?? rows.at(-1);
    for (const row of rows) row.tabIndex = row === current ? 0 : -1;
  }

  press(event) {
    const row = event.target;
    if (row.dataset.test !== "message" || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...this.list.querySelectorAll("[data-test='message']")];
    const at = rows.indexOf(row);
    const targets = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 };
    if (event.key in targets) rows[targets[event.key]]?.focus();
    else if (event.key.toLowerCase() === "t" && !this.context.inThread && !row.dataset.ephemeral)
      this.context.openThread(row.dataset.ts);
    else return;
    event.preventDefault();
  }

  close() {
    this.observer.disconnect();
  }
}
