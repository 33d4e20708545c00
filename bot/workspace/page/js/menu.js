// A pop-up menu at a button: arrow keys, Home, End, Escape; focus goes back to the button.

import { h } from "./dom.js";

let close = null;

/** Open `items` ({label, choose} or {label, href}) under `button`; a second call closes it. */
export function openMenu(button, items, { test = "menu-list", label = "Menu" } = {}) {
  if (close) {
    const same = close.button === button;
    close();
    if (same) return;
  }
  const menu = h(
    "div",
    { class: "menu", role: "menu", "aria-label": label, data: { test } },
    items.map((item) => entry(item)),
  );
  const host = button.closest("dialog") ?? document.body;
  host.append(menu);
  place(menu, button);
  button.setAttribute("aria-expanded", "true");

  function entry(item) {
    const role = item.checked === undefined ? "menuitem" : "menuitemradio";
    const properties = {
      role,
      tabindex: "-1",
      class: "menu-item",
      "aria-checked": item.checked === undefined ? null : String(item.checked),
      data: item.data ?? {},
    };
    const choose = (event) => {
      if (item.href && (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0)) return;
      event.preventDefault();
      finish();
      item.choose();
    };
    return h(
      item.href ? "a" : "button",
      { ...properties, type: item.href ? null : "button", href: item.href, on: { click: choose } },
      item.label,
    );
  }

  const entries = [...menu.querySelectorAll(".menu-item")];

  function finish() {
    close = null;
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    button.focus({ preventScroll: true });
  }

  function outside(event) {
    if (!menu.contains(event.target) && !button.contains(event.target)) finish();
  }

  menu.addEventListener("keydown", (event) => {
    const at = entries.indexOf(document.activeElement);
    const targets = {
      ArrowDown: (at + 1) % entries.length,
      ArrowUp: (at - 1 + entries.length) % entries.length,
      Home: 0,
      End: entries.length - 1,
    };
    if (event.key in targets) entries[targets[event.key]].focus();
    else if (event.key === "Escape" || event.key === "Tab") finish();
    else if (event.key === " ") document.activeElement.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", outside, true);
  close = Object.assign(finish, { button });
  (entries.find((_, index) => items[index].checked) ?? entries[0])?.focus();
}

function place(menu, button) {
  const box = button.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, window.innerWidth - menu.offsetWidth - 8));
  const below = box.bottom + 4 + menu.offsetHeight < window.innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - menu.offsetHeight - 4)}px`;
}
