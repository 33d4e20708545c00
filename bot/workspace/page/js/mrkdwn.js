// Slack's mrkdwn -> nodes. `names` answers who a person, a channel or a group is.

import { slackDate } from "./dates.js";
import { fragment, h, link } from "./dom.js";
import { EMOJI, emoji, withEmoji } from "./emoji.js";

const STYLES = { "*": "strong", _: "em", "~": "s" };
const LONGEST = 3000; // a section's text; it keeps hostile text from taking quadratic time
const ADDRESS = /^https?:\/\/[^\s<>|]*[^\s<>|.,;:!?'")\]]/;

/** Slack escapes only these three. */
export function unescape(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

export function escape(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

export function mentionNode(id, label, names) {
  const mine = id === names.me;
  return h(
    "span",
    { class: mine ? "mention mention-me" : "mention", data: { user: id } },
    `@${names.person(id) ?? label ?? id}`,
  );
}

export function channelNode(id, label, names) {
  const name = names.channel(id) ?? label;
  return name
    ? h("a", { class: "mention", href: `#${id}` }, `#${name}`)
    : h("span", { class: "mention" }, "#private channel");
}

export function broadcastNode(range) {
  return h("span", { class: "mention mention-broadcast" }, `@${range}`);
}

export function emojiNode(name) {
  const character = emoji(name);
  return character
    ? h(
        "span",
        { class: "emoji", role: "img", "aria-label": name.replace(/_/g, " "), title: `:${name}:` },
        character,
      )
    : `:${name}:`;
}

function commandNode(body, label) {
  const [, name, argument, pattern, address] =
    body.match(/^!(\w+)(?:\^([^^]*))?(?:\^([^^]*))?(?:\^(.*))?$/) ?? [];
  if (name === "date") {
    const text = slackDate(argument, pattern ?? "", label ?? "");
    const node = h("time", { title: label }, text);
    return address ? link(address, node) : node;
  }
  if (name === "subteam") return h("span", { class: "mention" }, label ?? "@group");
  if (["channel", "here", "everyone"].includes(name)) return broadcastNode(name);
  return label ?? `<${body}>`;
}

function angleNode(content, names) {
  const bar = content.indexOf("|");
  const body = bar < 0 ? content : content.slice(0, bar);
  const label = bar < 0 ? undefined : unescape(content.slice(bar + 1));
  if (/^@[UW]/.test(body)) return mentionNode(body.slice(1), label, names);
  if (/^#[CGD]/.test(body)) return channelNode(body.slice(1), label, names);
  if (body.startsWith("!")) return commandNode(body, label);
  const address = unescape(body);
  if (!/^[a-z][a-z\d+.-]*:/i.test(address)) return `<${unescape(content)}>`;
  return link(address, label ? withEmoji(label) : address.replace(/^mailto:/, ""));
}

/** Where a style that opens at `start` closes, or -1. A style holds to one line and hugs its text. */
function closing(text, start) {
  const mark = text[start];
  if (/[\p{L}\p{N}]/u.test(text[start - 1] ?? " ") || /[\s]/.test(text[start + 1] ?? " ")) return -1;
  for (let end = start + 1; end < Math.min(text.length, start + LONGEST) && text[end] !== "\n"; end += 1) {
    if (text[end] === "<") end = Math.max(end, text.indexOf(">", end));
    if (
      text[end] === mark &&
      end > start + 1 &&
      !/\s/.test(text[end - 1]) &&
      !/[\p{L}\p{N}]/u.test(text[end + 1] ?? " ")
    )
      return end;
  }
  return -1;
}

function special(text, at, names) {
  const rest = text.slice(at);
  const character = text[at];
  if (character === "`") {
    const code = rest.match(/^`([^`\n]+)`/);
    return (
      code && [h("code", {}, unescape(code[1].replace(/<([^<>|]+\|)?([^<>]+)>/g, "$2"))), code[0].length]
    );
  }
  if (character === "<") {
    const angle = rest.match(/^<([^<>\n]+)>/);
    return angle && [angleNode(angle[1], names), angle[0].length];
  }
  if (STYLES[character]) {
    const end = closing(text, at);
    return end > 0 ? [h(STYLES[character], {}, inline(text.slice(at + 1, end), names)), end + 1 - at] : null;
  }
  if (character === ":") {
    const named = rest.match(new RegExp(`^${EMOJI.source}`));
    return named && emoji(named[1]) ? [emojiNode(named[1]), named[0].length] : null;
  }
  if (character === "h" && !/\w/.test(text[at - 1] ?? " ")) {
    const address = rest.match(ADDRESS);
    return address && [link(unescape(address[0]), unescape(address[0])), address[0].length];
  }
  return null;
}

/** One run of text, without blocks. */
export function inline(text, names) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const found = special(text, at, names);
    if (found) {
      if (plain) nodes.push(unescape(plain));
      plain = "";
      nodes.push(found[0]);
      at += found[1];
    } else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) nodes.push(unescape(plain));
  return nodes;
}

const LINES = [
  ["quote", /^(?:&gt;|>) ?(.*)$/],
  ["bullet", /^\s*[•◦-] +(.*)$/],
  ["number", /^\s*(\d+)\. +(.*)$/],
];

function kindOf(line) {
  for (const [kind, pattern] of LINES) {
    const match = line.match(pattern);
    if (match) return { kind, text: match.at(-1), start: kind === "number" ? match[1] : undefined };
  }
  return { kind: "text", text: line };
}

function group(lines) {
  const groups = [];
  for (const line of lines.map(kindOf)) {
    const last = groups.at(-1);
    if (last?.kind === line.kind) last.texts.push(line.text);
    else groups.push({ kind: line.kind, start: line.start, texts: [line.text] });
  }
  return groups;
}

function groupNode({ kind, texts, start }, names) {
  const items = () => texts.map((text) => h("li", {}, inline(text, names)));
  if (kind === "quote") return h("blockquote", {}, inline(texts.join("\n"), names));
  if (kind === "bullet") return h("ul", {}, items());
  if (kind === "number") return h("ol", { start }, items());
  return h("p", {}, inline(texts.join("\n"), names));
}

/** A whole text: code fences, quotes, lists and paragraphs. */
export function mrkdwn(text, names) {
  const nodes = String(text)
    .split(/```\n?([\s\S]*?)\n?```/)
    .flatMap((part, index) => {
      if (index % 2) return [h("pre", {}, h("code", {}, unescape(part)))];
      const trimmed = part.replace(/^\n|\n$/g, "");
      return trimmed ? group(trimmed.split("\n")).map((lines) => groupNode(lines, names)) : [];
    });
  return fragment(nodes);
}

/** A text object of Block Kit (or a string, read as plain text) -> nodes. */
export function textObject(object, names, { block = false } = {}) {
  if (object === null || object === undefined) return "";
  if (typeof object === "string") return withEmoji(object);
  if (object.type === "mrkdwn")
    return block ? mrkdwn(object.text, names) : fragment(inline(object.text, names));
  return object.emoji === false ? object.text : withEmoji(object.text);
}
