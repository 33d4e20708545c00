// Who you are here. Each tab is one person; a second window can be another.

import { avatar } from "./avatar.js";
import { $, h } from "./dom.js";
import { openMenu } from "./menu.js";

export class Persona {
  constructor(store, become) {
    Object.assign(this, { store, become, root: $("persona") });
    store.listen("people", () => this.draw());
  }

  draw() {
    const { store } = this;
    const me = store.people.get(store.me);
    if (!this.button) {
      this.button = h("button", {
        type: "button",
        class: "persona-button",
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        data: { test: "persona" },
        on: { click: () => this.open() },
      });
      this.root.replaceChildren(this.button);
    }
    this.button.dataset.user = store.me;
    this.button.replaceChildren(
      avatar(me, "tiny"),
      h(
        "span",
        { class: "persona-text" },
        h("span", { class: "persona-lead" }, "You are "),
        h("strong", {}, me.real_name),
      ),
      h("span", { class: "caret", "aria-hidden": "true" }, "▾"),
    );
  }

  open() {
    const items = this.store.names.people().map((person) => ({
      label: [
        avatar(person, "small"),
        h(
          "span",
          { class: "persona-option" },
          h("strong", {}, person.real_name),
          h("span", { class: "detail" }, person.title || (person.is_restricted ? "Guest" : "")),
        ),
      ],
      href: `?as=${encodeURIComponent(person.id)}`,
      checked: person.id === this.store.me,
      data: { test: "persona-option", user: person.id, name: person.real_name },
      choose: () => person.id !== this.store.me && this.become(person.id),
    }));
    openMenu(this.button, items, { test: "persona-menu", label: "Be another person" });
  }
}
