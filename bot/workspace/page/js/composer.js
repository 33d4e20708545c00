// The message box: Enter sends, Shift+Enter breaks the line, "/" and "@" offer completions, drafts are kept.

import { h } from "./dom.js";
import { escape } from "./mrkdwn.js";
import { runShortcut } from "./surface.js";
import { Refused, explain, toast, unacknowledged } from "./toast.js";

const LINK = /(^|\s)(https?:\/\/[^\s<>|]*[^\s<>|.,;:!?'")\]])/g;
const drafts = new Map();
let count = 0;

/** What was typed -> the text Slack would send: escaped, with mentions, channels and links as references. */
export function encode(text, store) {
  let result = escape(text);
  const people = [...store.people.values()].flatMap((person) => [
    [person.real_name, person.id],
    [person.name, person.id],
  ]);
  const references = [
    ...people.map(([name, id]) => [`@${name}`, `<@${id}>`]),
    ...store.conversations
      .filter((each) => each.kind !== "im")
      .map((each) => [`#${each.name}`, `<#${each.id}|${each.name}>`]),
    ...["channel", "here", "everyone"].map((range) => [`@${range}`, `<!${range}>`]),
  ];
  references.sort(([one], [other]) => other.length - one.length);
  const table = new Map(references.map(([name, reference]) => [escape(name).toLowerCase(), reference]));
  const names = [...table.keys()].map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(^|[\\s(])(${names.join("|")})(?![\\p{L}\\p{N}_-])`, "giu");
  result = result.replace(pattern, (whole, space, name) => space + table.get(name.toLowerCase()));
  return result.replace(LINK, "$1<$2>");
}

function commandMatches(store, text) {
  const word = text.match(/^\/(\S*)$/);
  if (!word) return null;
  const commands = store.app.commands
    .filter((each) => each.command.startsWith(text.toLowerCase()))
    .map((each) => ({
      label: each.command,
      detail: [each.usage_hint, each.description].filter(Boolean).join(" — "),
      insert: `${each.command} `,
    }));
  const shortcuts = store.app.shortcuts
    .filter((each) => each.type === "global" && each.name.toLowerCase().includes(word[1].toLowerCase()))
    .map((each) => ({
      label: each.name,
      detail: each.description || "Shortcut",
      insert: "",
      run: () => runShortcut(store, { callback_id: each.callback_id }),
    }));
  return { from: 0, items: [...commands, ...shortcuts] };
}

function mentionMatches(store, text, caret) {
  const word = text.slice(0, caret).match(/(^|[\s(])([@#])([\p{L}\p{N}._-]*(?: [\p{L}\p{N}._-]*)?)$/u);
  if (!word) return null;
  const [, , mark, typed] = word;
  const from = caret - typed.length - 1;
  const start = typed.toLowerCase();
  const people = () =>
    [...store.people.values()]
      .filter((person) => !person.deleted)
      .filter((person) =>
        [person.real_name, person.name, ...person.real_name.split(" ").slice(1)].some((name) =>
          name?.toLowerCase().startsWith(start),
        ),
      )
      .map((person) => ({
        label: `@${person.real_name}`,
        detail: person.title || (person.is_bot ? "App" : ""),
        insert: `@${person.real_name} `,
      }));
  const channels = () =>
    store.names
      .channels()
      .filter((each) => each.name.startsWith(start))
      .map((each) => ({ label: `#${each.name}`, detail: each.topic ?? "", insert: `#${each.name} ` }));
  const items = mark === "@" ? people() : channels();
  // A name that is complete already needs no list.
  return items.length === 1 && items[0].label.slice(1).toLowerCase() === start ? null : { from, items };
}

export class Composer {
  /** `place()` gives {channel, thread}; `sent()` is called after a send. */
  constructor(store, { place, test, id, sent }) {
    Object.assign(this, { store, place, sent });
    this.listId = `completions-${(count += 1)}`;
    this.items = [];
    this.active = 0;
    this.input = h("textarea", {
      id,
      class: "composer-input",
      rows: "1",
      autocomplete: "off",
      spellcheck: "true",
      "aria-autocomplete": "list",
      "aria-controls": this.listId,
      data: { test },
      on: {
        input: () => this.typed(),
        keydown: (event) => this.press(event),
        blur: () => this.hide(),
        click: () => this.complete(),
      },
    });
    this.list = h("ul", {
      class: "completions",
      role: "listbox",
      id: this.listId,
      "aria-label": "Suggestions",
      data: { test: "completions" },
      hidden: true,
    });
    this.button = h(
      "button",
      {
        type: "submit",
        class: "send",
        "aria-label": "Send",
        title: "Send (Enter)",
        data: { test: test === "composer" ? "send" : "thread-send" },
        disabled: true,
      },
      h("span", { class: "icon-send", "aria-hidden": "true" }),
    );
    this.node = h(
      "form",
      {
        class: "composer",
        on: {
          submit: (event) => {
            event.preventDefault();
            this.send();
          },
        },
      },
      this.list,
      h("div", { class: "composer-box" }, this.input, this.button),
      h(
        "div",
        { class: "composer-hint", "aria-hidden": "true" },
        h("kbd", {}, "Enter"),
        " sends, ",
        h("kbd", {}, "Shift Enter"),
        " makes a new line",
      ),
    );
  }

  key() {
    const { channel, thread } = this.place();
    return `${this.store.me}/${channel}/${thread ?? ""}`;
  }

  /** Show the draft of the place we are in now. */
  enter(label, writable = true) {
    this.input.disabled = !writable;
    this.input.value = drafts.get(this.key()) ?? "";
    this.input.placeholder = label;
    this.input.setAttribute("aria-label", label);
    this.fit();
  }

  typed() {
    drafts.set(this.key(), this.input.value);
    this.fit();
    this.complete();
  }

  fit() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 220)}px`;
    this.button.disabled = !this.input.value.trim();
  }

  complete() {
    const { value, selectionStart } = this.input;
    const found =
      (this.place().thread ? null : commandMatches(this.store, value)) ??
      mentionMatches(this.store, value, selectionStart);
    if (!found?.items.length) {
      this.hide();
      return;
    }
    this.from = found.from;
    this.items = found.items.slice(0, 8);
    this.active = 0;
    this.list.replaceChildren(
      ...this.items.map((item, index) =>
        h(
          "li",
          {
            role: "option",
            id: `${this.listId}-${index}`,
            data: { test: "completion" },
            on: {
              mousedown: (event) => {
                event.preventDefault();
                this.pick(index);
              },
            },
          },
          h("strong", {}, item.label),
          h("span", { class: "detail" }, item.detail),
        ),
      ),
    );
    this.list.hidden = false;
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((item, index) =>
      item.setAttribute("aria-selected", String(index === this.active)),
    );
    this.input.setAttribute("aria-activedescendant", `${this.listId}-${this.active}`);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  hide() {
    this.list.hidden = true;
    this.input.removeAttribute("aria-activedescendant");
  }

  pick(index) {
    const { insert, run } = this.items[index];
    this.input.setRangeText(insert, this.from, this.input.selectionStart, "end");
    this.hide();
    drafts.set(this.key(), this.input.value);
    this.fit();
    run?.();
  }

  press(event) {
    if (event.isComposing) return;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (!this.list.hidden && event.key in steps) {
      this.active = (this.active + steps[event.key] + this.items.length) % this.items.length;
      this.mark();
    } else if (!this.list.hidden && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey)
      this.pick(this.active);
    else if (!this.list.hidden && event.key === "Escape") this.hide();
    else if (event.key === "Enter" && !event.shiftKey) this.send();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async send() {
    const text = this.input.value.trim();
    if (!text) return;
    const place = this.place();
    const key = this.key();
    drafts.delete(key);
    this.input.value = "";
    this.hide();
    this.fit();
    try {
      await deliver(this.store, place, text);
      this.sent?.();
    } catch (error) {
      toast(explain(error), { key: "send" });
      drafts.set(key, text);
      if (this.key() === key && !this.input.value) this.enter(this.input.placeholder);
    }
  }
}

/** Send a text as the person would: a slash command when it is one, else a message. */
export async function deliver(store, { channel, thread }, text) {
  const command = text.match(/^(\/\S+)\s*([\s\S]*)$/);
  if (!command) {
    await store.api.post("message", {
      channel,
      text: encode(text, store),
      ...(thread ? { thread_ts: thread } : {}),
    });
    return;
  }
  const known = store.app.commands.some((each) => each.command === command[1]);
  if (!known || thread) {
    throw new Refused(
      thread
        ? "Commands do not work in threads. Use the channel's message box."
        : `${command[1]} is not a command here.`,
    );
  }
  const answer = await store.api.post("command", {
    channel,
    command: command[1],
    text: encode(command[2], store),
  });
  if (answer.acknowledged === false) unacknowledged(store.app.name, answer.error);
}
