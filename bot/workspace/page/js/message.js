// One message: who, when, what, its thread, and what can be done with it.

import { avatar } from "./avatar.js";
import { renderBlocks } from "./blocks.js";
import { full, fromTs, lastReply, time } from "./dates.js";
import { h } from "./dom.js";
import { openMenu } from "./menu.js";
import { emojiNode, mrkdwn } from "./mrkdwn.js";
import { runShortcut, surface } from "./surface.js";
import { toast } from "./toast.js";

/** Whoever wrote a message, also when it names only a bot. */
export function author(message, store) {
  const id = message.user ?? (message.bot_id ? store.app?.bot_user : null);
  const known = store.people.get(id);
  if (known && !message.username) return known;
  return {
    id: id ?? "unknown",
    real_name: message.username ?? store.app?.name ?? "Unknown",
    is_bot: Boolean(message.bot_id),
  };
}

function badge(person) {
  if (person.is_bot) return h("span", { class: "badge" }, "APP");
  if (person.is_restricted) return h("span", { class: "badge" }, "GUEST");
  return null;
}

function headLine(message, person) {
  const moment = fromTs(message.ts);
  return h(
    "div",
    { class: "message-head" },
    h("span", { class: "author" }, person.real_name || person.name),
    badge(person),
    h("time", { class: "when", datetime: moment.toISOString(), title: full(moment) }, time(moment)),
  );
}

function content(message, context) {
  const where = { channel: context.channel, message_ts: message.ts };
  const blocks = message.blocks?.length
    ? renderBlocks(message.blocks, surface(context.store, where, context.values(message.ts)))
    : [];
  const text =
    !blocks.length && message.text
      ? h("div", { class: "text rendered" }, mrkdwn(message.text, context.store.names))
      : null;
  const edited = message.edited
    ? h(
        "span",
        { class: "edited", title: message.edited.ts ? full(fromTs(message.edited.ts)) : null },
        "(edited)",
      )
    : null;
  return [text, blocks, edited];
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  return h(
    "div",
    { class: "reactions" },
    message.reactions.map((reaction) =>
      h(
        "span",
        { class: "reaction" },
        emojiNode(reaction.name),
        ` ${reaction.count ?? reaction.users?.length ?? 1}`,
      ),
    ),
  );
}

function threadLine(message, context) {
  if (!message.reply_count || context.inThread) return null;
  const people = (message.reply_users ?? [])
    .slice(0, 4)
    .map((id) => context.store.people.get(id))
    .filter(Boolean);
  const unread = context.store.threadUnread(context.channel, message);
  return h(
    "button",
    {
      type: "button",
      class: `thread-line ${unread ? "unread" : ""}`,
      data: { test: "open-thread" },
      on: { click: () => context.openThread(message.thread_ts ?? message.ts) },
    },
    people.map((person) => avatar(person, "tiny")),
    h(
      "span",
      { class: "thread-count" },
      `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`,
    ),
    unread ? h("span", { class: "new-mark" }, "new") : null,
    message.latest_reply
      ? h("span", { class: "thread-when" }, `Last reply ${lastReply(fromTs(message.latest_reply))}`)
      : null,
  );
}

function moreItems(message, context) {
  const shortcuts = (context.store.app?.shortcuts ?? []).filter((shortcut) => shortcut.type === "message");
  const copy = () =>
    navigator.clipboard?.writeText(message.text ?? "").then(
      () => toast("Copied.", { tone: "info" }),
      () => toast("The browser did not let us copy."),
    );
  return [
    { label: "Copy text", choose: copy },
    ...shortcuts.map((shortcut) => ({
      label: shortcut.name,
      choose: () =>
        runShortcut(context.store, {
          callback_id: shortcut.callback_id,
          channel: context.channel,
          message_ts: message.ts,
        }),
    })),
  ];
}

function tools(message, context) {
  if (message.ephemeral) return null;
  const reply = context.inThread
    ? null
    : h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": "Reply in thread",
          title: "Reply in thread (T)",
          data: { test: "reply" },
          on: { click: () => context.openThread(message.thread_ts ?? message.ts) },
        },
        h("span", { class: "icon-reply", "aria-hidden": "true" }),
      );
  const more = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "More message actions",
      title: "More",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      data: { test: "message-more" },
      on: { click: () => openMenu(more, moreItems(message, context)) },
    },
    "⋮",
  );
  return h("div", { class: "message-tools", role: "group", "aria-label": "Message actions" }, reply, more);
}

/** The row of a message. `context`: store, channel, inThread, openThread(ts), values(ts). */
export function messageRow(message, { grouped, context }) {
  const person = author(message, context.store);
  const privately = message.ephemeral
    ? h("div", { class: "only-you" }, h("span", { "aria-hidden": "true" }, "👁 "), "Only visible to you")
    : null;
  const moment = fromTs(message.ts);
  const gutter = grouped
    ? h("time", { class: "gutter-time", datetime: moment.toISOString(), title: full(moment) }, time(moment))
    : avatar(person);
  return h(
    "li",
    {
      class: `message ${grouped ? "grouped" : ""} ${message.ephemeral ? "ephemeral" : ""}`,
      tabindex: "-1",
      data: {
        test: "message",
        ts: message.ts,
        user: person.id,
        ephemeral: message.ephemeral ? "true" : null,
      },
    },
    h("div", { class: "gutter" }, gutter),
    h(
      "div",
      { class: "message-main" },
      privately,
      grouped
        ? h("span", { class: "visually-hidden" }, `${person.real_name || person.name}: `)
        : headLine(message, person),
      content(message, context),
      reactions(message),
      threadLine(message, context),
    ),
    tools(message, context),
  );
}
