// The controls of a form: each draws itself from the value in `host.form` and writes back to it.

import { busy, el, icon } from "./dom.js";
import { askConfirm, closeMenu, openMenu, optionGroups } from "./menu.js";
import { textNode } from "./text.js";

/** What stands in the form of one view, by block id and action id; survives a redraw of the view. */
export class Form {
  #values = new Map();

  constructor(previous = null) {
    this.previous = previous;
  }

  /** The value to draw: what stood there before if it still fits, else the view's initial one. */
  start(block, element) {
    const key = `${block.block_id} ${element.action_id}`;
    const kept = this.previous?.#values.get(key)?.value;
    const value = kept !== undefined && fits(element, kept) ? kept : initial(element);
    this.#values.set(key, { block: block.block_id, action: element.action_id, value });
    return value;
  }

  set(block, element, value) {
    this.#values.set(`${block.block_id} ${element.action_id}`, {
      block: block.block_id,
      action: element.action_id,
      value,
    });
  }

  /** {block_id: {action_id: value}} as the stand-in wants it. */
  values() {
    const all = {};
    for (const { block, action, value } of this.#values.values()) {
      all[block] = { ...all[block], [action]: value };
    }
    return all;
  }
}

const optionsOf = (element) => optionGroups(element).flatMap((group) => group.options);

function initial(element) {
  if (element.type in TEXTS) return element.initial_value ?? null;
  if (element.type === "datetimepicker") return element.initial_date_time ?? null;
  if (isMany(element)) return (element.initial_options ?? []).map((option) => option.value);
  return element.initial_option?.value ?? null;
}

function fits(element, value) {
  if (element.type in TEXTS) return value === null || typeof value === "string";
  if (element.type === "datetimepicker") return value === null || typeof value === "number";
  const offered = new Set(optionsOf(element).map((option) => option.value));
  if (isMany(element)) return Array.isArray(value) && value.every((one) => offered.has(one));
  return value === null || offered.has(value);
}

const TEXTS = {
  plain_text_input: "text",
  email_text_input: "email",
  url_text_input: "url",
  number_input: "text",
};
const isMany = (element) => element.type === "checkboxes" || element.type === "multi_static_select";

const CONTROLS = {
  static_select: select,
  multi_static_select: select,
  checkboxes: choices,
  radio_buttons: choices,
  datetimepicker: momentInput,
};
for (const type of Object.keys(TEXTS)) CONTROLS[type] = textInput;

export const isControl = (element) => element.type in CONTROLS;

/** Node for `element`. `about`: {id, labelledBy, describedBy, label, dispatches}. */
export function control(element, block, host, about) {
  const draw = CONTROLS[element.type];
  if (!draw) return el("span", { class: "unknown" }, `(an input of type ${element.type})`);
  const first = host.form ? host.form.start(block, element) : initial(element);
  let value = first;
  const change = async (changed, node) => {
    const before = value;
    value = changed;
    if (about.dispatches && element.confirm && !(await askConfirm(element.confirm))) {
      value = before;
      return false;
    }
    host.form?.set(block, element, changed);
    if (about.dispatches)
      await busy(node, () => host.act({ element, block, value: changed, button: node }));
    return true;
  };
  return draw(element, first, change, {
    ...about,
    key: `${block.block_id} ${element.action_id}`,
    host,
    block,
  });
}

const aria = (about) => ({
  id: about.id,
  "data-key": about.key,
  "aria-labelledby": about.labelledBy,
  "aria-describedby": about.describedBy,
  "aria-label": about.labelledBy ? null : about.label,
});

function textInput(element, value, change, about) {
  const count = el("span", { class: "count", "aria-hidden": "true" });
  const field = el(element.multiline ? "textarea" : "input", {
    ...aria(about),
    class: "control",
    type: element.multiline ? null : TEXTS[element.type],
    rows: element.multiline ? 4 : null,
    maxlength: element.max_length,
    placeholder: element.placeholder?.text,
    value: value ?? "",
    autocomplete: "off",
  });
  const show = () => {
    const left = element.max_length ? element.max_length - field.value.length : Infinity;
    count.textContent = left < 50 ? String(left) : "";
  };
  field.addEventListener("input", () => {
    about.host.form?.set(about.block, element, field.value || null);
    show();
  });
  if (about.dispatches) {
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      change(field.value || null, field);
    });
  }
  show();
  return el("div", { class: "text-input" }, field, count);
}

/** A time in the reader's own zone; its value is seconds since 1970. */
function momentInput(element, value, change, about) {
  const field = el("input", {
    ...aria(about),
    class: "control",
    type: "datetime-local",
    value: value === null ? "" : localTime(value),
  });
  field.addEventListener("change", () => {
    const seconds = Math.floor(new Date(field.value).getTime() / 1000);
    change(Number.isNaN(seconds) ? null : seconds, field);
  });
  return el("div", { class: "text-input" }, field);
}

/** Seconds since 1970 as a datetime-local input has them: "2026-11-23T09:00". */
function localTime(seconds) {
  const at = new Date(seconds * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function select(element, value, change, about) {
  const many = isMany(element);
  const chosen = new Set(many ? value : [value].filter((one) => one !== null));
  const button = el("button", {
    ...aria(about),
    "aria-labelledby": about.labelledBy && `${about.labelledBy} ${about.id}`,
    type: "button",
    class: "control select",
    role: "combobox",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
  });
  const show = () => button.replaceChildren(selected(element, chosen, many), icon("down"));
  const pick = async (option) => {
    const before = new Set(chosen);
    if (!many) chosen.clear();
    if (many && before.has(option.value)) chosen.delete(option.value);
    else chosen.add(option.value);
    show();
    if (await change(many ? [...chosen] : option.value, button)) return;
    chosen.clear();
    before.forEach((one) => chosen.add(one));
    show();
  };
  const toggle = () => {
    if (closeMenu(button)) return;
    openMenu({
      anchor: button,
      groups: optionGroups(element),
      chosen,
      multi: many,
      label: about.label,
      pick,
    });
  };
  button.addEventListener("click", toggle);
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    toggle();
  });
  show();
  return button;
}

function selected(element, chosen, many) {
  const options = optionsOf(element).filter((option) => chosen.has(option.value));
  if (!options.length) {
    return el("span", { class: "placeholder" }, element.placeholder?.text ?? "Choose an option");
  }
  if (!many) return el("span", { class: "select-text" }, textNode(options[0].text));
  return el(
    "span",
    { class: "tags" },
    ...options.map((option) => el("span", { class: "tag" }, textNode(option.text))),
  );
}

function choices(element, value, change, about) {
  const many = isMany(element);
  const chosen = new Set(many ? value : [value]);
  const group = el("div", {
    ...aria(about),
    class: "choices",
    role: many ? "group" : "radiogroup",
  });
  for (const [index, option] of optionsOf(element).entries()) {
    const box = el("input", {
      type: many ? "checkbox" : "radio",
      name: `${about.id ?? about.key}-choice`,
      value: option.value,
      checked: chosen.has(option.value),
      "data-key": `${about.key} ${index}`,
    });
    box.addEventListener("change", async () => {
      if (!many) chosen.clear();
      if (box.checked) chosen.add(option.value);
      else chosen.delete(option.value);
      const order = optionsOf(element)
        .map((one) => one.value)
        .filter((one) => chosen.has(one));
      if (!(await change(many ? order : option.value, group))) box.checked = !box.checked;
    });
    group.append(
      el(
        "label",
        { class: "choice" },
        box,
        el(
          "span",
          {},
          textNode(option.text),
          option.description && el("span", { class: "choice-more" }, textNode(option.description)),
        ),
      ),
    );
  }
  return group;
}
