// Interactive elements outside input blocks: buttons, selects, menus, pickers, feedback.

import { h, safeUrl } from "./dom.js";
import { openMenu } from "./menu.js";
import { textObject } from "./mrkdwn.js";
import { FIELDS, makeField } from "./fields.js";

/** Mark a control as waiting for the app. It keeps its size and its focus; clicks are ignored. */
export function setBusy(node, busy) {
  node.toggleAttribute("data-busy", busy);
  node.setAttribute("aria-busy", String(busy));
  if (busy) node.setAttribute("aria-disabled", "true");
  else node.removeAttribute("aria-disabled");
}

/** Tell the app about a use of `element`; true when it acknowledged in time. */
async function act(node, element, block, surface, fields) {
  if (node.hasAttribute("data-busy")) return false;
  if (element.confirm && !(await surface.confirm(element.confirm))) return false;
  setBusy(node, true);
  try {
    return await surface.act({
      block_id: block.block_id,
      action_id: element.action_id,
      type: element.type,
      ...(element.confirm ? { confirm: true } : {}),
      ...fields,
    });
  } finally {
    setBusy(node, false);
  }
}

function button(element, block, surface) {
  const label = textObject(element.text, surface.names);
  const properties = {
    class: `button ${element.style === "primary" ? "primary" : element.style === "danger" ? "danger" : ""}`,
    "aria-label": element.accessibility_label,
    data: { actionId: element.action_id, test: "button" },
  };
  const href = safeUrl(element.url);
  const use = async (event) => {
    const asks = href && element.confirm;
    if (asks) event.preventDefault();
    if ((await act(node, element, block, surface, { value: element.value })) && asks)
      window.open(href, "_blank", "noopener,noreferrer");
  };
  const node = href
    ? h(
        "a",
        { ...properties, href, target: "_blank", rel: "noopener noreferrer", on: { click: use } },
        label,
        h("span", { class: "out", "aria-hidden": "true" }, " ↗"),
      )
    : h("button", { ...properties, type: "button", on: { click: use } }, label);
  return node;
}

function overflow(element, block, surface) {
  const choose = (option) => {
    const href = safeUrl(option.url);
    if (href) window.open(href, "_blank", "noopener,noreferrer");
    return act(node, element, block, surface, { selected_option: option });
  };
  const node = h(
    "button",
    {
      type: "button",
      class: "button icon",
      "aria-label": "More actions",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      data: { actionId: element.action_id, test: "overflow" },
      on: {
        click: () =>
          openMenu(
            node,
            element.options.map((option) => ({
              label: textObject(option.text),
              choose: () => choose(option),
            })),
          ),
      },
    },
    "⋯",
  );
  return node;
}

function feedback(element, block, surface) {
  const one = (choice, symbol, name) => {
    const node = h(
      "button",
      {
        type: "button",
        class: "button feedback",
        "aria-label": choice.accessibility_label ?? choice.text?.text ?? name,
        "aria-pressed": "false",
        data: { actionId: element.action_id, option: choice.value, test: `feedback-${name}` },
        on: { click: () => give(node, choice) },
      },
      h("span", { "aria-hidden": "true" }, symbol),
      " ",
      textObject(choice.text),
    );
    return node;
  };
  const give = async (node, choice) => {
    if (!(await act(node, element, block, surface, { value: choice.value }))) return;
    for (const each of [good, bad]) each.setAttribute("aria-pressed", String(each === node));
  };
  const good = one(element.positive_button, "👍", "positive");
  const bad = one(element.negative_button, "👎", "negative");
  return h("span", { class: "feedback-pair", role: "group", "aria-label": "Feedback" }, good, bad);
}

function iconButton(element, block, surface) {
  const node = h(
    "button",
    {
      type: "button",
      class: "button",
      data: { actionId: element.action_id, test: "button" },
      on: { click: () => act(node, element, block, surface, { value: element.value }) },
    },
    h("span", { "aria-hidden": "true" }, element.icon === "trash" ? "🗑 " : ""),
    textObject(element.text),
  );
  return node;
}

/** A select, picker or text field that tells the app at once when it changes. */
function live(element, block, surface) {
  const label = element.placeholder?.text ?? element.accessibility_label ?? "Choose";
  const field = makeField(element, block, surface, {
    label,
    changed: async (state) => {
      const done = await act(field.node, element, block, surface, state);
      if (!done && element.confirm) field.reset();
    },
  });
  return h("span", { class: "live-field" }, field.node);
}

const CONTROLS = {
  button,
  overflow,
  feedback_buttons: feedback,
  icon_button: iconButton,
  workflow_button: button,
};

export function isControl(element) {
  return element.type in CONTROLS || element.type in FIELDS;
}

export function control(element, block, surface) {
  return (CONTROLS[element.type] ?? live)(element, block, surface);
}
