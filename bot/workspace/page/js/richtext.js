// rich_text blocks -> nodes.

import { slackDate } from "./dates.js";
import { h, link } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { broadcastNode, channelNode, emojiNode, mentionNode } from "./mrkdwn.js";

function styled(node, style = {}) {
  let result = node;
  if (style.code) result = h("code", {}, result);
  if (style.strike) result = h("s", {}, result);
  if (style.italic) result = h("em", {}, result);
  if (style.bold) result = h("strong", {}, result);
  return result;
}

const LEAVES = {
  text: (leaf) => leaf.text,
  link: (leaf) => link(leaf.url, withEmoji(leaf.text ?? leaf.url)),
  user: (leaf, names) => mentionNode(leaf.user_id, undefined, names),
  channel: (leaf, names) => channelNode(leaf.channel_id, undefined, names),
  usergroup: () => h("span", { class: "mention" }, "@group"),
  broadcast: (leaf) => broadcastNode(leaf.range),
  emoji: (leaf) => emojiNode(leaf.name),
  date: (leaf) => h("time", {}, slackDate(leaf.timestamp, leaf.format ?? "{date}", leaf.fallback ?? "")),
  color: (leaf) => h("code", {}, leaf.value),
};

function leaves(elements, names) {
  return (elements ?? []).map((leaf) => styled(LEAVES[leaf.type]?.(leaf, names) ?? "", leaf.style));
}

function listNode(element, names) {
  const tag = element.style === "ordered" ? "ol" : "ul";
  const depth = Math.min(element.indent ?? 0, 8);
  return h(
    tag,
    { class: `indent-${depth}`, start: element.offset ? element.offset + 1 : null },
    element.elements.map((item) => h("li", {}, leaves(item.elements, names))),
  );
}

const PARTS = {
  rich_text_section: (element, names) => h("p", {}, leaves(element.elements, names)),
  rich_text_quote: (element, names) => h("blockquote", {}, leaves(element.elements, names)),
  rich_text_preformatted: (element, names) => h("pre", {}, h("code", {}, leaves(element.elements, names))),
  rich_text_list: listNode,
};

export function richText(block, names) {
  return block.elements.map((element) => PARTS[element.type]?.(element, names) ?? "");
}
