// Opens a page of its own (a question about a step, a reading) as a dialog. Without scripts it's simply the page.
import { content } from "./parts.js";

const dialog = document.getElementById("dialog");
const inside = document.getElementById("dialog-content");
let shown = "";
let opener = "";

async function show(url, cited = new URL(url, location.href).hash.slice(1)) {
  const part = await content(url);
  inside.replaceChildren(document.importNode(part, true));
  shown = url;
  if (!dialog.open) dialog.showModal();
  for (const id of cited.split(" ").filter(Boolean)) document.getElementById(id)?.classList.add("here");
  inside.querySelector(".here")?.scrollIntoView({ block: "center" });
  // Never the button that says yes: what was typed before the question doesn't answer it.
  (inside.querySelector("[data-closes]") ?? inside.querySelector("h2"))?.focus({ preventScroll: true });
}

// A decision of somebody else may have settled what is asked here.
export async function renew() {
  if (dialog.open && inside.querySelector("form")) await show(shown);
}

document.addEventListener("click", (click) => {
  if (click.metaKey || click.ctrlKey || click.shiftKey || click.button) return;
  const link = click.target.closest("a");
  if (link?.dataset.opens === "dialog") {
    click.preventDefault();
    opener = link.id;
    const went = link;
    show(link.href, link.dataset.cites).catch(() => location.assign(went.href));
  } else if (link && "closes" in link.dataset && dialog.contains(link)) {
    click.preventDefault();
    dialog.close();
  } else if (click.target === dialog) {
    dialog.close();
  }
});

dialog.addEventListener("close", () => {
  inside.replaceChildren();
  if (opener) document.getElementById(opener)?.focus();
});

// The tick is for a yes: a no needs none.
document.addEventListener("click", (click) => {
  const button = click.target.closest("button[name=verb]");
  const tick = button?.form.querySelector("#understood");
  if (tick) tick.required = button.value !== "refuse";
}, true);

// One click is one decision, however often somebody clicks.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if ("sent" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
