// The modal stack of this person: one dialog that shows the top view.

import { renderBlocks } from "./blocks.js";
import { setBusy } from "./controls.js";
import { openDialog } from "./dialog.js";
import { focusables, h, keepFocus } from "./dom.js";
import { problem } from "./inputs.js";
import { textObject } from "./mrkdwn.js";
import { surface } from "./surface.js";
import { announce, explain, toast, unanswered } from "./toast.js";

const comparable = (view) => JSON.stringify([view.id, view.title, view.blocks, view.submit, view.close]);

export class Modals {
  constructor(store) {
    this.store = store;
    this.values = new Map(); // view id -> values, so that a view below keeps what was typed
    store.listen("views", () => this.update());
  }

  update() {
    const { stack } = this.store;
    const known = new Set(stack.map((view) => view.id));
    for (const id of this.values.keys()) if (!known.has(id)) this.values.delete(id);
    const top = stack.at(-1);
    if (!top) this.shut();
    else if (!this.opened) this.open(top);
    else if (comparable(top) !== this.shown) this.redraw(top);
  }

  open(view) {
    this.opened = openDialog({ test: "modal", labelledBy: "modal-title", cancel: () => this.cancel() });
    this.draw(view);
    this.focusFirst();
  }

  shut() {
    this.opened?.close();
    this.opened = null;
    this.shown = null;
    this.view = null;
  }

  redraw(view) {
    const same = this.view.id === view.id;
    const draw = () => this.draw(view);
    if (same) {
      const { node } = this.opened;
      const scroll = node.querySelector(".modal-body").scrollTop;
      keepFocus(
        () => node,
        draw,
        () => node.querySelector("[data-test='modal-submit'], [data-test='modal-close']"),
      );
      node.querySelector(".modal-body").scrollTop = scroll;
    } else {
      draw();
      this.focusFirst();
    }
  }

  focusFirst() {
    const { node } = this.opened;
    const fields = focusables(node.querySelector(".modal-body")).filter((element) =>
      element.matches("input, select, textarea, button"),
    );
    const wanted =
      node.querySelector("[data-focus-on-load]") ??
      fields[0] ??
      node.querySelector("[data-test='modal-submit']") ??
      node.querySelector("[data-test='modal-close']");
    wanted?.focus();
  }

  draw(view) {
    this.view = view;
    this.shown = comparable(view);
    if (!this.values.has(view.id)) this.values.set(view.id, new Map());
    this.surface = surface(this.store, { view_id: view.id }, this.values.get(view.id));
    this.notice = h("div", { class: "modal-notice", role: "alert", data: { test: "modal-notice" } });
    this.submitButton = view.submit
      ? h(
          "button",
          { type: "submit", class: "button primary", data: { test: "modal-submit" } },
          textObject(view.submit),
        )
      : null;
    const cancel = () => this.cancel();
    const closeText = view.close ? textObject(view.close) : view.submit ? "Cancel" : "Close";
    this.opened.node.replaceChildren(
      h(
        "form",
        {
          class: "modal",
          novalidate: true,
          data: { test: "modal-form", viewId: view.id, callbackId: view.callback_id },
          on: { submit: (event) => this.submit(event) },
        },
        h(
          "header",
          { class: "modal-header" },
          h("h2", { id: "modal-title" }, textObject(view.title)),
          h(
            "button",
            {
              type: "button",
              class: "icon-button",
              "aria-label": "Close",
              data: { test: "modal-x" },
              on: { click: cancel },
            },
            "✕",
          ),
        ),
        h("div", { class: "modal-body" }, renderBlocks(view.blocks ?? [], this.surface), this.notice),
        h(
          "footer",
          { class: "modal-footer dialog-buttons" },
          h(
            "button",
            { type: "button", class: "button", data: { test: "modal-close" }, on: { click: cancel } },
            closeText,
          ),
          this.submitButton,
        ),
      ),
    );
  }

  showErrors(errors) {
    const unplaced = [];
    let first = null;
    for (const one of this.surface.inputs) {
      one.showError(errors[one.block.block_id] ?? null);
      if (errors[one.block.block_id]) first ??= one;
    }
    const placed = new Set(this.surface.inputs.map((one) => one.block.block_id));
    for (const [id, message] of Object.entries(errors)) if (!placed.has(id)) unplaced.push(message);
    this.notice.textContent = unplaced.join(" ");
    first?.field.focusable.focus();
    if (first) announce(errors[first.block.block_id]);
  }

  problems() {
    const found = this.surface.inputs.map(({ block, field }) => [block.block_id, problem(block, field)]);
    return Object.fromEntries(found.filter(([, message]) => message));
  }

  async submit(event) {
    event.preventDefault();
    if (!this.submitButton || this.submitButton.hasAttribute("data-busy")) return;
    const problems = this.problems();
    this.showErrors(problems);
    if (Object.keys(problems).length) return;
    const { view, submitButton } = this;
    setBusy(submitButton, true);
    try {
      const answer = await this.store.api.post("submit", { view_id: view.id, values: this.surface.state() });
      await this.answered(view, answer);
    } catch (error) {
      this.notice.textContent = explain(error);
    } finally {
      setBusy(submitButton, false);
    }
  }

  async answered(view, answer) {
    if (this.view !== view) return;
    if (answer.response_action === "errors") this.showErrors(answer.errors ?? {});
    else if (answer.acknowledged === false)
      this.notice.textContent = `${unanswered(this.store.app.name, answer.error)} What you wrote is kept.`;
    else await this.store.readViews();
  }

  async cancel() {
    const { view } = this;
    if (!view || this.closing) return;
    this.closing = true;
    try {
      await this.store.api.post("close", { view_id: view.id });
      await this.store.readViews();
    } catch (error) {
      toast(explain(error), { key: "close" });
    } finally {
      this.closing = false;
    }
  }
}
