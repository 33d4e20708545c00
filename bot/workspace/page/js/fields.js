// The form elements of Block Kit. Each knows its state as Slack sends it in `view.state.values`.

import { combobox } from "./combobox.js";
import { h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const plain = (object) =>
  object
    ? object.emoji === false
      ? object.text
      : textObject({ type: "plain_text", text: object.text })
    : "";
const blankToNull = (text) => (text === "" ? null : text);

function identify(node, element, extra = {}) {
  Object.assign(node.dataset, { actionId: element.action_id, test: "field", ...extra });
  return node;
}

/** One native text-like input: `read` and `write` are between its text and the state. */
function textual(
  element,
  field,
  {
    type = "text",
    key = "value",
    multiline = false,
    read = blankToNull,
    write = (value) => value ?? "",
    initial,
    attributes = {},
  },
) {
  const properties = {
    placeholder: plain(element.placeholder) || null,
    class: "control",
    autocomplete: "off",
    ...(multiline ? { rows: "4" } : { type }),
    ...attributes,
    on: {
      input: () => field.typed(),
      change: () => field.settled(),
      keydown: (event) => field.pressed(event, multiline),
    },
  };
  const node = identify(h(multiline ? "textarea" : "input", properties), element);
  return {
    node,
    state: () => ({ type: element.type, [key]: read(node.value) }),
    load: (state) => {
      node.value = write(state[key]);
    },
    initial: { [key]: initial ?? null },
    size: () => node.value.length,
  };
}

function optionGroups(element) {
  if (element.option_groups)
    return element.option_groups.map((group) => ({ label: plain(group.label), options: group.options }));
  return [{ label: null, options: element.options ?? [] }];
}

const allOptions = (element) => optionGroups(element).flatMap((group) => group.options);

function select(element, field) {
  const option = (item) => h("option", { value: item.value }, plain(item.text));
  const node = identify(
    h(
      "select",
      { class: "control", on: { change: () => field.settled() } },
      h("option", { value: "" }, plain(element.placeholder) || "Choose an option"),
      optionGroups(element).map((group) =>
        group.label
          ? h("optgroup", { label: group.label }, group.options.map(option))
          : group.options.map(option),
      ),
    ),
    element,
  );
  const chosen = () => allOptions(element).find((item) => item.value === node.value) ?? null;
  return {
    node: h("span", { class: "select" }, node),
    focusable: node,
    state: () => ({ type: element.type, selected_option: chosen() }),
    load: (state) => {
      node.value = state.selected_option?.value ?? "";
    },
    initial: { selected_option: element.initial_option ?? null },
  };
}

function ids(element, surface) {
  if (element.type.includes("users"))
    return surface.names.people().map((person) => ({ value: person.id, text: { text: person.real_name } }));
  return surface.names
    .channels()
    .map((channel) => ({ value: channel.id, text: { text: `#${channel.name}` } }));
}

const ID_KEYS = {
  users_select: ["selected_user", "initial_user"],
  conversations_select: ["selected_conversation", "initial_conversation"],
  channels_select: ["selected_channel", "initial_channel"],
  multi_users_select: ["selected_users", "initial_users"],
  multi_conversations_select: ["selected_conversations", "initial_conversations"],
  multi_channels_select: ["selected_channels", "initial_channels"],
};

function idSelect(element, field, surface) {
  const [key, initial] = ID_KEYS[element.type];
  const many = element.type.startsWith("multi_");
  const inner = (many ? multiple : select)({ ...element, options: ids(element, surface) }, field);
  const option = (id) => ({ value: id });
  return {
    ...inner,
    state: () => {
      const state = inner.state();
      return {
        type: element.type,
        [key]: many
          ? state.selected_options.map((item) => item.value)
          : (state.selected_option?.value ?? null),
      };
    },
    load: (state) =>
      inner.load(
        many
          ? { selected_options: (state[key] ?? []).map(option) }
          : { selected_option: state[key] ? option(state[key]) : null },
      ),
    initial: { [key]: element[initial] ?? (many ? [] : null) },
  };
}

/** Several of a list: check boxes in a scrolling box, so that keyboard and screen reader need nothing special. */
function multiple(element, field) {
  const result = choices(element, field, "checkbox");
  result.node.classList.add("multi");
  return result;
}

let groups = 0;

function choices(element, field, type) {
  const name = `choice-${(groups += 1)}`;
  const options = allOptions(element);
  const one = (item) => {
    const box = h("input", {
      type,
      name,
      value: item.value,
      data: { actionId: element.action_id, option: item.value },
      on: { change: () => field.settled() },
    });
    return h(
      "label",
      { class: "choice" },
      box,
      h(
        "span",
        {},
        textObject(item.text, field.names),
        item.description
          ? h("span", { class: "choice-description" }, textObject(item.description, field.names))
          : null,
      ),
    );
  };
  const node = identify(
    h(
      "div",
      { class: "choices", role: type === "radio" ? "radiogroup" : "group", tabindex: "-1" },
      options.map(one),
    ),
    element,
  );
  const boxes = [...node.querySelectorAll("input")];
  const picked = () => options.filter((_, index) => boxes[index].checked);
  const load = (values) =>
    boxes.forEach((box) => {
      box.checked = values.includes(box.value);
    });
  if (type === "radio") {
    return {
      node,
      focusable: boxes[0],
      state: () => ({ type: element.type, selected_option: picked()[0] ?? null }),
      load: (state) => load(state.selected_option ? [state.selected_option.value] : []),
      initial: { selected_option: element.initial_option ?? null },
    };
  }
  return {
    node,
    focusable: boxes[0],
    state: () => ({ type: element.type, selected_options: picked() }),
    load: (state) => load((state.selected_options ?? []).map((item) => item.value)),
    initial: { selected_options: element.initial_options ?? [] },
  };
}

function external(element, field, surface, block) {
  const load = (query) =>
    surface.options({ block_id: block.block_id, action_id: element.action_id, value: query });
  const box = combobox({
    placeholder: plain(element.placeholder),
    load,
    least: element.min_query_length ?? 0,
    chosen: () => field.settled(),
  });
  identify(box.input, element);
  return {
    node: box.node,
    focusable: box.input,
    state: () => ({ type: element.type, selected_option: box.value() }),
    load: (state) => box.set(state.selected_option),
    initial: { selected_option: element.initial_option ?? null },
  };
}

const pad = (number) => String(number).padStart(2, "0");
function localMinutes(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

const richOf = (text) => ({
  type: "rich_text",
  elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }],
});
const textOfRich = (value) =>
  (value?.elements ?? [])
    .flatMap((part) => part.elements ?? [])
    .map((leaf) => leaf.text ?? "")
    .join("");

export const FIELDS = {
  plain_text_input: (element, field) =>
    textual(element, field, { multiline: element.multiline === true, initial: element.initial_value }),
  email_text_input: (element, field) =>
    textual(element, field, { type: "email", initial: element.initial_value }),
  url_text_input: (element, field) =>
    textual(element, field, { type: "url", initial: element.initial_value }),
  number_input: (element, field) =>
    textual(element, field, {
      type: "number",
      initial: element.initial_value,
      attributes: {
        step: element.is_decimal_allowed ? "any" : "1",
        min: element.min_value,
        max: element.max_value,
      },
    }),
  datepicker: (element, field) =>
    textual(element, field, { type: "date", key: "selected_date", initial: element.initial_date }),
  timepicker: (element, field) =>
    textual(element, field, { type: "time", key: "selected_time", initial: element.initial_time }),
  datetimepicker: (element, field) =>
    textual(element, field, {
      type: "datetime-local",
      key: "selected_date_time",
      initial: element.initial_date_time,
      read: (text) => (text ? Math.floor(new Date(text).getTime() / 1000) : null),
      write: localMinutes,
    }),
  rich_text_input: (element, field) =>
    textual(element, field, {
      multiline: true,
      key: "rich_text_value",
      initial: element.initial_value,
      read: (text) => (text ? richOf(text) : null),
      write: textOfRich,
    }),
  static_select: select,
  multi_static_select: multiple,
  external_select: external,
  checkboxes: (element, field) => choices(element, field, "checkbox"),
  radio_buttons: (element, field) => choices(element, field, "radio"),
  ...Object.fromEntries(Object.keys(ID_KEYS).map((type) => [type, idSelect])),
};

function triggers(element) {
  const on = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  return { enter: on.includes("on_enter_pressed"), character: on.includes("on_character_entered") };
}

const TYPED = new Set([
  "plain_text_input",
  "email_text_input",
  "url_text_input",
  "number_input",
  "rich_text_input",
]);

/** Build the field of `element`; its state lives in `surface.values`, so that a redrawn surface keeps it. `changed(state)` is called when Slack would tell the app. */
export function makeField(element, block, surface, { label, changed }) {
  const key = `${block.block_id}/${element.action_id}`;
  surface.keys.add(key);
  const remember = () => surface.values.set(key, made.state());
  const tell = () => changed?.(made.state());
  const { enter, character } = triggers(element);
  const field = {
    names: surface.names,
    typed: () => {
      remember();
      if (character) tell();
    },
    settled: () => {
      remember();
      if (!TYPED.has(element.type)) tell();
    },
    pressed: (event, multiline) => {
      if (event.key !== "Enter" || event.isComposing || multiline || !changed || !enter) return;
      event.preventDefault();
      remember();
      tell();
    },
  };
  const made = FIELDS[element.type](element, field, surface, block);
  const initial = { type: element.type, ...made.initial };
  const kept = surface.values.get(key);
  made.load(kept?.type === element.type ? kept : initial);
  remember();
  const focusable = made.focusable ?? made.node;
  if (label) (made.node.getAttribute("role") ? made.node : focusable).setAttribute("aria-label", label);
  if (element.focus_on_load) focusable.dataset.focusOnLoad = "true";
  return {
    node: made.node,
    focusable,
    state: made.state,
    key,
    reset: () => {
      made.load(initial);
      remember();
    },
  };
}
