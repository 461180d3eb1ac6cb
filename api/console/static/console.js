// What a browser can add to pages that work without it: progress that moves, and keys that choose.
"use strict";

// Long work: the page follows the stream of its job, and opens anew when the job is over.
for (const part of document.querySelectorAll("[data-job]")) {
  const bar = part.querySelector("progress");
  const step = part.querySelector("[data-step]");
  const names = JSON.parse(part.dataset.steps);
  const stream = new EventSource(`/v1/jobs/${part.dataset.job}/events`);
  stream.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    bar.value = job.share;
    const said = names[job.step] || job.step;
    if (step.textContent !== said) step.textContent = said;
    if (!["queued", "running"].includes(job.state)) {
      stream.close();
      location.reload();
    }
  });
}

// Two keystrokes: c or o chooses the judgement, a digit takes a ready-made reason; after both, the form is sent.
for (const form of document.querySelectorAll("[data-judge]")) {
  const reason = form.elements.reason;
  const chosen = () => form.querySelector("input[name=judgement]:checked");
  const take = (button) => {
    reason.value = button.querySelector("span").textContent;
    reason.focus();
  };
  for (const button of form.querySelectorAll("[data-reason]")) button.addEventListener("click", () => take(button));
  for (const hint of form.querySelectorAll("[data-keys]")) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("textarea, select, input:not([type=radio])")) return;
    const judgement = form.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    const ready = form.querySelector(`[data-reason="${CSS.escape(event.key)}"]`);
    if (judgement) {
      judgement.checked = true;
      judgement.focus();
      event.preventDefault();
    } else if (ready) {
      take(ready);
      event.preventDefault();
      if (chosen()) form.requestSubmit();
    }
  });
}
