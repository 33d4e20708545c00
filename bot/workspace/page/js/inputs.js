// The input block: label, hint, field, and the error that belongs to it.

import { h } from "./dom.js";
import { FIELDS, makeField } from "./fields.js";
import { textObject } from "./mrkdwn.js";

let count = 0;

const isEmpty = (state) =>
  Object.entries(state).every(
    ([key, value]) => key === "type" || value === null || (Array.isArray(value) && !value.length),
  );

function lengthProblem(element, text) {
  if (element.min_length && text.length < element.min_length)
    return `Please write at least ${element.min_length} characters.`;
  if (element.max_length && text.length > element.max_length)
    return `Please write at most ${element.max_length} characters (now ${text.length}).`;
  return null;
}

function numberProblem(element, text) {
  const pattern = element.is_decimal_allowed ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/;
  if (!pattern.test(text))
    return element.is_decimal_allowed ? "Please enter a number." : "Please enter a whole number.";
  if (element.min_value !== undefined && Number(text) < Number(element.min_value))
    return `Please enter ${element.min_value} or more.`;
  if (element.max_value !== undefined && Number(text) > Number(element.max_value))
    return `Please enter ${element.max_value} or less.`;
  return null;
}

const CHECKS = {
  plain_text_input: (element, state) => lengthProblem(element, state.value),
  number_input: (element, state) => numberProblem(element, state.value),
  email_text_input: (_, state) =>
    /^[^\s@]+@[^\s@]+$/.test(state.value) ? null : "Please enter an e-mail address.",
  url_text_input: (_, state) =>
    /^https?:\/\/\S+$/.test(state.value) ? null : "Please enter an address that starts with https://.",
};

/** What is wrong with a field before it is sent, as Slack checks it in the client; null when nothing is. */
export function problem(block, field) {
  if (field.focusable?.validity?.badInput)
    return block.element.type === "number_input" ? "Please enter a number." : "This is not complete.";
  const state = field.state();
  if (isEmpty(state)) return block.optional ? null : "Please complete this required field.";
  return CHECKS[block.element.type]?.(block.element, state) ?? null;
}

function describe(field, hintId, errorId, block) {
  const target = field.node.getAttribute("role") ? field.node : field.focusable;
  target.setAttribute("aria-describedby", [block.hint ? hintId : null, errorId].filter(Boolean).join(" "));
  if (!block.optional) target.setAttribute("aria-required", "true");
  return target;
}

/** An input block. The surface collects `{block, field, showError}` so that it can check and submit. */
export function input(block, surface) {
  if (!FIELDS[block.element.type]) return h("em", {}, `[${block.element.type} is not shown here]`);
  const id = `input-${(count += 1)}`;
  const field = makeField(block.element, block, surface, {
    changed: block.dispatch_action
      ? (state) =>
          surface.act({
            block_id: block.block_id,
            action_id: block.element.action_id,
            type: block.element.type,
            ...state,
          })
      : null,
  });
  const isGroup = Boolean(field.node.getAttribute("role"));
  const label = h(
    isGroup ? "div" : "label",
    { class: "input-label", id: `${id}-label`, for: isGroup ? null : id },
    textObject(block.label, surface.names),
    block.optional ? h("span", { class: "optional" }, " (optional)") : null,
  );
  if (isGroup) field.node.setAttribute("aria-labelledby", `${id}-label`);
  else field.focusable.id = id;
  const error = h("div", {
    class: "input-error",
    id: `${id}-error`,
    data: { test: "field-error" },
    hidden: true,
  });
  const described = describe(field, `${id}-hint`, `${id}-error`, block);
  const showError = (message) => {
    error.textContent = message ?? "";
    error.hidden = !message;
    described.setAttribute("aria-invalid", String(Boolean(message)));
  };
  surface.inputs?.push({ block, field, showError });
  return h(
    "div",
    { class: "input" },
    label,
    field.node,
    block.hint ? h("div", { class: "hint", id: `${id}-hint` }, textObject(block.hint, surface.names)) : null,
    error,
  );
}
