// The `markdown` block: the part of CommonMark that Slack shows, -> nodes.

import { fragment, h, link } from "./dom.js";
import { withEmoji } from "./emoji.js";

const INLINE = [
  [/^`([^`\n]+)`/, (match) => h("code", {}, match[1])],
  [/^!\[([^\]]*)\]\(([^)\s]+)[^)]*\)/, (match) => link(match[2], match[1] || match[2])],
  [/^\[((?:[^\]\\]|\\.)+)\]\(([^)\s]+)[^)]*\)/, (match) => link(match[2], spans(match[1]))],
  [/^<(https?:\/\/[^>\s]+|mailto:[^>\s]+)>/, (match) => link(match[1], match[1])],
  [/^(\*\*|__)(?=\S)(.+?)(?<=\S)\1/, (match) => h("strong", {}, spans(match[2]))],
  [/^~~(?=\S)(.+?)(?<=\S)~~/, (match) => h("s", {}, spans(match[1]))],
  [/^([*_])(?=\S)(.+?)(?<=\S)\1(?!\w)/, (match) => h("em", {}, spans(match[2]))],
  [/^https?:\/\/[^\s<>]*[^\s<>.,;:!?'")\]]/, (match) => link(match[0], match[0])],
  [/^\\([\\`*_{}[\]()#+\-.!~<>|])/, (match) => match[1]],
];

const MARKS = new Set("`![<*_~h\\");

function spans(text) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const inWord = /\w/.test(text[at - 1] ?? " ") && /[_h]/.test(text[at]);
    const rest = text.slice(at);
    const hit =
      inWord || !MARKS.has(text[at])
        ? null
        : INLINE.map(([pattern, make]) => [rest.match(pattern), make]).find(([match]) => match);
    if (hit) {
      if (plain) nodes.push(withEmoji(plain));
      plain = "";
      nodes.push(hit[1](hit[0]));
      at += hit[0][0].length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) nodes.push(withEmoji(plain));
  return nodes;
}

const cells = (line) =>
  line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());

function tableNode(lines) {
  const [head, , ...rows] = lines.map(cells);
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((cell) => h("th", { scope: "col" }, spans(cell))),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((cell) => h("td", {}, spans(cell))),
          ),
        ),
      ),
    ),
  );
}

const BULLET = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;

function listNode(lines) {
  const first = lines[0].match(BULLET);
  const list = h(first[2] ? "ol" : "ul", { start: first[2] });
  for (let index = 0; index < lines.length;) {
    const nested = [];
    let next = index + 1;
    while (next < lines.length && (lines[next].match(BULLET)?.[1].length ?? 99) > first[1].length)
      nested.push(lines[next++]);
    const inner = nested.filter((line) => BULLET.test(line));
    const more = nested
      .filter((line) => !BULLET.test(line))
      .map((line) => ` ${line.trim()}`)
      .join("");
    list.append(
      h("li", {}, spans(lines[index].match(BULLET)[3] + more), inner.length ? listNode(inner) : null),
    );
    index = next;
  }
  return list;
}

const RULES = [
  { test: (line) => /^```/.test(line), take: takeFence },
  {
    test: (line) => /^#{1,6}\s/.test(line),
    take: (lines) => [h("p", { class: "md-heading" }, spans(lines[0].replace(/^#+\s+|\s+#+$/g, ""))), 1],
  },
  { test: (line) => /^ {0,3}([-*_])( *\1){2,}\s*$/.test(line), take: () => [h("hr"), 1] },
  {
    test: (line) => /^>/.test(line),
    take: (lines) =>
      takeWhile(
        lines,
        (line) => /^>/.test(line),
        (run) => h("blockquote", {}, markdown(run.map((line) => line.replace(/^> ?/, "")).join("\n"))),
      ),
  },
  {
    test: (line, next) => line.includes("|") && /^\s*\|?[\s:|-]+-[\s:|-]*$/.test(next ?? ""),
    take: (lines) => takeWhile(lines, (line) => line.includes("|"), tableNode),
  },
  {
    test: (line) => BULLET.test(line),
    take: (lines) => takeWhile(lines, (line) => BULLET.test(line) || /^\s+\S/.test(line), listNode),
  },
];

function takeWhile(lines, matches, make) {
  const end = lines.findIndex((line) => !matches(line));
  const run = end < 0 ? lines : lines.slice(0, end);
  return [make(run), run.length];
}

function takeFence(lines) {
  const end = lines.findIndex((line, index) => index > 0 && /^```/.test(line));
  const body = lines.slice(1, end < 0 ? undefined : end);
  return [h("pre", {}, h("code", {}, body.join("\n"))), end < 0 ? lines.length : end + 1];
}

function takeParagraph(lines) {
  const end = lines.findIndex(
    (line, index) => index > 0 && (!line.trim() || RULES.some((rule) => rule.test(line, lines[index + 1]))),
  );
  const run = end < 0 ? lines : lines.slice(0, end);
  return [h("p", {}, spans(run.join("\n"))), run.length];
}

export function markdown(text) {
  const nodes = [];
  for (let lines = text.split("\n"); lines.length;) {
    if (!lines[0].trim()) {
      lines = lines.slice(1);
      continue;
    }
    const rule = RULES.find(({ test }) => test(lines[0], lines[1]));
    const [node, used] = (rule?.take ?? takeParagraph)(lines);
    nodes.push(node);
    lines = lines.slice(used);
  }
  return fragment(nodes);
}
