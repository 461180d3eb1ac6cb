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
