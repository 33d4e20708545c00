// Initials on the person's colour.

import { h } from "./dom.js";

const PALETTE = ["#2f6f4f", "#7a4b9a", "#a3472f", "#2b5f9e", "#8a6a12", "#9b3468", "#3b6b73", "#5a5f2a"];

function fallbackColour(id) {
  const sum = [...id].reduce((total, character) => (total * 31 + character.codePointAt(0)) % 9973, 7);
  return PALETTE[sum % PALETTE.length];
}

function colourOf(person) {
  const match = /^#?([0-9a-f]{6})$/i.exec(person.color ?? "");
  return match ? `#${match[1]}` : fallbackColour(person.id);
}

function isLight(colour) {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18;
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return (
    letters
      .map((word) => [...word][0])
      .join("")
      .toUpperCase() || "?"
  );
}

export function avatar(person, size = "") {
  const colour = colourOf(person);
  const node = h(
    "span",
    {
      class: `avatar ${size} ${isLight(colour) ? "avatar-light" : ""} ${person.is_bot ? "avatar-app" : ""}`,
      "aria-hidden": "true",
    },
    person.is_bot ? "" : initials(person.real_name || person.name || "?"),
  );
  if (!person.is_bot) node.style.backgroundColor = colour;
  return node;
}
