// Questions about the answer: a reply grows as it is written, and asking keeps the page as it is.
import { refresh } from "./parts.js";

const talk = document.getElementById("talk");
const growing = document.getElementById("growing");
const form = document.getElementById("ask");
const problem = document.getElementById("ask-problem");
let of = "";
let pieces = new Map();

function show() {
  const place = talk.querySelector("[data-pending]");
  const text = place?.dataset.pending === of.split("/")[0] ? [...pieces.values()].join("") : "";
  growing.textContent = text;
  growing.hidden = !text;
  if (place && text) place.hidden = true;
}

// A piece may come a second time after a connection was lost, and a reply begins anew after the service was.
export function grow(id, piece) {
  const now = `${piece.question}/${piece.attempt}`;
  if (now !== of) [of, pieces] = [now, new Map()];
  pieces.set(id, piece.text);
  show();
}

async function ask(button) {
  problem.hidden = true;
  const body = new URLSearchParams(new FormData(form, button));
  const answer = await fetch(form.action, { method: "post", body, credentials: "same-origin", redirect: "manual" });
  // What was taken leads back to the page, which is here.
  if (answer.type === "opaqueredirect") {
    if (button.name !== "suggested") form.reset();
    await refresh();
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  problem.textContent = page.getElementById("problem")?.textContent || `It was refused (${answer.status}); reload the page.`;
  problem.hidden = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  event.stopPropagation();
  if ("sent" in form.dataset) return;
  form.dataset.sent = "";
  ask(event.submitter)
    .catch(() => {
      problem.textContent = "It couldn't be sent; try again.";
      problem.hidden = false;
    })
    .finally(() => delete form.dataset.sent);
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.querySelector("button:not([name])"));
});
new MutationObserver(show).observe(talk, { childList: true });
