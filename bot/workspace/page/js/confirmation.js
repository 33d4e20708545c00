// The confirm dialog of an element.

import { h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { textObject } from "./mrkdwn.js";

/** Ask; true when the person confirms. */
export function confirmation(dialog, names) {
  return new Promise((resolve) => {
    const answer = (yes) => () => {
      opened.close();
      resolve(yes);
    };
    const opened = openDialog({
      test: "confirm",
      role: "alertdialog",
      labelledBy: "confirm-title",
      cancel: answer(false),
    });
    const style = dialog.style === "danger" ? "danger" : "primary";
    const deny = h(
      "button",
      { type: "button", class: "button", data: { test: "confirm-no" }, on: { click: answer(false) } },
      textObject(dialog.deny) || "Cancel",
    );
    opened.node.classList.add("confirm");
    opened.node.setAttribute("aria-describedby", "confirm-text");
    opened.node.append(
      h("h2", { id: "confirm-title" }, textObject(dialog.title)),
      h("div", { id: "confirm-text", class: "rendered" }, textObject(dialog.text, names, { block: true })),
      h(
        "div",
        { class: "dialog-buttons" },
        deny,
        h(
          "button",
          {
            type: "button",
            class: `button ${style}`,
            data: { test: "confirm-yes" },
            on: { click: answer(true) },
          },
          textObject(dialog.confirm) || "Yes",
        ),
      ),
    );
    deny.focus();
  });
}
