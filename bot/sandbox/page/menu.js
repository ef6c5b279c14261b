// What opens over the page: menus of options and questions to confirm.

import { el, icon } from "./dom.js";
import { textNode } from "./text.js";

let open = null;

/** `[{label, options}]` of a select, grouped or not. */
export function optionGroups(element) {
  const groups = element.option_groups ?? [{ label: null, options: element.options ?? [] }];
  return groups.map(({ label, options }) => ({ label, options }));
}

/** Open a menu under `anchor`. `chosen` is a Set of values; `pick(option)` is told each choice. */
export function openMenu({ anchor, groups, chosen, multi = false, label, pick }) {
  open?.close();
  const choose = (item, option) => {
    pick(option);
    if (multi) item.setAttribute("aria-selected", String(chosen.has(option.value)));
    else close();
  };
  const list = menuList(groups, chosen, choose, label);
  list.setAttribute("aria-multiselectable", String(multi));
  const items = [...list.querySelectorAll("[role=option]")];
  const close = (refocus = true) => {
    open = null;
    list.remove();
    anchor.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
    if (refocus) anchor.focus();
  };
  const outside = (event) => {
    if (!list.contains(event.target) && !anchor.contains(event.target)) close(false);
  };
  list.addEventListener("keydown", (event) => menuKey(event, list, items, close));
  addEventListener("pointerdown", outside, true);
  addEventListener("resize", close);
  (anchor.closest("dialog") ?? document.body).append(list);
  place(list, anchor);
  anchor.setAttribute("aria-expanded", "true");
  open = { close, anchor };
  list.focus();
  const first = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  point(list, items, Math.max(0, first));
}

function menuList(groups, chosen, choose, label) {
  const list = el("div", { class: "menu", role: "listbox", tabindex: "-1", "aria-label": label });
  let count = 0;
  for (const { label: heading, options } of groups) {
    const group = el("div", { role: "group", "aria-label": heading?.text });
    if (heading) {
      group.append(el("div", { class: "menu-heading", "aria-hidden": "true" }, textNode(heading)));
    }
    for (const option of options) {
      const item = menuItem(option, chosen, count);
      item.addEventListener("click", () => choose(item, option));
      group.append(item);
      count += 1;
    }
    list.append(group);
  }
  if (!count) list.append(el("div", { class: "menu-heading" }, "Nothing to choose from"));
  return list;
}

/** Close the open menu; true if it was the one of `anchor`. */
export function closeMenu(anchor = null) {
  const was = open !== null && open.anchor === anchor;
  open?.close(was);
  return was;
}

function menuItem(option, chosen, index) {
  const item = el(
    "div",
    {
      class: "menu-item",
      role: "option",
      id: `menu-item-${index}`,
      "data-value": option.value,
      "aria-selected": String(chosen.has(option.value)),
    },
    el("span", { class: "menu-check" }, icon("check")),
    el("span", { class: "menu-text" }, textNode(option.text)),
  );
  if (option.description)
    item.append(el("span", { class: "menu-more" }, textNode(option.description)));
  return item;
}

function place(list, anchor) {
  const box = anchor.getBoundingClientRect();
  const below = innerHeight - box.bottom - 12;
  const above = box.top - 12;
  const up = below < Math.min(list.scrollHeight, 220) && above > below;
  list.style.minWidth = `${Math.max(180, box.width)}px`;
  list.style.maxHeight = `${Math.min(320, up ? above : below)}px`;
  list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - list.offsetWidth - 8))}px`;
  list.style.top = up ? `${box.top - list.offsetHeight - 4}px` : `${box.bottom + 4}px`;
}

function point(list, items, index) {
  items.forEach((item, at) => item.classList.toggle("at", at === index));
  if (!items[index]) return;
  list.setAttribute("aria-activedescendant", items[index].id);
  items[index].scrollIntoView({ block: "nearest" });
}

function menuKey(event, list, items, close) {
  const at = items.findIndex((item) => item.classList.contains("at"));
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  const letter = event.key.length === 1 && event.key !== " " ? event.key.toLowerCase() : null;
  if (event.key in steps) point(list, items, (steps[event.key] + items.length) % items.length);
  else if (event.key === "Enter" || event.key === " ") items[at]?.click();
  else if (event.key === "Escape") close();
  else if (event.key === "Tab") return close();
  else if (letter) {
    const order = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    const hit = order.find((item) => item.textContent.trim().toLowerCase().startsWith(letter));
    if (hit) point(list, items, items.indexOf(hit));
  } else return undefined;
  event.preventDefault();
  event.stopPropagation();
  return undefined;
}

/** Ask what a `confirm` object asks; resolves to true or false. */
export function askConfirm(question) {
  return new Promise((resolve) => {
    const dialog = el("dialog", {
      class: "confirm",
      "data-testid": "confirm",
      "aria-labelledby": "confirm-title",
    });
    const answer = (yes) => {
      dialog.close();
      dialog.remove();
      resolve(yes);
    };
    const style = question.style === "danger" ? "danger" : "primary";
    dialog.append(
      el("h2", { id: "confirm-title" }, textNode(question.title)),
      el("div", { class: "confirm-text" }, textNode(question.text)),
      el(
        "div",
        { class: "confirm-buttons" },
        button(textNode(question.deny), "", "confirm-cancel", () => answer(false)),
        button(textNode(question.confirm), style, "confirm-ok", () => answer(true)),
      ),
    );
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      answer(false);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("[data-testid=confirm-ok]").focus();
  });
}

function button(label, style, testid, press) {
  return el(
    "button",
    { type: "button", class: `button ${style}`, "data-testid": testid, onclick: press },
    label,
  );
}
