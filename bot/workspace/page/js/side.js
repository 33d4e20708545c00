// The right pane: a thread, or the directory.

import { Composer } from "./composer.js";
import { $, h } from "./dom.js";
import { MessageList } from "./messages.js";
import { threadKey } from "./store.js";
import { explain } from "./toast.js";

export class Side {
  constructor(store, actions) {
    Object.assign(this, { store, actions, root: $("side"), kind: null });
    store.listen("here", () => this.enter());
    store.listen("thread", () => this.drawThread());
    store.listen("clock", () => this.drawThread());
    store.listen("status", () => this.drawStatus());
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.leave();
    });
  }

  enter() {
    const { thread, channel } = this.store.here;
    const key = thread ? `${this.store.me}/${threadKey(channel, thread)}` : null;
    if (thread && key !== this.thread) this.openThread(key);
    else if (!thread && this.kind === "thread") this.shut();
  }

  header(title, subtitle) {
    return h(
      "header",
      { class: "pane-header" },
      h(
        "div",
        { class: "pane-title" },
        h("h2", { id: "side-title", tabindex: "-1" }, title),
        h("span", { class: "topic" }, subtitle),
      ),
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": `Close ${title.toLowerCase()}`,
          data: { test: "close-side" },
          on: { click: () => this.leave() },
        },
        "✕",
      ),
    );
  }

  show(kind, ...children) {
    this.list?.close();
    this.list = null;
    this.kind = kind;
    this.root.dataset.test = kind;
    this.root.setAttribute("aria-labelledby", "side-title");
    this.root.replaceChildren(...children);
    this.root.hidden = false;
    document.body.dataset.side = kind;
  }

  shut() {
    this.list?.close();
    this.list = null;
    this.kind = null;
    this.thread = null;
    this.root.hidden = true;
    this.root.replaceChildren();
    delete this.root.dataset.test;
    delete document.body.dataset.side;
  }

  leave() {
    const { kind } = this;
    const ts = this.store.here.thread;
    this.shut();
    if (kind === "thread") this.actions.closeThread();
    const row = ts && document.querySelector(`#conversation [data-ts="${CSS.escape(ts)}"]`);
    const back =
      kind === "directory"
        ? document.querySelector("[data-test='directory-open']")
        : row || $("composer-input");
    back?.focus({ preventScroll: true });
  }

  openThread(key) {
    const { channel, thread } = this.store.here;
    const conversation = this.store.conversation(channel);
    const name =
      conversation.kind === "im"
        ? (this.store.people.get(conversation.with)?.real_name ?? conversation.name)
        : `#${conversation.name}`;
    const scroller = h("div", { class: "scroller" });
    this.status = h("div", { class: "status", role: "status", data: { test: "thread-status" } });
    this.composer = new Composer(this.store, {
      place: () => ({ channel: this.store.here.channel, thread: this.store.here.thread }),
      test: "thread-composer",
      id: "thread-input",
      sent: () => this.list?.toBottom(),
    });
    this.show("thread", this.header("Thread", name), scroller, this.status, this.composer.node);
    this.thread = key;
    this.list = new MessageList(
      scroller,
      {
        store: this.store,
        channel,
        inThread: true,
        openThread: () => {},
        values: (ts) => this.list.values(ts),
      },
      `Thread in ${name}`,
    );
    this.composer.enter("Reply…", conversation.is_member !== false && !conversation.archived);
    this.drawThread();
    this.drawStatus();
    this.composer.input.focus({ preventScroll: true });
  }

  drawThread() {
    if (this.kind !== "thread" || !this.list) return;
    const { channel, thread } = this.store.here;
    const known =
      this.store.threads.get(threadKey(channel, thread)) ??
      (this.store.messages.get(channel) ?? []).filter((message) => message.ts === thread);
    this.list.update(known, { replies: known.length > 1 ? known.length - 1 : null });
    if (!document.hidden) this.store.markRead(channel, thread);
  }

  drawStatus() {
    if (this.kind !== "thread") return;
    const { channel, thread } = this.store.here;
    const text = this.store.status.get(threadKey(channel, thread));
    this.status.textContent = text ? `${this.store.app.name} ${text}` : "";
    this.status.classList.toggle("active", Boolean(text));
  }

  /** The directory server's groups, read now. */
  async openDirectory() {
    if (this.store.here.thread) this.actions.closeThread();
    const body = h("div", {
      class: "directory-body",
      data: { test: "directory-body" },
      "aria-live": "polite",
    });
    const refresh = h(
      "button",
      {
        type: "button",
        class: "button",
        data: { test: "directory-refresh" },
        on: { click: () => this.readDirectory(body, refresh) },
      },
      "Refresh",
    );
    this.show(
      "directory",
      this.header("Directory", "Read from the directory server"),
      h("div", { class: "directory-tools" }, refresh, h("span", { class: "read-at" })),
      body,
    );
    $("side-title").focus();
    await this.readDirectory(body, refresh);
  }

  async readDirectory(body, refresh) {
    refresh.setAttribute("aria-busy", "true");
    try {
      const { groups } = await this.store.api.get("directory");
      body.replaceChildren(...groups.map(groupNode));
      this.root.querySelector(".read-at").textContent = `Read at ${new Date().toLocaleTimeString()}`;
    } catch (error) {
      body.replaceChildren(
        h("p", { class: "input-error" }, `The directory did not answer. ${explain(error)}`),
      );
    } finally {
      refresh.setAttribute("aria-busy", "false");
    }
  }
}

function groupNode(group) {
  const members = group.members.length
    ? h(
        "ul",
        {},
        group.members.map((name) => h("li", { data: { test: "directory-member" } }, name)),
      )
    : h("p", { class: "nobody" }, "Nobody");
  return h(
    "section",
    { class: "group", data: { test: "directory-group", group: group.name } },
    h("h3", {}, group.name, h("span", { class: "group-count" }, String(group.members.length))),
    members,
  );
}
