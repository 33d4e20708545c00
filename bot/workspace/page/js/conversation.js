// The middle of the page: a conversation's messages and message box, or the app's home.

import { renderBlocks } from "./blocks.js";
import { Composer, deliver } from "./composer.js";
import { now } from "./dates.js";
import { $, h, keepFocus } from "./dom.js";
import { MessageList } from "./messages.js";
import { surface } from "./surface.js";
import { explain, toast } from "./toast.js";

export class Conversation {
  constructor(store, actions) {
    Object.assign(this, { store, actions, root: $("conversation"), newAfter: null, homeValues: new Map() });
    this.build();
    store.listen("here", () => this.enter());
    store.listen("messages", ({ channel }) => channel === store.here.channel && this.draw());
    store.listen("clock unread", () => this.draw());
    store.listen("status", () => this.drawStatus());
    store.listen("prompts", () => this.drawPrompts());
    store.listen("views", () => this.drawHome());
    document.addEventListener("visibilitychange", () => this.read());
  }

  build() {
    this.title = h("h1", { tabindex: "-1", data: { test: "conversation-title" } });
    this.topic = h("span", { class: "topic" });
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "App" });
    this.scroller = h("div", { class: "scroller", data: { test: "messages" } });
    this.later = h(
      "button",
      {
        type: "button",
        class: "later",
        hidden: true,
        data: { test: "newer" },
        on: { click: () => this.list.toBottom() },
      },
      "New messages ↓",
    );
    this.status = h("div", { class: "status", role: "status", data: { test: "status" } });
    this.prompts = h("div", { class: "prompts", data: { test: "prompts" } });
    this.composer = new Composer(this.store, {
      place: () => ({ channel: this.store.here.channel }),
      test: "composer",
      id: "composer-input",
      sent: () => this.said(),
    });
    this.home = h("div", { class: "home", data: { test: "home" }, hidden: true });
    this.talk = h(
      "div",
      { class: "talk" },
      h("div", { class: "stage" }, this.scroller, this.later),
      this.prompts,
      this.status,
      this.composer.node,
    );
    this.root.replaceChildren(
      h(
        "header",
        { class: "pane-header" },
        h("div", { class: "pane-title" }, this.title, this.topic),
        this.tabs,
      ),
      this.talk,
      this.home,
    );
  }

  conversation() {
    return this.store.conversation(this.store.here.channel);
  }

  /** Called when the place changes. A change of thread alone leaves this pane as it is. */
  enter() {
    const { channel, tab } = this.store.here;
    const same = this.shown?.channel === channel && this.shown?.me === this.store.me;
    if (same && this.shown.tab === tab) return;
    this.shown = { channel, tab, me: this.store.me };
    this.drawHeader();
    this.talk.hidden = tab === "home";
    this.home.hidden = tab !== "home";
    if (!same) this.enterMessages();
    this.draw();
    this.drawStatus();
    this.drawPrompts();
    this.drawHome();
    if (this.store.isAppConversation(this.conversation())) this.openApp(tab);
  }

  enterMessages() {
    const { store } = this;
    const { channel } = store.here;
    const mark = store.mark(channel);
    if (!store.mark(`${channel}/start`)) store.marks.set(`${channel}/start`, String(now() / 1000));
    this.newAfter = store.unread(channel) && mark ? mark : null;
    this.list?.close();
    this.list = new MessageList(
      this.scroller,
      {
        store,
        channel,
        inThread: false,
        openThread: this.actions.openThread,
        values: (ts) => this.list.values(ts),
      },
      `Messages in ${this.label()}`,
    );
    this.list.reachedBottom = () => this.read();
    this.composer.enter(...this.invitation());
  }

  /** What the message box says, and whether one may write here. */
  invitation() {
    const conversation = this.conversation();
    if (conversation.archived) return [`${this.label()} is archived`, false];
    if (conversation.is_member === false)
      return [`You may read ${this.label()}, but you are not a member`, false];
    return [`Message ${this.label()}`, true];
  }

  label() {
    const conversation = this.conversation();
    if (conversation.kind !== "im") return `#${conversation.name}`;
    return this.store.people.get(conversation.with)?.real_name ?? conversation.name;
  }

  drawHeader() {
    const conversation = this.conversation();
    this.title.textContent = this.label();
    this.topic.textContent = conversation.topic ?? "";
    this.topic.title = conversation.topic ?? "";
    const app = this.store.isAppConversation(conversation);
    this.tabs.hidden = !app;
    if (app) this.drawTabs();
  }

  drawTabs() {
    const { channel, tab } = this.store.here;
    const one = (id, label) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(tab === id),
          tabindex: tab === id ? "0" : "-1",
          data: { test: `tab-${id}` },
          on: {
            click: () => this.actions.go({ channel, tab: id }),
            keydown: (event) => ["ArrowLeft", "ArrowRight"].includes(event.key) && this.switchTab(),
          },
        },
        label,
      );
    keepFocus(
      () => this.tabs,
      () => this.tabs.replaceChildren(one("home", "Home"), one("messages", "Messages")),
      () => this.tabs.querySelector("[aria-selected='true']"),
    );
  }

  switchTab() {
    const { channel, tab } = this.store.here;
    this.actions.go({ channel, tab: tab === "home" ? "messages" : "home" });
    this.tabs.querySelector("[aria-selected='true']").focus();
  }

  async openApp(tab) {
    try {
      await this.store.api.post("home", { tab });
      await this.store.readViews();
    } catch (error) {
      toast(explain(error), { key: "home" });
    }
  }

  draw() {
    if (!this.list || !this.conversation()) return;
    const { channel, tab } = this.store.here;
    if (tab === "home") return;
    const messages = this.store.messages.get(channel) ?? [];
    const newest = messages.at(-1)?.ts;
    const wasAway = !this.list.atBottom;
    this.list.update(messages, { newAfter: this.newAfter });
    this.list.empty.textContent = messages.length ? "" : `This is the start of ${this.label()}.`;
    if (wasAway && newest !== this.newest && this.newest !== undefined) this.later.hidden = false;
    this.newest = newest;
    this.read();
  }

  /** What stands at the bottom of a visible page has been read. */
  read() {
    if (!this.list?.atBottom || document.hidden || this.store.here.tab === "home") return;
    this.later.hidden = true;
    this.store.markRead(this.store.here.channel);
  }

  drawStatus() {
    const { channel, thread } = this.store.here;
    const text = this.store.statusIn(channel, thread);
    this.status.textContent = text ? `${this.store.app.name} ${text}` : "";
    this.status.classList.toggle("active", Boolean(text));
  }

  drawPrompts() {
    const found = this.store.prompts.get(this.store.here.channel);
    const chip = (prompt) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          data: { test: "prompt" },
          on: { click: () => this.say(prompt.message) },
        },
        prompt.title,
      );
    const shown = found?.prompts?.length
      ? [h("span", { class: "prompts-title" }, found.title ?? "Try one of these"), ...found.prompts.map(chip)]
      : [];
    this.prompts.replaceChildren(...shown);
  }

  /** Prompts are for a start: after one's own message they step aside until the app offers them again. */
  said() {
    this.store.prompts.delete(this.store.here.channel);
    this.drawPrompts();
    this.list?.toBottom();
  }

  async say(text) {
    try {
      await deliver(this.store, { channel: this.store.here.channel }, text);
      this.composer.input.focus();
      this.said();
    } catch (error) {
      toast(explain(error), { key: "send" });
    }
  }

  drawHome() {
    if (this.store.here.tab !== "home") return;
    const view = this.store.home;
    const signature = JSON.stringify(view);
    if (signature === this.homeShown && this.home.childElementCount) return;
    this.homeShown = signature;
    const context = surface(this.store, { view_id: view?.id }, this.homeValues);
    const content = view
      ? renderBlocks(view.blocks, context)
      : [h("p", { class: "empty" }, `${this.store.app.name} has nothing on its home yet.`)];
    keepFocus(
      () => this.home,
      () => this.home.replaceChildren(...content),
      () => this.tabs.querySelector("[aria-selected='true']"),
    );
  }
}
