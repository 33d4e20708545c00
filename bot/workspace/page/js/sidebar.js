// The left side: channels, direct messages, and the demo's clock and directory. A drawer in narrow windows.

import { avatar } from "./avatar.js";
import { clock, now } from "./dates.js";
import { $, h, keepFocus } from "./dom.js";
import { explain, toast } from "./toast.js";

const NARROW = window.matchMedia("(max-width: 760px)");

export class Sidebar {
  constructor(store, actions) {
    Object.assign(this, { store, actions, root: $("sidebar"), button: $("menu-button") });
    this.lists = h("div", { class: "lists" });
    this.tools = h("div", { class: "tools" });
    this.root.replaceChildren(this.lists, this.tools);
    store.listen("people", () => this.drawTools());
    store.listen("people here messages unread ready", () => this.draw());
    store.listen("clock", () => this.drawTime());
    setInterval(() => this.drawTime(), 15_000);
    this.button.addEventListener("click", () =>
      this.toggle(this.button.getAttribute("aria-expanded") !== "true"),
    );
    $("backdrop").addEventListener("click", () => this.toggle(false));
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false));
    NARROW.addEventListener("change", () => this.toggle(false));
    this.toggle(false);
  }

  /** Open or close the drawer; in wide windows the sidebar is always there. */
  toggle(open) {
    const drawer = NARROW.matches;
    const was = this.button.getAttribute("aria-expanded") === "true";
    this.button.setAttribute("aria-expanded", String(drawer && open));
    this.root.classList.toggle("open", drawer && open);
    this.root.inert = drawer && !open;
    $("backdrop").hidden = !(drawer && open);
    $("conversation").inert = drawer && open;
    if (drawer && open) this.root.querySelector("[aria-current]")?.focus();
    else if (was) this.button.focus();
  }

  draw() {
    const channels = this.store.conversations.filter((each) => each.kind !== "im");
    const direct = this.store.conversations.filter((each) => each.kind === "im");
    const group = (name, list) =>
      h(
        "section",
        {},
        h("h2", {}, name),
        h(
          "ul",
          { role: "list" },
          list.map((each) => h("li", {}, this.item(each))),
        ),
      );
    const key = JSON.stringify(
      this.store.conversations
        .map((each) => [each.id, each.name, this.store.unread(each.id), this.store.hasUnreadThread(each.id)])
        .concat([this.store.here.channel]),
    );
    if (key === this.shown) return;
    this.shown = key;
    keepFocus(
      () => this.lists,
      () => this.lists.replaceChildren(group("Channels", channels), group("Direct messages", direct)),
      () => this.lists.querySelector("[aria-current]"),
    );
    const total = this.store.conversations.reduce((sum, each) => sum + this.store.unread(each.id), 0);
    const here = this.store.conversation(this.store.here.channel);
    document.title = `${total ? `(${total}) ` : ""}${here ? this.label(here) : ""} · ${this.store.team?.name ?? "Workspace"}`;
  }

  label(conversation) {
    if (conversation.kind !== "im") return conversation.name;
    return this.store.people.get(conversation.with)?.real_name ?? conversation.name;
  }

  item(conversation) {
    const unread = this.store.here.channel === conversation.id ? 0 : this.store.unread(conversation.id);
    const person = this.store.people.get(conversation.with);
    const mark = person
      ? avatar(person, "tiny")
      : h("span", {
          class: conversation.kind === "private" ? "icon-lock" : "icon-hash",
          "aria-hidden": "true",
        });
    const current = this.store.here.channel === conversation.id;
    const kind =
      conversation.kind === "private" ? h("span", { class: "visually-hidden" }, " (private)") : null;
    return h(
      "a",
      {
        class: `place ${unread || this.store.hasUnreadThread(conversation.id) ? "unread" : ""}`,
        href: `#${conversation.id}`,
        "aria-current": current ? "page" : null,
        data: {
          test: "conversation",
          channel: conversation.id,
          name: this.label(conversation),
          actionId: `go-${conversation.id}`,
        },
        on: { click: (event) => this.choose(event, conversation) },
      },
      mark,
      h("span", { class: "place-name" }, this.label(conversation)),
      kind,
      person?.is_bot ? h("span", { class: "badge" }, "APP") : null,
      unread ? h("span", { class: "count", "aria-label": `${unread} unread` }, String(unread)) : null,
    );
  }

  choose(event, conversation) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.actions.go({ channel: conversation.id });
    const drawer = this.root.classList.contains("open");
    this.toggle(false);
    if (drawer || event.detail === 0) $("composer-input").focus();
  }

  drawTools() {
    const { features } = this.store;
    this.time = h("output", { class: "clock-time", data: { test: "clock" } });
    const move = (label, by, test) =>
      h(
        "button",
        {
          type: "button",
          class: "button small",
          data: { test },
          on: { click: (event) => this.move(event.currentTarget, by) },
        },
        label,
      );
    const clockCard = h(
      "section",
      { class: "tool", "aria-labelledby": "clock-title" },
      h("h2", { id: "clock-title" }, "Workspace clock"),
      this.time,
      h(
        "div",
        { class: "tool-buttons" },
        move("+1 hour", { hours: 1 }, "clock-1h"),
        move("+1 day", { days: 1 }, "clock-1d"),
        move("+3 days", { days: 3 }, "clock-3d"),
      ),
    );
    const directory = h(
      "button",
      {
        type: "button",
        class: "button small wide",
        data: { test: "directory-open" },
        on: {
          click: () => {
            this.toggle(false);
            this.actions.openDirectory();
          },
        },
      },
      "Directory",
    );
    this.tools.replaceChildren(
      ...(features.clock ? [clockCard] : []),
      ...(features.directory ? [directory] : []),
    );
    this.tools.hidden = !features.clock && !features.directory;
    this.drawTime();
  }

  drawTime() {
    if (this.time) this.time.textContent = clock(now());
  }

  async move(button, by) {
    if (button.hasAttribute("data-busy")) return;
    button.setAttribute("data-busy", "");
    try {
      await this.store.moveClock(by);
    } catch (error) {
      toast(explain(error), { key: "clock" });
    } finally {
      button.removeAttribute("data-busy");
    }
  }
}
