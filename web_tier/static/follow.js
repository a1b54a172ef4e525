// Follows a job: by server-sent events, or by asking now and then where there are none.

const POLL_MS = 500;
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const hasEnded = (state) => !["queued", "running"].includes(state);

export async function fetchJob(id) {
  // Asked each time: an end that the browser kept may be of an attempt before this one.
  const response = await fetch(`/v1/jobs/${id}`, { cache: "no-cache" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

// Calls `show` with { state, points_done, finished, series } as the job moves; returns when it has ended.
export function follow(id, show) {
  return new Promise((resolve) => {
    const events = new EventSource(`/v1/jobs/${id}/events`);
    const told = ({ data }) => {
      const progress = JSON.parse(data);
      show(progress);
      if (hasEnded(progress.state)) {
        events.close();
        resolve();
      }
    };
    events.addEventListener("progress", told);
    events.addEventListener("end", told);
    events.addEventListener("error", () => {
      // A lost connection is tried again by the browser; a refusal is final, so we ask ourselves.
      if (events.readyState === EventSource.CLOSED) poll(id, show).then(resolve);
    });
  });
}

async function poll(id, show) {
  for (;;) {
    try {
      const job = await fetchJob(id);
      show({
        state: job.state,
        points_done: job.progress.points_done,
        finished: job.chunks.finished,
        series: job.series,
      });
      if (hasEnded(job.state)) return;
    } catch {
      // Away for a moment: the next try tells.
    }
    await pause(POLL_MS);
  }
}
