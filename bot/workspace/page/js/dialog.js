// A modal <dialog>: the browser makes the rest inert and closes the top layer on Escape; we add the wrap-around of Tab
// and the return of focus, also when the control that opened it was redrawn meanwhile.

import { focusables, h } from "./dom.js";

function wrapTab(dialog, event) {
  if (event.key !== "Tab") return;
  const stops = focusables(dialog);
  const edge = event.shiftKey ? stops[0] : stops.at(-1);
  if (document.activeElement !== edge && dialog.contains(document.activeElement)) return;
  event.preventDefault();
  (event.shiftKey ? stops.at(-1) : stops[0])?.focus();
}

function description(element) {
  const { actionId, test } = element.dataset;
  const row = element.closest("[data-ts]")?.dataset.ts;
  const scope = row ? `[data-ts="${CSS.escape(row)}"] ` : "";
  if (actionId) return [`${scope}[data-action-id="${CSS.escape(actionId)}"]`, scope.trim()];
  return [
    element.id ? `#${CSS.escape(element.id)}` : `${scope}[data-test="${CSS.escape(test ?? "")}"]`,
    scope.trim(),
  ];
}

/** Open a dialog; `cancel` is called on Escape. Returns {node, close}. */
export function openDialog({ test, role = "dialog", labelledBy, cancel }) {
  const opener = document.activeElement;
  const wayBack = opener && opener !== document.body ? description(opener) : [];
  const node = h("dialog", {
    class: "dialog",
    role,
    "aria-modal": "true",
    "aria-labelledby": labelledBy,
    data: { test },
  });
  node.addEventListener("cancel", (event) => {
    event.preventDefault();
    cancel();
  });
  // Chromium closes a dialog by itself at the second Escape; what is closed is ours to say.
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      cancel();
    } else wrapTab(node, event);
  });
  document.body.append(node);
  node.showModal();
  const close = () => {
    node.close();
    node.remove();
    const back = opener?.isConnected
      ? opener
      : wayBack.map((selector) => selector && document.querySelector(selector)).find(Boolean);
    (back ?? document.querySelector("[data-test='composer']"))?.focus({ preventScroll: true });
  };
  return { node, close };
}
