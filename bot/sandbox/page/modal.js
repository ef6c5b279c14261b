// The modal of the person: a stack of views, the last on top, drawn anew when the stand-in changes it.

import { clickView, closeView, submitView } from "./api.js";
import { busy, el, icon } from "./dom.js";
import { renderBlocks } from "./blocks.js";
import { Form } from "./controls.js";
import { textNode } from "./text.js";

const TROUBLE = "We had some trouble connecting. Try again?";
const FOCUSABLE = "input, textarea, button.control, .modal-body button, .modal-body a";

let dialog = null;
let drawn = { id: null, json: null };
let owner = null;
let stack = [];
let reload = async () => {};
const forms = new Map();

/** `refresh` is called whenever the stack may have changed. */
export function startModals(refresh) {
  reload = refresh;
}

/** Show the top of `views` ([{id, view}]) of `user`, or close the modal if there is none.
 *
 * A view is drawn anew only if it looks different: what somebody types is not a change of the view. */
export function showViews(views, user) {
  if (user !== owner) reset();
  owner = user;
  stack = views.map(({ id }) => id);
  for (const id of forms.keys()) if (!stack.includes(id)) forms.delete(id);
  const top = views.at(-1);
  if (!top) return reset();
  const { title, submit: send, close: leave, blocks } = top.view;
  const json = JSON.stringify([title, send, leave, blocks, views.length]);
  if (top.id === drawn.id && json === drawn.json) return undefined;
  const keep = top.id === drawn.id ? whereFocusIs() : null;
  drawn = { id: top.id, json };
  draw(top);
  return focusOn(keep);
}

function reset() {
  if (dialog) {
    dialog.close();
    dialog.remove();
    document.querySelector("[data-testid=composer]")?.focus();
  }
  dialog = null;
  drawn = { id: null, json: null };
  forms.clear();
}

function whereFocusIs() {
  const active = document.activeElement;
  if (!dialog?.contains(active)) return null;
  return { key: active.dataset.key, from: active.selectionStart, to: active.selectionEnd };
}

function focusOn(keep) {
  const same =
    keep?.key &&
    [...dialog.querySelectorAll("[data-key]")].find((node) => node.dataset.key === keep.key);
  const target =
    same || dialog.querySelector(FOCUSABLE) || dialog.querySelector("[data-testid=modal-submit]");
  (target ?? dialog).focus();
  if (same && typeof keep.from === "number") same.setSelectionRange(keep.from, keep.to);
}

function draw({ id, view }) {
  if (!dialog) {
    dialog = el("dialog", {
      class: "modal",
      "data-testid": "modal",
      "aria-labelledby": "modal-title",
      tabindex: "-1",
    });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close(stack.slice(-1));
    });
    document.body.append(dialog);
    dialog.showModal();
  }
  const form = new Form(forms.get(id));
  forms.set(id, form);
  const host = { name: "view", form, act: (action) => act(id, form, action) };
  const scrolled = dialog.querySelector(".modal-body")?.scrollTop ?? 0;
  dialog.replaceChildren(
    el(
      "form",
      {
        novalidate: true,
        onsubmit: (event) => {
          event.preventDefault();
          submit(id, form, event.currentTarget);
        },
      },
      head(view),
      el("div", { class: "modal-error", "data-testid": "modal-error", role: "alert" }),
      el("div", { class: "modal-body" }, ...renderBlocks(view.blocks ?? [], host)),
      foot(view),
    ),
  );
  dialog.querySelector(".modal-body").scrollTop = scrolled;
}

function head(view) {
  const back = el(
    "button",
    {
      type: "button",
      class: "plain",
      "aria-label": "Back",
      "data-testid": "modal-back",
      onclick: () => close(stack.slice(-1)),
    },
    icon("back"),
  );
  return el(
    "header",
    { class: "modal-head" },
    stack.length > 1 && back,
    el("h2", { id: "modal-title" }, textNode(view.title)),
    el(
      "button",
      {
        type: "button",
        class: "plain",
        "aria-label": "Close",
        "data-testid": "modal-x",
        onclick: () => close(stack),
      },
      icon("close"),
    ),
  );
}

function foot(view) {
  const closing = {
    type: "button",
    class: "button",
    "data-testid": "modal-close",
    onclick: () => close(stack.slice(-1)),
  };
  return el(
    "footer",
    { class: "modal-foot" },
    el("button", closing, view.close ? textNode(view.close) : view.submit ? "Cancel" : "Close"),
    view.submit &&
      el(
        "button",
        { type: "submit", class: "button primary", "data-testid": "modal-submit" },
        textNode(view.submit),
      ),
  );
}

function say(problem) {
  const place = dialog?.querySelector(".modal-error");
  place?.replaceChildren(...(problem ? [icon("warn"), el("span", {}, problem)] : []));
}

function showErrors(errors) {
  for (const field of dialog.querySelectorAll(".block.input")) {
    const text = errors[field.dataset.block] ?? "";
    const input = field.querySelector("[data-key]");
    field.classList.toggle("wrong", Boolean(text));
    field.querySelector(".error").textContent = text;
    if (text) input?.setAttribute("aria-invalid", "true");
    else input?.removeAttribute("aria-invalid");
  }
  const first = dialog.querySelector(".wrong");
  first?.scrollIntoView({ block: "nearest" });
  first?.querySelector(".control, input")?.focus();
}

async function submit(id, form, node) {
  const button = node.querySelector("[data-testid=modal-submit]");
  if (!button || button.getAttribute("aria-disabled")) return undefined;
  say(null);
  const answer = await busy(button, () => submitView(id, owner, form.values()));
  if (answer.response_action === "errors") return showErrors(answer.errors ?? {});
  await reload();
  return answer.ok ? undefined : say(TROUBLE);
}

async function act(id, form, { element, block, value }) {
  say(null);
  const click = {
    user: owner,
    action_id: element.action_id,
    block_id: block.block_id,
    value,
    values: form.values(),
  };
  const answer = await clickView(id, click);
  await reload();
  if (!answer.ok) say(TROUBLE);
}

/** Close the views `ids` from the top down. */
async function close(ids) {
  for (const id of [...ids].reverse()) await closeView(id, owner);
  await reload();
}
