// A text box with a list below it, for selects whose options the app supplies.

import { h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const PAUSE = 180;
let count = 0;

/** `load(query)` gives options; `chosen(option)` is told. */
export function combobox({ placeholder, load, least, chosen }) {
  const id = `combobox-${(count += 1)}`;
  const list = h("ul", { class: "listbox", role: "listbox", id, hidden: true });
  const input = h("input", {
    type: "text",
    class: "control",
    role: "combobox",
    autocomplete: "off",
    placeholder,
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
    on: {
      input: () => search(),
      focus: () => search(),
      keydown: (event) => press(event),
      blur: () => close(),
    },
  });
  let value = null;
  let options = [];
  let active = -1;
  let timer;
  let asked = 0;

  function show(found) {
    options = found;
    active = found.length ? 0 : -1;
    list.replaceChildren(
      ...found.map((option, index) =>
        h(
          "li",
          {
            role: "option",
            id: `${id}-${index}`,
            on: {
              mousedown: (event) => {
                event.preventDefault();
                pick(index);
              },
            },
          },
          textObject(option.text),
        ),
      ),
    );
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    mark();
  }

  function mark() {
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === active)));
    if (active >= 0) input.setAttribute("aria-activedescendant", `${id}-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function search() {
    clearTimeout(timer);
    if (input.value.length < least) return;
    timer = setTimeout(async () => {
      const turn = (asked += 1);
      const found = await load(input.value);
      if (turn === asked && document.activeElement === input) show(found);
    }, PAUSE);
  }

  function close() {
    clearTimeout(timer);
    asked += 1;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.value = value ? textObject(value.text) : "";
  }

  function pick(index) {
    set(options[index]);
    close();
    chosen(value);
  }

  function set(option) {
    value = option ?? null;
    input.value = value ? textObject(value.text) : "";
  }

  function press(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps && options.length)
      active = (active + steps[event.key] + options.length) % options.length;
    else if (event.key === "Enter" && active >= 0 && !list.hidden) pick(active);
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
    mark();
  }

  return { node: h("span", { class: "combobox" }, input, list), input, value: () => value, set };
}
