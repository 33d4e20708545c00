// Block Kit -> nodes. A surface (message, modal, home) says what its controls do.

import { control, isControl } from "./controls.js";
import { h, link } from "./dom.js";
import { input } from "./inputs.js";
import { markdown } from "./markdown.js";
import { textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";

function section(block, surface) {
  const { names } = surface;
  const body = h(
    "div",
    { class: "section-body rendered" },
    block.text ? h("div", { class: "section-text" }, textObject(block.text, names, { block: true })) : null,
    block.fields
      ? h(
          "div",
          { class: "fields" },
          block.fields.map((field) =>
            h("div", { class: "field" }, textObject(field, names, { block: true })),
          ),
        )
      : null,
  );
  return h(
    "div",
    { class: "section" },
    body,
    block.accessory ? h("div", { class: "accessory" }, element(block.accessory, block, surface)) : null,
  );
}

function image(block) {
  const label = block.alt_text || "Image";
  const title = block.title ? h("div", { class: "image-title" }, textObject(block.title)) : null;
  const address = block.image_url ?? block.slack_file?.url;
  return h(
    "div",
    { class: "image" },
    title,
    h("span", { "aria-hidden": "true" }, "🖼 "),
    address ? link(address, label) : label,
  );
}

function element(item, block, surface) {
  if (item.type === "image") return image(item);
  if (isControl(item)) return control(item, block, surface);
  if (typeof item.text !== "string") return h("em", {}, `[${item.type} is not shown here]`);
  return h("span", {}, textObject(item, surface.names));
}

function table(block, surface) {
  const cell = (item) => (item.type === "rich_text" ? richText(item, surface.names) : (item.text ?? ""));
  const [head, ...rows] = block.rows;
  return h(
    "div",
    { class: "table-scroll rendered", tabindex: "0", role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((item) => h("th", { scope: "col" }, cell(item))),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((item) => h("td", {}, cell(item))),
          ),
        ),
      ),
    ),
  );
}

const TASK_MARKS = {
  complete: ["✓", "done"],
  in_progress: ["…", "in progress"],
  error: ["!", "failed"],
  pending: ["○", "waiting"],
};

function task(item, surface) {
  const [mark, words] = TASK_MARKS[item.status] ?? TASK_MARKS.pending;
  const rich = (part) =>
    part ? h("div", { class: "rendered task-detail" }, richText(part, surface.names)) : null;
  return h(
    "li",
    { class: `task task-${item.status}` },
    h("span", { class: "task-mark", "aria-hidden": "true" }, mark),
    h("span", {}, item.title),
    h("span", { class: "visually-hidden" }, ` (${words})`),
    rich(item.details),
    rich(item.output),
  );
}

const BLOCKS = {
  section,
  header: (block, surface) => h("h3", { class: "block-header" }, textObject(block.text, surface.names)),
  context: (block, surface) =>
    h(
      "div",
      { class: "context rendered" },
      block.elements.map((item) => h("span", { class: "context-item" }, element(item, block, surface))),
    ),
  divider: () => h("hr"),
  actions: (block, surface) =>
    h(
      "div",
      { class: "actions" },
      block.elements.map((item) => element(item, block, surface)),
    ),
  context_actions: (block, surface) =>
    h(
      "div",
      { class: "actions context-actions" },
      block.elements.map((item) => element(item, block, surface)),
    ),
  input,
  rich_text: (block, surface) => h("div", { class: "rendered" }, richText(block, surface.names)),
  markdown: (block) => h("div", { class: "rendered" }, markdown(block.text)),
  image,
  table,
  plan: (block, surface) =>
    h(
      "div",
      { class: "plan" },
      h("strong", {}, textObject(block.title)),
      h(
        "ul",
        {},
        (block.tasks ?? []).map((item) => task(item, surface)),
      ),
    ),
  task_card: (block, surface) => h("ul", { class: "plan" }, task(block, surface)),
};

/** One element for each block; a kind that we do not know says so instead of vanishing. */
export function renderBlocks(blocks, surface) {
  return blocks.map((block, index) => {
    const identified = block.block_id ? block : { ...block, block_id: `block-${index}` };
    const render = BLOCKS[block.type];
    return h(
      "div",
      {
        class: `block block-${BLOCKS[block.type] ? block.type : "unknown"}`,
        data: { blockId: identified.block_id, test: "block" },
      },
      render ? render(identified, surface) : h("em", {}, `[${block.type} is not shown here]`),
    );
  });
}
