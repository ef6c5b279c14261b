// Block Kit -> DOM nodes, for messages and for views alike. https://docs.slack.dev/reference/block-kit
//
// `host` is where the blocks stand: `host.act({element, block, value, button})` is told each action,
// `host.form` holds the values of a view (null in a message).

import { busy, el, icon } from "./dom.js";
import { control, isControl } from "./controls.js";
import { askConfirm, openMenu, optionGroups } from "./menu.js";
import { richText, textNode } from "./text.js";

/** Nodes for `blocks`, one each. */
export const renderBlocks = (blocks, host) => blocks.map((block) => renderBlock(block, host));

function renderBlock(block, host) {
  const render = RENDERERS[block.type];
  return render
    ? render(block, host)
    : el("div", { class: "block unknown" }, `(a block of type ${block.type})`);
}

const RENDERERS = {
  section: (block, host) =>
    el(
      "div",
      { class: "block section" },
      el(
        "div",
        { class: "section-main" },
        block.text && el("div", {}, textNode(block.text)),
        block.fields &&
          el(
            "div",
            { class: "fields" },
            ...block.fields.map((field) => el("div", {}, textNode(field))),
          ),
      ),
      block.accessory &&
        el("div", { class: "accessory" }, renderElement(block.accessory, block, host)),
    ),
  header: (block) => el("h3", { class: "block header" }, textNode(block.text)),
  divider: () => el("hr", { class: "block" }),
  context: (block, host) =>
    el(
      "div",
      { class: "block context" },
      ...block.elements.map((part) => renderElement(part, block, host)),
    ),
  actions: (block, host) =>
    el(
      "div",
      { class: "block actions" },
      ...block.elements.map((part) => renderElement(part, block, host)),
    ),
  input: (block, host) => inputBlock(block, host),
  rich_text: (block) => el("div", { class: "block" }, richText(block)),
  image: (block) => picture(block),
};

function renderElement(element, block, host) {
  if (element.type === "mrkdwn" || element.type === "plain_text") return textNode(element);
  if (element.type === "button") return buttonOf(element, block, host);
  if (element.type === "overflow") return overflow(element, block, host);
  if (element.type === "image") return picture(element);
  if (isControl(element)) {
    return control(element, block, host, {
      dispatches: true,
      label: element.placeholder?.text ?? "Choose",
    });
  }
  return el("span", { class: "unknown" }, `(${element.type})`);
}

// Pictures from elsewhere stay away: the page loads nothing but itself.
const picture = (image) =>
  el("span", { class: "picture", role: "img" }, image.alt_text ?? "picture");

function buttonOf(element, block, host) {
  const props = {
    class: `button ${element.style ?? ""}`,
    "data-testid": `button-${element.action_id}`,
    "aria-label": element.accessibility_label,
  };
  if (element.url) {
    const address = /^https?:/i.test(element.url) ? element.url : null;
    const linked = {
      ...props,
      href: address,
      target: "_blank",
      rel: "noopener noreferrer",
      role: "button",
    };
    return el(
      "a",
      { ...linked, onclick: (event) => press(event.currentTarget) },
      textNode(element.text),
    );
  }
  const press = async (button) => {
    if (button.getAttribute("aria-disabled")) return;
    if (element.confirm && !(await askConfirm(element.confirm))) return;
    await busy(button, () => host.act({ element, block, value: element.value ?? null, button }));
  };
  return el(
    "button",
    { type: "button", ...props, onclick: (event) => press(event.currentTarget) },
    textNode(element.text),
  );
}

function overflow(element, block, host) {
  const button = el("button", {
    type: "button",
    class: "button overflow",
    "data-testid": `button-${element.action_id}`,
    "aria-label": "More actions",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
  });
  button.append(icon("more"));
  const pick = async (option) => {
    if (option.url && /^https?:/i.test(option.url))
      window.open(option.url, "_blank", "noopener,noreferrer");
    if (element.confirm && !(await askConfirm(element.confirm))) return;
    await busy(button, () => host.act({ element, block, value: option.value, button }));
  };
  const menu = {
    anchor: button,
    groups: optionGroups(element),
    chosen: new Set(),
    label: "More actions",
    pick,
  };
  button.addEventListener("click", () => openMenu(menu));
  return button;
}

function inputBlock(block, host) {
  const ids = `${host.name}-${block.block_id}`;
  const group = /^(checkboxes|radio_buttons)$/.test(block.element.type);
  const label = el(
    group ? "div" : "label",
    { class: "label", id: `${ids}-label`, for: group ? null : `${ids}-control` },
    textNode(block.label),
    block.optional && el("span", { class: "optional" }, " (optional)"),
  );
  const about = {
    id: `${ids}-control`,
    labelledBy: `${ids}-label`,
    describedBy: `${ids}-error ${ids}-hint`,
    dispatches: Boolean(block.dispatch_action),
  };
  return el(
    "div",
    {
      class: "block input",
      "data-testid": `field-${block.block_id}`,
      "data-block": block.block_id,
    },
    label,
    control(block.element, block, host, about),
    el("div", {
      class: "error",
      id: `${ids}-error`,
      "data-testid": `error-${block.block_id}`,
      role: "alert",
    }),
    el("div", { class: "hint", id: `${ids}-hint` }, block.hint && textNode(block.hint)),
  );
}
